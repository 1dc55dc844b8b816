"""Each recording of Anthropic's messages fed whole, byte by byte, split and cut everywhere, and with broken bytes."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.errors import ModelError, StreamTruncatedError
from llm_actors.messages import ModelRequest, user
from llm_actors.providers.anthropic import Anthropic

from .anthropic_recordings import JSON, RECORDINGS, AnthropicRecording
from .feeding import Outcome, event_ends, one_by_one
from .feeding import decode as feed

each_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
PROVIDER = Anthropic()


def decode(pieces, headers) -> Outcome:
    return feed(pieces, headers, provider=PROVIDER)


@each_recording
def test_a_recording_comes_to_what_it_says(recording: AnthropicRecording):
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
    messages = outcome.result.messages or []
    assert "".join([message.text for message in messages]) == recording.text
    if recording.parts:
        assert [part.to_dict()["type"] for message in messages for part in message.parts] == recording.parts


@each_recording
def test_a_recording_fed_byte_by_byte_gives_the_same_items_and_the_same_end(recording: AnthropicRecording):
    whole = decode([recording.body], recording.headers)
    assert decode(one_by_one(recording.body), recording.headers).comparable() == whole.comparable()


@each_recording
def test_a_recording_split_at_every_offset_gives_the_same_items_and_the_same_end(recording: AnthropicRecording):
    whole = decode([recording.body], recording.headers).comparable()
    for at in range(len(recording.body) + 1):
        assert decode([recording.body[:at], recording.body[at:]], recording.headers).comparable() == whole, at


@each_recording
def test_a_recording_cut_before_its_terminal_fact_is_an_error_never_an_answer(recording: AnthropicRecording):
    cuts = [0, *event_ends(recording.body), *range(0, len(recording.body), 7)]
    for at in [cut for cut in cuts if cut < recording.proof_ends()]:
        if recording.headers is JSON and not recording.body[at:].strip():
            continue
        outcome = decode([recording.body[:at]], recording.headers)
        assert outcome.result is None, at
        assert type(outcome.error) in (StreamTruncatedError, recording.error), (at, outcome.error)
        assert recording.text.startswith(outcome.text)


@each_recording
def test_a_recording_cut_after_its_terminal_fact_is_the_answer(recording: AnthropicRecording):
    whole = decode([recording.body], recording.headers)
    for at in [end for end in event_ends(recording.body) if end > recording.proof_ends()]:
        outcome = decode([recording.body[:at]], recording.headers)
        assert outcome.comparable() == whole.comparable(), at


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(RECORDINGS), st.lists(st.integers(0, 4000), max_size=30))
def test_any_split_gives_the_same_items_and_the_same_end(recording: AnthropicRecording, places: list[int]):
    cuts = sorted({0, len(recording.body), *[place % (len(recording.body) + 1) for place in places]})
    pieces = [recording.body[start:end] for start, end in itertools.pairwise(cuts)]
    assert decode(pieces, recording.headers).comparable() == decode([recording.body], recording.headers).comparable()


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(RECORDINGS), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_flipped_bytes_give_an_answer_or_a_typed_error(recording: AnthropicRecording, flips: list[tuple[int, int]]):
    broken = bytearray(recording.body)
    for place, value in flips:
        broken[place % len(broken)] = value
    outcome = decode([bytes(broken)], recording.headers)
    assert (outcome.result is None) == isinstance(outcome.error, ModelError)
    assert decode(one_by_one(bytes(broken)), recording.headers).comparable() == outcome.comparable()


# Any value where a field should be: servers that only speak the wire get the types wrong.
_VALUES = st.sampled_from(["null", "1", "-1", '""', '"x"', "[]", "{}", "[null]", '{"type":1}', "true", "1e3"])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(RECORDINGS), st.integers(0, 400), _VALUES)
def test_fields_of_other_types_give_an_answer_or_a_typed_error(recording: AnthropicRecording, place: int, value: str):
    fields = recording.body.decode().split('":')
    at = 1 + place % (len(fields) - 1)
    end = min([spot for spot in (fields[at].find(","), fields[at].find("}")) if spot >= 0], default=len(fields[at]))
    broken = '":'.join([*fields[:at], value + fields[at][end:], *fields[at + 1 :]]).encode()
    outcome = decode([broken], recording.headers)
    assert (outcome.result is None) == isinstance(outcome.error, ModelError)
    if outcome.result is not None:  # and it can be sent back, whatever it was
        messages = [user("hi"), *(outcome.result.messages or []), user("next")]
        assert PROVIDER.encode(ModelRequest("m", messages, options={"cache": True}), {}).body


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([{}, {"content-type": "text/event-stream"}, {"content-type": "application/json"}]),
)
def test_arbitrary_bytes_are_a_typed_error_never_an_answer(body: bytes, headers: dict[str, str]):
    assert isinstance(decode([body], headers).error, ModelError)
