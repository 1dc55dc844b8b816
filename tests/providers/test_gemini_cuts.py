"""Each recording of Gemini fed whole, byte by byte, split and cut everywhere, and with broken bytes."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.errors import ModelError, StreamTruncatedError

from .feeding import event_ends, one_by_one
from .gemini_recordings import RECORDINGS, Recording, decode

each_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)


@each_recording
def test_a_recording_comes_to_what_it_says(recording: Recording):
    outcome = decode([recording.body], recording.headers)
    assert outcome.text == recording.text
    assert outcome.reasoning == recording.reasoning
    if recording.error is not None:
        assert type(outcome.error) is recording.error
        return
    assert outcome.error is None
    assert outcome.result is not None
    assert outcome.calls == recording.calls
    assert outcome.result.stop_reason == recording.stop_reason
    assert outcome.result.request_id == "req_7"
    assert "".join([message.text for message in outcome.result.messages or []]) == recording.text


@each_recording
def test_a_recording_fed_byte_by_byte_gives_the_same_items_and_the_same_end(recording: Recording):
    whole = decode([recording.body], recording.headers)
    assert decode(one_by_one(recording.body), recording.headers).comparable() == whole.comparable()


@each_recording
def test_a_recording_split_at_every_offset_gives_the_same_items_and_the_same_end(recording: Recording):
    whole = decode([recording.body], recording.headers).comparable()
    for at in range(len(recording.body) + 1):
        assert decode([recording.body[:at], recording.body[at:]], recording.headers).comparable() == whole, at


@each_recording
def test_a_recording_cut_before_its_terminal_fact_is_an_error_never_an_answer(recording: Recording):
    cuts = [0, *event_ends(recording.body), *range(0, len(recording.body), 5)]
    for at in [cut for cut in cuts if cut < recording.proof_ends()]:
        outcome = decode([recording.body[:at]], recording.headers)
        assert outcome.result is None, at
        assert type(outcome.error) in (StreamTruncatedError, recording.error), (at, outcome.error)
        assert recording.text.startswith(outcome.text)


@each_recording
def test_a_recording_cut_after_its_terminal_fact_is_the_answer(recording: Recording):
    whole = decode([recording.body], recording.headers)
    for at in [end for end in event_ends(recording.body) if end > recording.proof_ends()]:
        outcome = decode([recording.body[:at]], recording.headers)
        assert (outcome.error is None) == (whole.error is None), at
        assert outcome.text == whole.text
        if whole.error is None:
            assert outcome.calls == whole.calls


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(RECORDINGS), st.lists(st.integers(0, 2000), max_size=30))
def test_any_split_gives_the_same_items_and_the_same_end(recording: Recording, places: list[int]):
    cuts = sorted({0, len(recording.body), *[place % (len(recording.body) + 1) for place in places]})
    pieces = [recording.body[start:end] for start, end in itertools.pairwise(cuts)]
    assert decode(pieces, recording.headers).comparable() == decode([recording.body], recording.headers).comparable()


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(RECORDINGS), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_flipped_bytes_give_an_answer_or_a_typed_error(recording: Recording, flips: list[tuple[int, int]]):
    broken = bytearray(recording.body)
    for place, value in flips:
        broken[place % len(broken)] = value
    outcome = decode([bytes(broken)], recording.headers)
    assert (outcome.result is None) == isinstance(outcome.error, ModelError)
    assert decode(one_by_one(bytes(broken)), recording.headers).comparable() == outcome.comparable()


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([{}, {"content-type": "text/event-stream"}, {"content-type": "application/json"}]),
)
def test_arbitrary_bytes_are_a_typed_error_never_an_answer(body: bytes, headers: dict[str, str]):
    assert isinstance(decode([body], headers).error, ModelError)
