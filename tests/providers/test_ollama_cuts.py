"""Each recording of Ollama fed whole, byte by byte, split and cut everywhere, and with broken bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.errors import ModelError

from .feeding import decode
from .ollama_recordings import OLLAMA, RECORDINGS
from .wire_recording import check_any_split, check_cuts, check_flips, check_splits, check_whole

each_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)


@each_recording
def test_a_recording_comes_to_what_it_says(recording):
    check_whole(recording)


@each_recording
def test_a_recording_split_at_any_offset_gives_the_same_items_and_the_same_end(recording):
    check_splits(recording)


@each_recording
def test_a_recording_cut_before_its_terminal_fact_is_an_error_and_behind_it_the_answer(recording):
    check_cuts(recording)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RECORDINGS), st.lists(st.integers(0, 2000), max_size=30))
def test_any_split_gives_the_same_items_and_the_same_end(recording, places):
    check_any_split(recording, places)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(RECORDINGS), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_flipped_bytes_give_an_answer_or_a_typed_error(recording, flips):
    check_flips(recording, flips)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([{}, {"content-type": "application/x-ndjson"}, {"content-type": "application/json"}]),
)
def test_arbitrary_bytes_are_a_typed_error_never_an_answer(body, headers):
    assert isinstance(decode([body], headers, provider=OLLAMA).error, ModelError)
