"""Plays answers of script.py over a connection of any kind: the sockets of serving.py, the memory of memory.py.

Stage     what all connections of a server share: the script, the gates, what was recorded
Player    one request's answer, step by step; how bytes go out and a connection ends is its connection's business
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from types import ModuleType
from typing import Protocol

import msgspec

from . import wire_anthropic, wire_gemini, wire_ollama, wire_openai, wire_responses
from .script import Answer, Close, Gate, Recorded, Reset, Send, Setting, Speak, Stall, Step, Trickle, Wait, chunk, head

_WIRES = {"/chat/completions": wire_openai, "/responses": wire_responses, "/api/chat": wire_ollama}
"""Who answers without a script, by the end of the path."""
_GEMINI = re.compile(r"/v1beta/models(?:$|\?)|/models/[^?]*:(?:stream)?[gG]enerateContent")


class Wire(Protocol):
    """The way back to the client."""

    async def write(self, data: bytes) -> None:
        """Sends bytes; returns when more may follow."""

    def end(self, *, reset: bool) -> None:
        """Closes the connection behind what was written, or breaks it."""

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        ...


class Stage:
    """What all connections share."""

    def __init__(self, rule: Callable[[Recorded], Answer] | None = None) -> None:
        self._rule = rule
        self.setting = Setting(None, 0.0)
        self.script: list[list[Answer | int]] = []
        self.recorded: list[Recorded] = []
        self.answers_made = 0
        self._gates: dict[str, asyncio.Event] = {}

    def gate(self, name: str) -> asyncio.Event:
        """The gate of this name, made at first mention."""
        return self._gates.setdefault(name, asyncio.Event())

    def play(self, answers: list[Answer]) -> None:
        """Adds answers to those not played yet."""
        self.script += [[answer, answer.times] for answer in answers]

    def forget(self) -> None:
        """Drops the answers not played yet, and the requests that are over."""
        self.script.clear()
        self.recorded = [request for request in self.recorded if request.open]

    def next_answer(self, request: Recorded) -> Answer:
        """The first answer left that fits, else what the rule says, else the default."""
        for entry in self.script:
            answer, left = entry
            assert isinstance(answer, Answer)
            assert isinstance(left, int)
            if (answer.path or "") in request.path and (answer.body or "").encode() in request.body:
                entry[1] = left - 1
                if left == 1:
                    self.script.remove(entry)
                return answer
        return Answer([Speak()]) if self._rule is None else self._rule(request)


class Player:
    """Plays one answer to one request."""

    def __init__(self, stage: Stage, wire: Wire, request: Recorded) -> None:
        self._stage = stage
        self._wire = wire
        self._request = request

    async def play(self, answer: Answer) -> None:
        """Step by step, to its end or that of the connection."""
        for step in answer.steps:
            await self._do(step)
            if self._wire.is_closing():
                return

    async def _do(self, step: Step) -> None:
        if isinstance(step, Send):
            await self._send(step)
        elif isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Gate):
            await self._stage.gate(step.name).wait()
        elif isinstance(step, Trickle):
            await self._trickle(step)
        elif isinstance(step, Speak):
            await self._speak(self._stage.setting.pace if step.pace is None else step.pace)
        elif isinstance(step, Close | Reset):
            self._wire.end(reset=isinstance(step, Reset))
        else:
            assert isinstance(step, Stall)
            await asyncio.Event().wait()

    async def _write(self, data: bytes) -> None:
        self._request.sent += len(data)
        await self._wire.write(data)

    async def _send(self, step: Send) -> None:
        size = step.each or len(step.data) or 1
        for start in range(0, len(step.data), size):
            if start:
                await asyncio.sleep(step.pace)
            await self._write(step.data[start : start + size])

    async def _trickle(self, step: Trickle) -> None:
        count = 0
        while step.times is None or count < step.times:
            await asyncio.sleep(step.every)
            await self._write(step.data)
            count += 1

    async def _speak(self, pace: float) -> None:
        self._stage.answers_made += 1
        number = self._stage.answers_made
        headers = {"x-request-id": f"req_{number}"}
        if "anthropic-version" in self._request.headers:
            await self._speak_anthropic(pace, number)
            return
        if _GEMINI.search(self._request.path):
            await self._speak_gemini(pace, number)
            return
        try:
            heard = self._listen()
            if heard is None:
                await self._json(200, wire_openai.model_list(), headers)
                return
            wire, body = heard
            if not body.get("stream", wire.STREAMS):
                await self._json(200, wire.whole(body, number), headers)
            else:
                chunks = wire.streamed(body, number)
                await self._write(head(content_type=wire.CONTENT_TYPE, headers=headers))
                for data in chunks:
                    if pace:
                        await asyncio.sleep(pace)
                    await self._write(chunk(data))
                await self._write(chunk(b""))
        except wire_openai.Refusal as refusal:
            await self._json(refusal.status, msgspec.json.encode(refusal.body), headers)

    async def _speak_anthropic(self, pace: float, number: int) -> None:
        headers = {"request-id": f"req_{number}"}
        try:
            body = wire_anthropic.listen(self._request, self._stage.setting.key)
            if body is None:
                await self._json(200, wire_anthropic.model_list(), headers)
            elif not body.get("stream"):
                await self._json(200, wire_anthropic.whole(body, number), headers)
            else:
                await self._write(head(headers=headers))
                for data in wire_anthropic.streamed(body, number):
                    if pace:
                        await asyncio.sleep(pace)
                    await self._write(chunk(data))
                await self._write(chunk(b""))
        except wire_anthropic.Refusal as refusal:
            await self._json(refusal.status, msgspec.json.encode(refusal.body), headers)

    async def _speak_gemini(self, pace: float, number: int) -> None:
        request, key = self._request, self._stage.setting.key
        path, _, query = request.path.partition("?")
        try:
            wire_gemini.check_key(key, request.headers.get("x-goog-api-key", ""))
            if request.method == "GET":
                await self._json(200, wire_gemini.model_list(), {})
                return
            body = wire_gemini.decode(request.body)
            model = path.rpartition("/")[2].partition(":")[0]
            if "streamGenerateContent" not in path or "alt=sse" not in query:
                await self._json(200, wire_gemini.whole(body, model, number), {})
                return
            await self._write(head())
            for data in wire_gemini.streamed(body, model, number):
                if pace:
                    await asyncio.sleep(pace)
                await self._write(chunk(data))
            await self._write(chunk(b""))
        except wire_gemini.Refusal as refusal:
            await self._json(refusal.status, msgspec.json.encode(refusal.body), {})

    def _listen(self) -> tuple[ModuleType, dict[str, object]] | None:
        request, key = self._request, self._stage.setting.key
        path = request.path.partition("?")[0]
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if key is not None and sent != key:
            text = f"Incorrect API key provided: {sent}." if sent else "You didn't provide an API key."
            raise wire_openai.Refusal(401, text, "invalid_api_key")
        if request.method == "GET" and path.endswith("/models"):
            return None
        for ending, wire in _WIRES.items() if request.method == "POST" else ():
            if path.endswith(ending):
                return wire, wire.decode(request.body)
        raise wire_openai.Refusal(404, f"Invalid URL ({request.method} {path})")

    async def _json(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        await self._write(head(status, content_type="application/json", headers=headers, length=len(body)) + body)
