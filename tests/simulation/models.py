"""Models that say what the world has planned for a prompt: a script, Python code sync and async, and a server in memory.

A request is answered by its last user message, whose text is the name of a prompt; which round it is, is counted from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import msgspec

import llm_actors as llm
from llm_actors import testing
from llm_actors.chat.script_model import script_pair
from llm_actors.messages import Message, ModelRequest, StreamEvent, ToolCall
from llm_actors.providers.protocol import Script
from llm_actors.testing import script as wire
from llm_actors.testing import wire_openai
from llm_actors.testing.memory import MemoryServer

from .answers import Call, Round
from .stage import world

STALL = 100.0
"""Seconds that a model or a server says nothing, before it fails."""
_ERRORS = {"429": llm.RateLimitError, "529": llm.OverloadedError, "503": llm.ServerError}


def error_of(end: str) -> llm.ModelError:
    """What a fault is to a reader."""
    kind = _ERRORS.get(end)
    return llm.StreamTruncatedError(end) if kind is None else kind(end)


def last_prompt(messages: list[Message]) -> tuple[str, int]:
    """The name of the prompt that a request is about, and the number of its round."""
    place = max((at for at, said in enumerate(messages) if said.role == "user" and said.text), default=-1)
    rounds = sum(said.role == "assistant" for said in messages[place + 1 :])
    return (messages[place].text if place >= 0 else ""), rounds


def items_of(name: str, number: int, planned: Round) -> Iterator[Any]:
    """What is said, in order: chunks, pauses as floats, calls."""
    words = calls = 0
    for piece in planned.pieces:
        if isinstance(piece, Call):
            calls += 1
            said = f"{name}.{number}.{calls}"
            yield ToolCall(piece.tool, {"n": said, "d": piece.seconds}, f"call-{said}")
        elif isinstance(piece, int):
            words += 1
            yield f"{name}.{number}w{words} "
        else:
            yield piece
    if planned.end == "stop":
        yield f"<{name}.{number}>"


# ---- a script


def _play(request: ModelRequest) -> Script:
    name, number = last_prompt(request.messages)
    planned = world().called(name, number, request.messages)
    pieces = list(items_of(name, number, planned))
    if planned.end == "stall":
        pieces.append(STALL)
    if planned.end in ("stop", "length"):
        spoken = testing.says(*pieces, stop_reason="length" if planned.end == "length" else None)
    else:
        spoken = testing.fails(error_of(planned.end), *pieces)
    return testing.ScriptedModel()._script(spoken)


# ---- Python code


class _Speaks:
    model_id = "speaks"
    can_stream = supports_tools = supports_schema = True

    def _round(self, prompt, response):
        name, number = last_prompt(prompt.messages)
        planned = world().called(name, number, prompt.messages)
        if planned.end == "length":
            response.stop_reason = "length"
        return name, number, planned

    def _say(self, item, response):
        if isinstance(item, ToolCall):
            response.add_tool_call(item)
            return None
        return item

    async def _speak(self, prompt, response):
        name, number, planned = self._round(prompt, response)
        with world().answers(name):
            for item in items_of(name, number, planned):
                if isinstance(item, float):
                    await asyncio.sleep(item)
                elif (said := self._say(item, response)) is not None:
                    yield said
            if planned.end == "stall":
                await asyncio.sleep(STALL)
            if planned.end not in ("stop", "length"):
                raise error_of(planned.end)

    def _speak_blocking(self, prompt, response):
        name, number, planned = self._round(prompt, response)
        for item in items_of(name, number, planned):
            if isinstance(item, float):
                time.sleep(item)
            elif (said := self._say(item, response)) is not None:
                yield said
        if planned.end == "stall":
            time.sleep(STALL)
        if planned.end not in ("stop", "length"):
            raise error_of(planned.end)


class AsyncSpeaks(_Speaks, llm.AsyncModel):
    async def execute(self, prompt, stream, response, conversation):
        async for item in self._speak(prompt, response):
            yield item


class AsyncInSyncDress(_Speaks, llm.Model):
    async def execute(self, prompt, stream, response, conversation):
        async for item in self._speak(prompt, response):
            yield item


class SyncSpeaks(_Speaks, llm.Model):
    def execute(self, prompt, stream, response, conversation):
        yield from self._speak_blocking(prompt, response)


class SyncInAsyncDress(_Speaks, llm.AsyncModel):
    def execute(self, prompt, stream, response, conversation):
        yield from self._speak_blocking(prompt, response)


# ---- a server


def serve(delay: Any) -> tuple[MemoryServer, Any]:
    """A server, and the model behind it."""
    server = MemoryServer(rule=_rule, delay=delay)
    pair = llm.endpoint(
        "wired", base_url=server.base_url, client=server.client, timeout=llm.Timeouts(idle=50, first_byte=50)
    )
    return server, pair


def _rule(request: testing.Recorded) -> testing.Answer:
    try:
        body = wire_openai.decode(request.body)
    except wire_openai.Refusal as refusal:
        if b'"messages":[]' in request.body:  # a resumed chain where nothing had been said
            return testing.reply(refusal.status, refusal.body)
        world().broken("C2", f"the server refused the history: {refusal}")
    messages: list[Any] = body["messages"]
    texts = [wire_openai._content(said) for said in messages]
    place = max(at for at, said in enumerate(messages) if said["role"] == "user" and texts[at])
    number = sum(said["role"] == "assistant" for said in messages[place + 1 :])
    plain = [Message(said["role"], [llm.TextPart(text)]) for said, text in zip(messages, texts, strict=True)]
    planned = world().called(texts[place], number, plain)
    return _written(texts[place], number, planned)


def _written(name: str, number: int, planned: Round) -> testing.Answer:
    steps: list[wire.Step] = []
    if planned.end in _ERRORS:
        return testing.reply(int(planned.end), {"error": {"message": planned.end}})
    if planned.end == "garbage":
        return testing.Answer([wire.Send(b"\x00\x01garbage\r\n\r\n")])
    steps.append(wire.Send(wire.head()))
    calls = 0
    for item in items_of(name, number, planned):
        if isinstance(item, float):
            steps.append(wire.Wait(item))
        elif isinstance(item, ToolCall):
            arguments = msgspec.json.encode(item.arguments).decode()
            function = {"name": item.name, "arguments": arguments}
            call = {"index": calls, "id": item.tool_call_id, "type": "function", "function": function}
            steps.append(_sent({"tool_calls": [call]}, None))
            calls += 1
        else:
            steps.append(_sent({"content": item}, None))
    if planned.end in ("stop", "length"):
        finish = "length" if planned.end == "length" else "tool_calls" if calls else "stop"
        return testing.Answer([*steps, _sent({}, finish), wire.Send(wire.chunk(b"data: [DONE]\n\n") + wire.chunk(b""))])
    last: dict[str, wire.Step] = {
        "stall": wire.Stall(),
        "closed": wire.Close(),
        "reset": wire.Reset(),
        "raises": wire.Reset(),
    }
    cut = wire.Send(b"5\r\nda")
    steps += [cut] if planned.end == "cut" else []
    return testing.Answer([*steps, last.get(planned.end, wire.Close())])


def _sent(delta: dict[str, Any], finish: str | None) -> wire.Send:
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "wired"}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return wire.Send(wire.chunk(b"data: " + msgspec.json.encode({**frame, "choices": [choice]}) + b"\n\n"))


# ---- for the tools that ask


def _inner(request: ModelRequest) -> Script:
    seconds, name = request.messages[-1].text.split(" ", 1)
    return testing.ScriptedModel()._script(testing.says("in", float(seconds), StreamEvent("text", f"ner {name}")))


SCRIPT = dict(zip(("sync", "async"), script_pair("script", _play), strict=True))
INNER = dict(zip(("sync", "async"), script_pair("inner", _inner), strict=True))
PYTHON = {
    ("async", "async"): AsyncSpeaks(),
    ("async", "sync"): AsyncInSyncDress(),
    ("sync", "sync"): SyncSpeaks(),
    ("sync", "async"): SyncInAsyncDress(),
}


def model_of(kind: str, dress: str, pair: Any) -> Any:
    """The model of a conversation."""
    if kind == "script":
        return SCRIPT[dress]
    if kind == "wire":
        return pair.async_model if dress == "async" else pair.model
    return PYTHON[kind, dress]
