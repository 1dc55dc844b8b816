"""A recorded answer of any wire, and what every one of them has to stand: cuts, splits and broken bytes."""

import itertools
from typing import Any

import msgspec

from llm_actors.errors import ModelError, StreamTruncatedError
from llm_actors.messages import StopReason
from llm_actors.providers.protocol import Provider

from .feeding import SSE, Outcome, decode, event_ends, one_by_one


class WireRecording(msgspec.Struct, frozen=True):
    """An answer. `proof`: it is complete once the line that holds these bytes is; bytes that it has not: once all of it has come."""

    name: str
    body: bytes
    provider: Provider
    proof: bytes
    headers: dict[str, str] = msgspec.field(default_factory=lambda: SSE)
    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, dict[str, Any]]] = []
    stop_reason: StopReason | None = "stop"
    error: type[ModelError] | None = None

    def decode(self, pieces: list[bytes]) -> Outcome:
        return decode(pieces, self.headers, provider=self.provider)

    def proof_ends(self) -> int:
        at = self.body.find(self.proof)
        if at < 0:
            return len(self.body)
        ends = [end for end in (self.body.find(b"\n", at), self.body.find(b"\r", at)) if end >= 0]
        return min(ends, default=len(self.body))


def check_whole(recording: WireRecording) -> None:
    outcome = recording.decode([recording.body])
    assert outcome.text == recording.text
    assert outcome.reasoning == recording.reasoning
    if recording.error is not None:
        assert type(outcome.error) is recording.error
        return
    assert outcome.error is None
    assert outcome.result is not None
    assert outcome.calls == recording.calls
    assert outcome.result.stop_reason == recording.stop_reason
    assert "".join([message.text for message in outcome.result.messages or []]) == recording.text


def check_splits(recording: WireRecording) -> None:
    """Byte by byte, and in two at every offset."""
    whole = recording.decode([recording.body]).comparable()
    assert recording.decode(one_by_one(recording.body)).comparable() == whole
    step = 1 if len(recording.body) < 3000 else 7
    for at in range(0, len(recording.body) + 1, step):
        assert recording.decode([recording.body[:at], recording.body[at:]]).comparable() == whole, at


def check_cuts(recording: WireRecording) -> None:
    """Cut before the terminal fact it is an error, and cut behind it the answer."""
    whole = recording.decode([recording.body])
    for at in {0, *event_ends(recording.body), *line_ends(recording.body), *range(0, len(recording.body), 11)}:
        outcome = recording.decode([recording.body[:at]])
        if at < recording.proof_ends():
            assert outcome.result is None, at
            assert type(outcome.error) in (StreamTruncatedError, recording.error), (at, outcome.error)
            assert recording.text.startswith(outcome.text)
        else:
            assert type(outcome.error) is type(whole.error), at
            assert (outcome.text, outcome.reasoning) == (whole.text, whole.reasoning)


def check_flips(recording: WireRecording, flips: list[tuple[int, int]]) -> None:
    """Broken bytes: an answer or a typed error, and the same however they come."""
    broken = bytearray(recording.body)
    for place, value in flips:
        broken[place % len(broken)] = value
    outcome = recording.decode([bytes(broken)])
    assert (outcome.result is None) == isinstance(outcome.error, ModelError)
    assert recording.decode(one_by_one(bytes(broken))).comparable() == outcome.comparable()


def check_any_split(recording: WireRecording, places: list[int]) -> None:
    cuts = sorted({0, len(recording.body), *[place % (len(recording.body) + 1) for place in places]})
    pieces = [recording.body[start:end] for start, end in itertools.pairwise(cuts)]
    assert recording.decode(pieces).comparable() == recording.decode([recording.body]).comparable()


def line_ends(body: bytes) -> list[int]:
    return [at + 1 for at, byte in enumerate(body) if byte == ord("\n")]
