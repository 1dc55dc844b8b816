"""What was said in one conversation: append-only, shared by its forks, valid at every moment.

    Entry      one thing that happened, linked to the one before it: forks share all they have in common
    History    a head; appending makes a new head, `fork()` copies one pointer
    repair()   makes any list of messages valid for every provider: it is the only way out of here

Entries are what the journal stores, in the order they happened: the prompt before the call, the answer before it is acknowledged, each tool
result as it comes. Messages are what a model reads, and they are made from the entries when asked. Between the answer that asks for tools
and the last result the entries alone would be invalid (C2), so the view answers an open call with a result marked `pending`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from llm_actors.errors import DeadlineExceededError, LoopClosedError, ResponseCancelledError
from llm_actors.messages import Message, Prompt, ToolCall, ToolCallPart, ToolResult, ToolResultPart
from llm_actors.messages.parts import AttachmentPart, TextPart

from .history_entries import Answered, CallRecord, Interruption, Said
from .history_links import lean
from .history_parts import distinct, is_text, placed

__all__ = ["Answered", "CallRecord", "Interruption", "Said"]  # handed on; what else there is stands below

OWN_METADATA = "llm_actors"
"""The key of our own marks in `provider_metadata`; no provider is sent it."""

NOT_EXECUTED = "NotExecuted"
"""The `exception` of a result that stands for a call which was never run."""


class Returned(msgspec.Struct, frozen=True, tag="returned", gc=False):
    """The result of one tool call. Its attachments go to the model as a user message behind the results."""

    turn: str
    part: ToolResultPart


class Withdrawn(msgspec.Struct, frozen=True, tag="withdrawn"):
    """The turn ended before anything came of it: its messages don't count. The next prompt finds the history as it was.

    The alternative, leaving the unanswered prompt in, would send it twice when the caller tries again.
    """

    turn: str


class Replaced(msgspec.Struct, frozen=True, tag="replaced", omit_defaults=True):
    """The history begins anew with these: `messages=` was given, or (turn `""`) it was replaced from outside of a turn.

    `compacted`: they say the same as what they stand for, in short.
    """

    turn: str
    messages: tuple[Message, ...]
    compacted: bool = False


Entry: TypeAlias = Said | Answered | Returned | Withdrawn | Replaced


class Link(msgspec.Struct, frozen=True):
    """One entry, and all before it."""

    before: Any  # another, or a lean one
    entry: Entry


class Recorded(NamedTuple):
    """A complete model call, with the history before it and right after it."""

    answered: Answered
    before: History
    after: History


class Seen(NamedTuple):
    """What `History.latest()` found at this link: nobody walks back further than to here, however long ago it was said."""

    link: Any
    latest: tuple[Any, ...]  # links, newest first
    system: str


STEPS = 8
"""Links that it walks before it notes what it found: a short history notes nothing."""


class History:
    """The entries of one conversation. Its loop only, but for `fork()` and reading, which any thread may do."""

    __slots__ = ("_seen", "head")

    def __init__(self, head: Link | None = None, seen: Seen | None = None) -> None:
        self.head = head
        self._seen = seen

    def append(self, entry: Entry) -> None:
        """Adds one entry. O(1)."""
        self.head = lean(self.head, entry) or Link(self.head, entry)

    def fork(self) -> History:
        """A history with the same past and a future of its own. O(1): the past is shared."""
        return History(self.head, self._seen)

    def entries(self) -> list[Entry]:
        """All that counts, oldest first: from the last `Replaced` on, without withdrawn turns."""
        return [entry for _, entry in self._links()]

    def _links(self, *, through_compactions: bool = False) -> list[tuple[Link, Entry]]:
        found: list[tuple[Link, Entry]] = []
        withdrawn: set[str] = set()
        link = self.head
        while link is not None:
            entry = link.entry
            if type(entry) is Withdrawn:
                withdrawn.add(entry.turn)
            elif entry.turn not in withdrawn:
                found.append((link, entry))  # a link may make it anew at each look
                if type(entry) is Replaced and not (through_compactions and entry.compacted):
                    break
            link = link.before
        found.reverse()
        return found

    def messages(self) -> list[Message]:
        """The conversation as a model may read it: valid for every provider, at every moment (C2)."""
        return repair(raw_messages(self.entries()))

    def found_by(self, prompt: Prompt) -> tuple[list[ToolCall], str]:
        """What a turn finds: the calls that are open once the prompt's results are given, and the system prompt in force.

        With `messages=` these count, not what was said before.
        """
        given, said = prompt.given_messages, prompt.tool_results
        results = [Message("tool", [result_part(result) for result in said])] if said else []
        if given is not None:
            return open_calls([*given, *results]), _system_in(given) or ""
        entries, system = self.latest()
        return open_calls([*raw_messages(entries), *results]) if entries or results else [], system

    def latest(self) -> tuple[list[Entry], str]:
        """What counts from the latest answer on, and the system prompt in force. Walks each link a few times in its life."""
        seen = self._seen
        found: list[Any] = []
        withdrawn: set[str] = set()
        system: str | None = None
        answered, steps, link = False, 0, self.head
        while link is not None and (system is None or not answered):
            if seen is not None and link is seen.link:
                found += () if answered else seen.latest
                system = seen.system if system is None else system
                break
            steps += 1
            entry = link.entry
            if type(entry) is Withdrawn:
                withdrawn.add(entry.turn)
            elif entry.turn not in withdrawn:
                if not answered:
                    found.append(link)
                messages = (entry.message,) if type(entry) is Said else getattr(entry, "messages", ())
                system = _system_in(messages) if system is None else system
                if type(entry) is Replaced:
                    break
                answered = answered or (type(entry) is Answered and any(one.role != "tool" for one in messages))
            link = link.before
        if steps > STEPS:
            self._seen = Seen(self.head, tuple(found), system or "")
        return [link.entry for link in reversed(found)], system or ""

    def records(self, turn: str | None = None) -> list[Recorded]:
        """Each complete model call (of one turn), in the order of the turns, those before a compaction too. O(n): the past is shared."""
        return [
            Recorded(entry, History(link.before), History(link))
            for link, entry in self._links(through_compactions=True)
            if type(entry) is Answered and entry.interrupted is None and turn in (None, entry.turn)
        ]

    def asked(self, turn: str) -> tuple[list[Message], list[ToolResultPart]]:
        """What the next model call of this turn was asked: what was said since its last answer, and the results in call order."""
        said: list[Message] = []
        results: list[ToolResultPart] = []
        link = self.head
        while link is not None and link.entry.turn == turn:
            entry = link.entry
            if type(entry) is Said:
                said.insert(0, entry.message)
            elif type(entry) is Returned:
                results.insert(0, entry.part)
            elif not (type(entry) is Replaced and entry.compacted):
                break
            link = link.before
        calls = link.entry.messages if link is not None and isinstance(link.entry, Answered | Replaced) else ()
        return said, [part for part in _in_call_order([*calls], results) if part.exception != NOT_EXECUTED]

    def __bool__(self) -> bool:
        return self.head is not None

    def __repr__(self) -> str:
        return f"<History of {len(self.entries())} entries>"


def _system_in(messages: Sequence[Message]) -> str | None:
    found = None
    for message in messages:
        if message.role == "system":
            found = message.text
    return found


def raw_messages(entries: Iterable[Entry]) -> list[Message]:
    """The messages of the entries as they are: results in one tool message behind their calls, in call order; files behind it."""
    messages: list[Message] = []
    results: list[ToolResultPart] = []

    def flush() -> None:
        if results:
            messages.extend(_result_messages(_in_call_order(messages, results)))
            results.clear()

    for entry in entries:
        if type(entry) is Returned:
            results.append(entry.part)
            continue
        if results:
            flush()
        if type(entry) is Said:
            messages.append(entry.message)
        elif type(entry) is Answered or type(entry) is Replaced:
            messages.extend(entry.messages)
    flush()
    return messages


def _in_call_order(messages: list[Message], results: list[ToolResultPart]) -> list[ToolResultPart]:
    order = {
        part.tool_call_id: place
        for message in messages[-8:]
        for place, part in enumerate(message.parts)
        if type(part) is ToolCallPart
    }
    return sorted(results, key=lambda result: order.get(result.tool_call_id, len(order)))


def _result_messages(results: list[ToolResultPart]) -> Iterator[Message]:
    yield Message("tool", [msgspec.structs.replace(part, attachments=[]) for part in results])
    files = [AttachmentPart(attachment) for part in results for attachment in part.attachments]
    if files:
        yield Message("user", [*files])


def repair(messages: Iterable[Message]) -> list[Message]:
    """The same conversation, valid for every provider.

    Each call that the provider did not run itself has an id of its own and exactly one result of the same name, directly behind its
    assistant message; results without a call, second results, empty texts and empty messages are gone. An open call gets a result marked
    `pending`: see `open_calls()`. What the wire of one provider alone asks for (who may begin, who may follow whom, blank texts) its codec
    sees to: tests/strict says what.
    """
    said = list(messages)
    if all(map(is_text, said)):
        return said
    source = list(placed(said))
    valid: list[Message] = []
    place = 0
    while place < len(source):
        message = source[place]
        place += 1
        if message.role == "tool":  # results that no call directly before them asked for
            continue
        valid.append(message)
        calls = _client_calls(message)
        if not calls:
            continue
        given: list[ToolResultPart] = []
        files: list[Message] = []
        while place < len(source) and (source[place].role == "tool" or _stand_between(source, place)):
            behind = source[place]
            place += 1
            if behind.role == "user":
                files.append(behind)
            given.extend(part for part in behind.parts if type(part) is ToolResultPart and not is_pending(part))
        valid.append(Message("tool", [*_match(calls, given)]))
        valid.extend(files)
    return distinct(valid)


def _client_calls(message: Message) -> list[ToolCallPart]:
    if message.role != "assistant":
        return []
    return [part for part in message.parts if type(part) is ToolCallPart and not part.server_executed]


def _match(calls: list[ToolCallPart], given: list[ToolResultPart]) -> Iterator[ToolResultPart]:
    """One result for each call: by id, else by name one for one (calls of files written without ids)."""
    left = list(given)
    for call in calls:
        found = next((r for r in left if r.tool_call_id == call.tool_call_id and r.name in ("", call.name)), None)
        if found is None and call.tool_call_id is not None:
            found = next((r for r in left if r.tool_call_id == call.tool_call_id), None)
        if found is None:
            found = next((r for r in left if r.tool_call_id is None and r.name == call.name), None)
        if found is None:
            yield pending_result(call)
        else:
            left.remove(found)
            known = (found.tool_call_id, found.name) == (call.tool_call_id, call.name)
            yield found if known else msgspec.structs.replace(found, tool_call_id=call.tool_call_id, name=call.name)


def pending_result(call: ToolCallPart) -> ToolResultPart:
    """The result that stands for a call which has not been run, or not yet."""
    return ToolResultPart(
        call.name,
        "This call has not been executed.",
        call.tool_call_id,
        provider_metadata={OWN_METADATA: {"pending": True}},
    )


def not_run(call: ToolCall, why: str) -> ToolResultPart:
    """The result of a call that was never run, or whose outcome nobody waited for."""
    return ToolResultPart(call.name, f"No result: {why}.", call.tool_call_id, exception=NOT_EXECUTED)


def is_pending(part: ToolResultPart) -> bool:
    """Whether this result only stands for a call that has not been run."""
    return bool(part.provider_metadata and part.provider_metadata.get(OWN_METADATA, {}).get("pending"))


def open_calls(messages: list[Message]) -> list[ToolCall]:
    """The calls at the end of a conversation that nobody has answered: those a chain without a new prompt runs first."""
    tail = list(placed(messages))
    results: list[ToolResultPart] = []
    while tail and (tail[-1].role == "tool" or _are_files(tail, len(tail) - 1)):
        results[:0] = [part for part in tail.pop().parts if type(part) is ToolResultPart and not is_pending(part)]
    if not tail:
        return []
    calls = _client_calls(tail[-1])
    matched = list(_match(calls, results))
    return [
        ToolCall(call.name, call.arguments, call.tool_call_id)
        for call, result in zip(calls, matched, strict=True)
        if is_pending(result)
    ]


def _are_files(messages: list[Message], place: int) -> bool:
    """Whether this message is what `_result_messages()` puts behind results: files, and nothing said."""
    message = messages[place]
    behind = place > 0 and messages[place - 1].role == "tool"
    return behind and message.role == "user" and all(type(part) is AttachmentPart for part in message.parts)


def _stand_between(messages: list[Message], place: int) -> bool:
    """Whether these are files of results with more results behind them: a pause was resumed after it had been written down."""
    return place + 1 < len(messages) and messages[place + 1].role == "tool" and _are_files(messages, place)


def result_part(result: ToolResult) -> ToolResultPart:
    """A tool's result as the part that is kept: an exception as `"ValueError: text"`."""
    error = result.exception
    return ToolResultPart(
        result.name,
        result.output,
        result.tool_call_id,
        exception=f"{type(error).__name__}: {error}" if error is not None else None,
        attachments=list(result.attachments),
    )


def interruption_of(error: BaseException | None) -> Interruption:
    """What kind of end this error is."""
    if isinstance(error, ResponseCancelledError):
        return "cancelled"
    if isinstance(error, DeadlineExceededError):
        return "deadline"
    return "loop closed" if isinstance(error, LoopClosedError) else "failed"


def interrupted_messages(messages: Iterable[Message], reason: Interruption) -> tuple[Message, ...]:
    """What had arrived of an answer, as it is kept: its text, marked. Nothing of a message whose text is blank: nothing was said.

    Calls that were still streaming are dropped, and so is reasoning: a provider rejects a signature whose block is not whole (Anthropic,
    wire notes section 4).
    """
    kept: list[Message] = []
    for message in messages:
        parts = [part for part in message.parts if type(part) is TextPart and part.text]
        if any(not part.text.isspace() for part in parts):
            kept.append(Message(message.role, [*parts], {OWN_METADATA: {"interrupted": reason}}))
    return tuple(kept)
