"""The promises of DESIGN, section 1, as checks of a running program: after each turn of the loop, at each model call, at the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import llm_actors as llm
from llm_actors.chat.history import Answered, Replaced, Returned, Said
from llm_actors.loop_engine import LoopEngine

from .answers import END, WORD
from .excuses import is_excused

if TYPE_CHECKING:
    from .seen import Reader, Seen, Talking
    from .world import World

PATIENCE = 5.5
"""Seconds by which the end of a turn may be later than its deadline: what it started has to end first."""
HOLD = 0.051
"""Seconds by which callbacks may hold up the readers."""


# ---- after each turn of the loop


def check_turn(world: World) -> None:
    """What holds at every moment."""
    if world.failure is not None:
        raise world.failure
    for talking in world.talks:
        head = talking.conversation._history.head
        if head is not talking.head:
            talking.head = head
            check_history(world, talking)
        for seen in talking.sent:
            if seen.silent is not None and len(seen.log) != seen.silent[0]:
                world.broken("C5", f"an event of {seen} came after its cancel had returned")


def check_history(world: World, talking: Talking) -> None:
    """C2: valid for a provider as it is read, and each call with one result as it is kept. C5: nothing new of what is cancelled."""
    fault = fault_of(talking.conversation.messages())
    if fault:
        world.broken("C2", f"the history of {talking} is not valid: {fault}")
    called: set[Any] = set()
    returned: set[Any] = set()
    for entry in talking.conversation._history.entries():
        if isinstance(entry, Answered | Replaced):
            called |= {
                part.tool_call_id
                for message in entry.messages
                for part in message.parts
                if isinstance(part, llm.ToolCallPart)
            }
        elif isinstance(entry, Returned):
            call = entry.part.tool_call_id
            # A fork may have given up a call that the conversation has had run, or has compacted away; merged, its result is kept as well,
            # and what is shown, checked above, has each once.
            if not talking.merged and (call in returned or call not in called):
                world.broken("C2", f"the result of {call} was kept twice, or without its call, in {talking}")
            returned.add(call)
            if "late result" in entry.part.output:
                world.broken("T3", f"{call} had a result long after its timeout")
    for seen in talking.sent:
        if seen.silent is not None and seen.entries() != seen.silent[1]:
            world.broken("C5", f"an entry of {seen} was kept after its cancel had returned")


def fault_of(messages: list[Any]) -> str | None:
    """What a strict provider would refuse in these messages; written without a look at the library's own repair."""
    due: list[Any] = []
    for place, message in enumerate(messages):
        if due and message.role != "tool":
            return f"no result of {due} before message {place}"
        if message.role == "tool":
            for part in message.parts:
                if part.tool_call_id not in due:
                    return f"a result of {part.tool_call_id}, which was not called, in message {place}"
                due.remove(part.tool_call_id)
            if due:
                return f"no result of {due} in message {place}"
        elif message.role == "assistant":
            due = [part.tool_call_id for part in message.parts if isinstance(part, llm.ToolCallPart)]
            if len(set(due)) != len(due):
                return f"two calls of one id in message {place}"
        if not message.parts or any(isinstance(part, llm.TextPart) and not part.text for part in message.parts):
            return f"message {place} says nothing"
    return f"no result of {due} at the end" if due else None


# ---- at each call of a model, start of a turn, start of a tool


def check_request(world: World, seen: Seen, messages: list[Any]) -> None:
    """C1: a prompt sees all that was answered before it, once, and nothing else that is under way. C2: the request is valid."""
    if seen.talking.talk.model != "wire" and (fault := fault_of(messages)):
        world.broken("C2", f"the request for {seen} is not valid: {fault}")
    if any(talking.merged and seen.name in talking.others for talking in world.talks):
        return  # whose request it is, its last words do not tell
    if seen.silent is not None and not _goes_on(seen):
        world.broken("C5", f"a model was called for {seen} after its cancel had returned")
    asked = [message.text for message in messages if message.role == "user"]
    said = {name for message in messages if message.role == "assistant" for name, _ in END.findall(message.text)}
    if asked.count(seen.name) != 1:
        world.broken("C1", f"the request for {seen} has its prompt {asked.count(seen.name)} times")
    strange = {name for name in asked if name in world.by_name and world.by_name[name].talking is not seen.talking}
    if strange - seen.talking.others:
        world.broken("C1", f"the request for {seen} has prompts of other conversations: {sorted(strange)}")
    if seen.talking.past - set(asked) and not seen.talking.talk.compacts and not seen.talking.merged:
        world.broken("C1", f"the request for {seen} does not have its past: {sorted(seen.talking.past - set(asked))}")
    if seen.sealed or seen.kind == "steer":
        return
    for other in seen.talking.sent:
        if other is seen or other.kind in ("steer", "resume") or other.number > seen.number:
            continue
        if not other.sealed and other.name not in asked:
            world.broken("C1", f"{seen} is answered before {other}, which was sent before it")
        if seen.talking.talk.compacts or seen.talking.merged:
            continue
        if other.sealed and other.error is None and (other.name not in asked or not _answer_in(other, said)):
            world.broken("C1", f"the request for {seen} does not have {other}, which was answered before it")


def _answer_in(other: Seen, said: set[str]) -> bool:
    return other.name in said or any(end != "stop" for end in other.answer.faults()) or _joined(other)


def _joined(seen: Seen) -> bool:
    return seen.talking.talk.when_busy == "coalesce" or any(one.kind == "steer" for one in seen.talking.sent)


def _goes_on(seen: Seen) -> bool:
    """Whether others may rightly work on its prompt after its end: whoever resumes, or shares the turn with it."""
    return seen.talking.talk.when_busy == "coalesce" or any(one.kind == "resume" for one in seen.talking.sent)


def check_order(world: World, conversation: str, responses: list[str]) -> None:
    """C1: turns begin in the order in which their prompts were sent."""
    for response in responses:
        seen = world.by_id.get(response)
        if seen is None or seen.kind == "steer":
            continue
        started = seen.talking.started
        if any(seen.number < other.number for other in started):
            world.broken("C1", f"{seen} begins after {started[-1]}, which was sent after it")
        started.append(seen)


def check_start(world: World, call: str, *, again: bool) -> None:
    """T2, T3: each call is run once, no more at a time than the bound; C5: none of a turn that was cancelled."""
    seen = world.by_name[call.split(".", 1)[0]]
    if world.ran[call] > 1 and not again and not seen.talking.forks and not seen.talking.others:
        world.broken("T2", f"the call {call} was run {world.ran[call]} times")
    if seen.silent is not None and not _goes_on(seen):
        world.broken("C5", f"the call {call} of {seen} began after its cancel had returned")
    jobs = [job for job in world.running.values() if job is not None and not job.told]
    waits = any("asks" in tool for talking in world.talks for tool in talking.talk.tools)
    if len(jobs) > world.program.workers and not waits:
        world.broken("T2", f"{len(jobs)} calls run at once, the bound is {world.program.workers}")


# ---- at the end


def check_end(world: World) -> None:
    """When all is done: every response ended once, as it may; readers and callbacks had what is theirs; nothing is left."""
    check_turn(world)
    for seen in world.seen:
        _check_response(world, seen)
        _check_stream(world, seen)
    for reader in world.readers:
        _check_reader(world, reader)
    for subscriber in world.subscribers:
        events = [(event.number, event.type, event.chunk) for event in subscriber.events]
        wanted = _events(subscriber.seen)
        if world.program.ends is not None:  # it died with the loop
            wanted = wanted[: len(events)]
        if events != wanted:
            world.broken("C4", f"a subscriber of {subscriber.seen} got {events}, it had {wanted}")
    for talking in world.talks:
        _check_talk(world, talking)
    loop = world.simulation.virtual
    left = [task for task in asyncio.all_tasks(loop) if not task.done()] if loop.is_closed() else []
    if left:
        world.broken("S1", f"the loop has ended, and left {left}")


def _check_response(world: World, seen: Seen) -> None:
    if seen in seen.talking.unposted():  # written down where there was no loop, and nobody has waited for it
        return
    if world.program.ends is not None:
        seen.log.over()  # who looks at it first, after its loop has ended, ends it
    if not seen.released or seen.count.seals != 1:
        world.broken("A3", f"{seen} has not ended")
    error = seen.error
    if not is_excused(world, seen, error):
        world.broken("C3", f"{seen} ended with {error!r}, for which there is no reason")
    text = seen.log.text_so_far()
    last = seen.log.records[-1].stop_reason if seen.log.records else None
    if error is None and last != "length" and not END.search(text[-40:]):
        world.broken("C3", f"{seen} was handed out as complete, and is not: {text!r}")
    if seen.budget is not None and len(seen.log.records) > seen.budget:
        world.broken("budget", f"{seen} made {len(seen.log.records)} model calls, its budget was {seen.budget}")
    if len(seen.log.records) > world.program.chain_limit:
        world.broken("C6", f"{seen} made {len(seen.log.records)} model calls, the limit is {world.program.chain_limit}")
    if seen.timeout is not None and seen.count.queued_at is not None:
        due = max(seen.sent_at + seen.timeout, seen.count.queued_at)  # where it waited for a loop, nothing could end it
        if seen.count.sealed_at > due + PATIENCE or (error is None and seen.count.sealed_at > due + 1e-6):
            world.broken("C6", f"{seen} ended at {seen.count.sealed_at}, its deadline was {due}")
    for calls in seen.callbacks:
        wanted = int(error is None)
        if len(calls) != wanted and not (
            world.program.ends is not None and not calls
        ):  # its thread may have ended before
            world.broken("C4", f"a callback of {seen} was called {len(calls)} times; it ended with {error!r}")


def _check_stream(world: World, seen: Seen) -> None:
    """Every text is one that its model said; each call begins and ends once, and tells its progress between."""
    begun: set[Any] = set()
    ended: set[Any] = set()
    for item in seen.count.items:
        if isinstance(item, str):
            if not WORD.fullmatch(item):
                world.broken("C3", f"{seen} has a text that no model said: {item!r}")
        elif item.type == "tool_started":
            if item.tool_call_id in begun:
                world.broken("T2", f"{item.tool_call_id} began twice in {seen}")
            begun.add(item.tool_call_id)
        elif item.type == "tool_ended":
            if item.tool_call_id in ended:
                world.broken("T2", f"{item.tool_call_id} ended twice in {seen}")
            ended.add(item.tool_call_id)
        elif item.type == "tool_progress" and (item.tool_call_id in ended or item.tool_call_id not in begun):
            world.broken("C5", f"{item.tool_call_id} told its progress before its beginning or after its end in {seen}")


def _check_reader(world: World, reader: Reader) -> None:
    seen = reader.seen
    # It waits for a loop that lives, or did when it was cancelled: no loop has ever had it.
    if seen.log.loop is None and isinstance(reader.error, llm.LoopClosedError):
        return
    if not reader.done:
        if not reader.gone:
            world.broken("C4", f"a reader ({reader.how}) of {seen} was left waiting")
        return
    text = seen.log.text_so_far()
    if reader.how in ("events", "tail"):
        events = [(event.number, event.type, event.chunk) for event in reader.items]
        if events != [event for event in _events(seen) if event[0] >= reader.after]:
            world.broken("C4", f"a reader of {seen} got {events}, it had {_events(seen)}")
    elif (reader.how == "iterate" and "".join(reader.items) != text) or (
        reader.how == "leave" and not text.startswith("".join(reader.items))
    ):
        world.broken("C4", f"a reader of {seen} got {reader.items}, its text was {text!r}")
    elif reader.text is not None and (seen.error is not None or reader.text != text):
        world.broken("C3", f"a reader of {seen} was given {reader.text!r}; it ended with {seen.error!r}, {text!r}")
    left = reader.how == "leave" and len(reader.items) >= 2
    if reader.how not in ("events", "tail") and (reader.error is None) != (seen.error is None) and not left:
        world.broken("C3", f"a reader ({reader.how}) of {seen} met {reader.error!r}; it ended with {seen.error!r}")


def _events(seen: Seen) -> list[tuple[int, str, str]]:
    """The whole stream of a response, as it was written, with its end."""
    plain = [("text", item) if isinstance(item, str) else (item.type, item.chunk) for item in seen.count.items]
    log = seen.log
    reason = log.records[-1].stop_reason if log.records else None
    last = ("error", f"{type(log.error).__name__}: {log.error}") if log.error is not None else ("end", reason or "")
    return [(number, *event) for number, event in enumerate([*plain, last])]


def _check_talk(world: World, talking: Talking) -> None:
    _check_whole_turns(world, talking)
    asked = [
        entry.message.text
        for entry in talking.conversation._history.entries()
        if isinstance(entry, Said) and entry.message.role == "user"
    ]
    for seen in talking.sent:
        count = asked.count(seen.name)
        gone = talking.talk.compacts or talking.merged
        if count > 1 or (count == 0 and not gone and seen.sealed and seen.error is None and seen.kind != "resume"):
            world.broken("C1", f"the prompt of {seen} is {count} times in the history; it ended with {seen.error!r}")


def _check_whole_turns(world: World, talking: Talking) -> None:
    """C2: what ended left no call open, and no prompt from which nothing came; a pause leaves its calls for who resumes."""
    entries = talking.conversation._history.entries()
    returned = {entry.part.tool_call_id for entry in entries if isinstance(entry, Returned)}
    produced = {entry.turn for entry in entries if isinstance(entry, Answered | Returned)}
    said = {entry.turn for entry in entries if isinstance(entry, Said)}
    for seen in talking.sent:
        if seen.error is None or isinstance(seen.error, llm.PauseChain) or seen.kind != "chain":
            continue
        calls = [
            part.tool_call_id
            for entry in entries
            if isinstance(entry, Answered) and entry.turn == seen.log.id
            for message in entry.messages
            for part in message.parts
            if isinstance(part, llm.ToolCallPart)
        ]
        if not returned.issuperset(calls):
            world.broken("C2", f"{seen} ended with {seen.error!r} and left calls open: {calls}")
        if seen.log.id in said - produced:
            world.broken("C2", f"nothing came of {seen}, which ended with {seen.error!r}, and its prompt stayed")


def check_nothing_is_left(world: World) -> None:
    """A4, S1: an idle world holds no task, no timer, no thread, no request, no conversation."""
    loop = world.simulation.loop
    for engine in [one for one in loop.services.values() if isinstance(one, LoopEngine)]:
        stats = engine.tools.stats()
        if stats.running or stats.waiting_in_waits or stats.queued or stats.abandoned or stats.idle:
            world.broken("T3", f"the tool pool is not at rest: {stats}")
        if engine.threads.running or engine.threads.idle:
            world.broken("A4", f"threads of models are not at rest: {engine.threads.running}, {engine.threads.idle}")
        if engine.ending.busy:
            world.broken("A4", f"conversations are held that have nothing to do: {list(engine.ending.busy)}")
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left or loop._tasks:
        world.broken("A4", f"tasks are left: {sorted(task.get_name() for task in left)}, {list(loop._tasks)}")
    if loop.busy or world.simulation.virtual.timers():
        world.broken("A4", f"actors are busy: {list(loop.busy)}; timers are set: {world.simulation.virtual.timers()}")
    if world.server.open_requests():
        world.broken("A4", f"{world.server.open_requests()} requests are open")
    if world.simulation.threads.waiting() or world.running:
        world.broken("A4", f"threads wait: {world.simulation.threads.waiting()}; tools run: {list(world.running)}")
    for talking in world.talks:
        if talking.conversation.waiting != len(talking.unposted()):
            world.broken("A4", f"{talking} counts {talking.conversation.waiting} prompts that have not ended")
