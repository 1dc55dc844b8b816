"""Turns the parts of Gemini's answer into items, and keeps its function calls.

    above it   gemini_answer.py
    below it   messages

A part with a thought signature goes back as a part of its own, in its place (https://ai.google.dev/gemini-api/docs/thought-signatures:
neither two signed parts nor a signed and an unsigned one are joined), so part indices keep them apart here. They count as the Assembler
does: a plain chunk of text behind something else begins the next part.
"""

import hashlib
from typing import Any

import msgspec

from llm_actors.errors import ProtocolError
from llm_actors.messages import Item, StreamEvent, ToolCall
from llm_actors.messages.assembly import parse_arguments

from .error_words import blank_keys

_FRAME = 256
_ENCODER = msgspec.json.Encoder(order="deterministic")
# A tool that Google runs: the part's field, and the field of its result. https://ai.google.dev/api/caching#Part
_SERVER_CALLS = ("executableCode", "toolCall")
_SERVER_RESULTS = ("codeExecutionResult", "toolResponse")


class Parts:
    """The parts of one answer. `seed` makes the ids of calls that came without (Gemini 2.5 and before give none)."""

    def __init__(self, provider: str, seed: str) -> None:
        self.seen = False
        """A part with something in it has come."""
        self.thought = False
        """Thinking was shown, or said to have happened."""
        self._provider = provider
        self._seed = seed
        self._index = -1
        self._family = ""
        self._sealed = False  # signed: nothing more may join the last part
        self._calls: list[_Call] = []
        self._pending: _Call | None = None
        self._code_id = ""

    def take(self, part: dict[str, Any], items: list[Item]) -> None:
        """Adds the items that this part makes. Raises `ProtocolError` for a call that is none."""
        call = part.get("functionCall")
        if isinstance(call, dict):
            self._call(call, part.get("thoughtSignature"), items)
            return
        self.flush(items)
        if isinstance(part.get("text"), str):
            self._text(part, part["text"], items)
        elif part:
            self._other(part, items)

    def flush(self, items: list[Item]) -> None:
        """Gives the arguments of the last call, which a part without a name might still have added to."""
        call, self._pending = self._pending, None
        if call is not None:
            items.append(
                StreamEvent(
                    "tool_call_args",
                    _ENCODER.encode(call.arguments).decode(),
                    part_index=call.index,
                    tool_call_id=call.id,
                    provider_metadata={self._provider: call.metadata} if call.metadata else None,
                )
            )

    def hidden_thinking(self, items: list[Item]) -> None:
        """Tokens were spent on thinking that is not shown: an empty, redacted event says so, as the peer's."""
        if not self.thought:
            self.thought = True
            items.append(StreamEvent("reasoning", part_index=self._next("reasoning", sealed=True), redacted=True))

    def result(self, *, cut: bool) -> tuple[list[ToolCall], list[ToolCall]]:
        """The calls, and those that are cut. `cut`: the answer ended early; then a last call without arguments may lack some."""
        calls = [ToolCall(call.name, call.arguments, call.id) for call in self._calls]
        if cut and calls and not calls[-1].arguments and self._family == "call":
            return calls[:-1], calls[-1:]
        return calls, []

    def _text(self, part: dict[str, Any], text: str, items: list[Item]) -> None:
        thought, signature = part.get("thought") is True, part.get("thoughtSignature")
        self.seen |= bool(text)
        self.thought |= thought
        if not text:
            if signature:  # a part of its own, kept where no text is: `thought` tells what it was
                self._kept({"thoughtSignature": signature, "thought": thought}, items)
            return
        family = "reasoning" if thought else "text"
        joins = self._family == family and not self._sealed and not signature
        begins = self._family != family
        index = self._index if joins else self._next(family, sealed=bool(signature))
        if family == "text" and not signature and (joins or begins):
            items.append(text)
            return
        metadata = {self._provider: {"thoughtSignature": signature}} if signature else None
        items.append(StreamEvent(family, text, part_index=index, provider_metadata=metadata))

    def _call(self, call: dict[str, Any], signature: Any, items: list[Item]) -> None:
        self.seen = True
        name, arguments = call.get("name"), call.get("args")
        if isinstance(arguments, str):
            arguments = parse_arguments(arguments)
        if "partialArgs" in call or not isinstance(arguments, dict | None):
            msg = f"{self._provider} sent a function call whose arguments are no whole object"
            raise ProtocolError(msg, frame=_frame(call))
        if not name or not isinstance(name, str):
            # Some gateways send a name with empty arguments, then a part without a name that has them:
            # smallmain/vscode-unify-chat-provider#48.
            if self._pending is None:
                msg = f"{self._provider} sent a function call without a name"
                raise ProtocolError(msg, frame=_frame(call))
            self._pending.arguments.update(arguments or {})
            if signature:
                self._pending.metadata.setdefault("thoughtSignature", signature)
            return
        self.flush(items)
        given = call.get("id")
        own = isinstance(given, str) and bool(given) and all(given != before.id for before in self._calls)
        metadata = {"thoughtSignature": signature} if signature else {}
        if own:
            metadata["id"] = True  # it goes back with the call and with its result
        self._pending = _Call(
            given if own and isinstance(given, str) else self._make_id(),
            name,
            dict(arguments or {}),
            self._next("call", sealed=True),
            metadata,
        )
        self._calls.append(self._pending)
        items.append(StreamEvent("tool_call_name", name, part_index=self._pending.index, tool_call_id=self._pending.id))

    def _other(self, part: dict[str, Any], items: list[Item]) -> None:
        """What the provider did by itself, as calls and results that nobody here executes; what we do not know, as it is."""
        self.seen = True
        for field in _SERVER_CALLS:
            if isinstance(part.get(field), dict):
                self._server_call(field, part, items)
                return
        for field in _SERVER_RESULTS:
            if isinstance(part.get(field), dict):
                self._server_result(field, part, items)
                return
        self._kept({"part": part}, items)

    def _server_call(self, field: str, part: dict[str, Any], items: list[Item]) -> None:
        call = part[field]
        given = call.get("id")
        self._code_id = call_id = given if isinstance(given, str) and given else self._make_id()
        index = self._next("server", sealed=True)
        more: dict[str, Any] = {"part_index": index, "tool_call_id": call_id, "server_executed": True}
        arguments = call.get("args", {}) if field == "toolCall" else {name: call[name] for name in call if name != "id"}
        items.append(StreamEvent("tool_call_name", _server_name(call), **more))
        items.append(
            StreamEvent(
                "tool_call_args",
                _ENCODER.encode(arguments).decode(),
                provider_metadata={self._provider: {"part": part}},
                **more,
            )
        )

    def _server_result(self, field: str, part: dict[str, Any], items: list[Item]) -> None:
        result = part[field]
        output = result.get("output", "") if field == "codeExecutionResult" else result.get("response")
        given = result.get("id")
        items.append(
            StreamEvent(
                "tool_result",
                output if isinstance(output, str) else _ENCODER.encode(output).decode(),
                part_index=self._next("server", sealed=True),
                tool_call_id=given if isinstance(given, str) and given else self._code_id or None,
                server_executed=True,
                tool_name=_server_name(result),
                provider_metadata={self._provider: {"part": part}},
            )
        )

    def _kept(self, metadata: dict[str, Any], items: list[Item]) -> None:
        index = self._next("kept", sealed=True)
        items.append(StreamEvent("reasoning", part_index=index, provider_metadata={self._provider: metadata}))

    def _next(self, family: str, *, sealed: bool = False) -> int:
        self._index += 1
        self._family, self._sealed = family, sealed
        return self._index

    def _make_id(self) -> str:
        """`tc_` and 26 characters, as the peer's; from a hash, as a codec has no randomness of its own."""
        return f"tc_{hashlib.sha256(f'{self._seed}:{self._index}'.encode()).hexdigest()[:26]}"


class _Call:
    __slots__ = ("arguments", "id", "index", "metadata", "name")

    def __init__(
        self, call_id: str, name: str, arguments: dict[str, Any], index: int, metadata: dict[str, Any]
    ) -> None:
        self.id = call_id
        self.name = name
        self.arguments = arguments
        self.index = index
        self.metadata = metadata


def _frame(call: dict[str, Any]) -> bytes:
    return blank_keys(_ENCODER.encode(call)[:_FRAME].decode("utf-8", "replace")).encode()


def _server_name(call: dict[str, Any]) -> str:
    kind = call.get("toolType")
    return kind.lower() if isinstance(kind, str) and kind else "code_execution"
