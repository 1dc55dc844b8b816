"""A program while it runs: its conversations, what was sent, what models, tools, readers and callbacks have seen of it.

What users do (actions.py) comes here, and what the library does in return; invariants.py judges it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import llm_actors as llm
from llm_actors.chat.conversation_work import TurnMail
from llm_actors.chat.restart_mail import RestartMail
from llm_actors.messages import Prompt
from llm_actors.runtime import ActorDeadError, waiting
from llm_actors.testing import Simulation

from . import hooks, models
from .answers import Answer, Round
from .seen import Broken, Count, Reader, Seen, Talking
from .subscriber import Subscriber
from .tools import tools_of

if TYPE_CHECKING:
    from .actions import Grouped
    from .hands import Hands
    from .program import Program

COMPACT_AT = 40
"""Tokens above which the history of a conversation that compacts is made shorter: a few exchanges."""
EXPECTED = (llm.LLMError, ActorDeadError)
"""What users of a program meet, and bear."""


class World:
    """See the head of this file."""

    def __init__(self, program: Program, simulation: Simulation) -> None:
        self.program = program
        self.simulation = simulation
        self.talks: list[Talking] = []
        self.seen: list[Seen] = []
        self.by_name: dict[str, Seen] = {}
        self.by_id: dict[str, Seen] = {}
        self.readers: list[Reader] = []
        self.ran: dict[str, int] = {}
        self.running: dict[str, Any] = {}
        self.on_loop: set[str] = set()
        self.subscribers: list[Subscriber] = []
        self.shut = False
        self.failure: Broken | None = None
        self.counts: dict[str, Count] = {}
        self._inner: dict[str, Any] = {}
        delay = simulation.random.choice
        self.server, self._pair = models.serve(lambda: delay((0.0, 0.0, 0.001, 0.02)))

    def broken(self, promise: str, what: str) -> NoReturn:
        """A promise is broken: the first one ends the program."""
        failure = Broken(promise, what)
        self.failure = self.failure or failure  # whoever catches it: the next turn of the loop raises it again
        raise failure

    def count(self, log: Any) -> Count:
        """What the taps have counted of a log."""
        return self.counts.setdefault(log.id, Count())

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.simulation.now

    def open(self) -> None:
        """Makes the conversations."""
        for number, talk in enumerate(self.program.talks):
            model: Any = models.model_of(talk.model, talk.dress, self._pair)
            conversation = model.conversation(
                tools=tools_of(talk.tools),
                before_call=hooks.before(talk.before_call),
                after_call=hooks.after(talk.after_call),
                when_busy=talk.when_busy,
                compaction=llm.DropOldest() if talk.compacts else None,
                compact_at=COMPACT_AT if talk.compacts else None,
            )
            self.talks.append(Talking(number, talk, conversation))

    def inner(self, dress: str) -> Any:
        """The conversation that tools of this dress ask."""
        if dress not in self._inner:
            made: Any = models.INNER[dress]
            self._inner[dress] = made.conversation()
        return self._inner[dress]

    # ---- what users do

    def send(
        self,
        hands: Hands,
        talk: int,
        answer: Answer | None,
        *,
        chain: bool,
        timeout: float | None = None,
        detached: bool = False,
        budget: int | None = None,
    ) -> Seen | None:
        """Sends a prompt; None when it is not taken."""
        talking = self.talks[talk % len(self.talks)]
        seen = self._new(talking, answer, "chain" if chain else "prompt", timeout)
        more: dict[str, Any] = {"timeout": timeout, "detached": detached}
        if budget is not None:
            seen.budget, more["budget"] = budget, llm.Budget(requests=budget)
        ask = talking.conversation.chain if chain else partial(talking.conversation.prompt, tools=None)
        return self._taken(seen, lambda: ask(seen.name if answer is not None else None, **more))

    def steer(self, hands: Hands, talk: int, answer: Answer) -> Seen | None:
        """Steers; None when it is not taken."""
        seen = self._new(self.talks[talk % len(self.talks)], answer, "steer", None)
        return self._taken(seen, lambda: seen.talking.conversation.steer(seen.name))

    async def ask(self, hands: Hands, talk: int, answer: Answer) -> None:
        """Sends a prompt as a message and waits until it is taken."""
        seen = self._new(self.talks[talk % len(self.talks)], answer, "prompt", None)
        seen.told = True
        try:
            future = seen.talking.conversation.ref.ask(Prompt(seen.name), block=False)
            response = await hands.answer(future)
        except EXPECTED as error:
            self._refused(seen, error)
        else:
            self._known(seen, response)

    def _new(self, talking: Talking, answer: Answer | None, kind: str, timeout: float | None) -> Seen:
        kind = kind if answer is not None else "resume"
        name = f"{kind[0]}{len(self.by_name)}"
        seen = Seen(name, talking, answer or Answer(), kind, self.now, timeout)
        self.by_name[name] = seen
        return seen

    def _taken(self, seen: Seen, send: Any) -> Seen | None:
        try:
            response = send()
        except EXPECTED as error:
            self._refused(seen, error)
            return None
        self._known(seen, response)
        return seen

    def _known(self, seen: Seen, response: Any) -> None:
        others = [one for one in seen.talking.sent if one.kind != "steer" and not one.sealed and not one.told]
        if seen.talking.talk.when_busy == "reject" and seen.kind != "steer" and not seen.told and others:
            self.broken("C1", f"{seen} was taken, while {others[0]} is under way")
        seen.log = response._log
        seen.count = self.count(seen.log)
        self.seen.append(seen)
        self.by_id[seen.log.id] = seen
        seen.talking.sent.append(seen)

    def _refused(self, seen: Seen, error: Exception) -> None:
        seen.talking.refused.append((seen, error))
        busy = any(not other.released for other in seen.talking.sent) or any(
            other.told and other.log is None and other.talking is seen.talking for other in self.by_name.values()
        )
        if isinstance(error, llm.ConversationBusyError) and not busy:
            self.broken("C1", f"{seen.name} was refused as busy, and nothing is under way")

    def talking(self, number: int) -> Talking:
        """A conversation by its number: forks come behind those that the program begins with."""
        return self.talks[number % len(self.talks)]

    def response(self, number: int) -> Seen | None:
        """A response by its number."""
        return self.seen[number % len(self.seen)] if self.seen else None

    async def read(self, hands: Hands, seen: Seen, how: str) -> None:
        """Reads it in this way."""
        if not how:
            return
        if how == "facts":
            repr(llm.AsyncResponse(seen.log))
            seen.talking.conversation.messages()
            return
        reader = Reader(seen, how)
        self.readers.append(reader)
        if how == "impatient" and isinstance(hands, _task_hands()):
            seen.talking.cancels = True
            try:
                await asyncio.wait_for(self._read(hands, seen, reader), 0.3)
            except TimeoutError:
                reader.gone = True
            except asyncio.CancelledError:  # the loop ends, before the task that wait_for() makes took its first step
                reader.gone = True
                raise
            return
        await self._read(hands, seen, reader)

    async def _read(self, hands: Hands, seen: Seen, reader: Reader) -> None:
        log = seen.log
        try:
            if reader.how in ("text", "impatient"):
                reader.text = await hands.text(log)
            elif reader.how in ("iterate", "leave"):
                await hands.chunks(log, reader.items, 2 if reader.how == "leave" else None)
            else:
                reader.after = 3 if reader.how == "tail" else 0
                await hands.events(log, reader.items, reader.after)
        except EXPECTED as error:
            reader.error = error
        except asyncio.CancelledError:  # the loop ends, or patience
            reader.gone = True
            raise
        reader.done = True

    def subscribe(self, seen: Seen, mailbox: int, *, batch: bool) -> None:
        """Subscribes a slow actor."""
        subscriber = Subscriber.start_on(self.simulation.loop, seen, mailbox)
        self.subscribers.append(subscriber)
        llm.AsyncResponse(seen.log).subscribe(subscriber.actor_ref, batch=batch)

    async def call_back(self, hands: Hands, seen: Seen, kind: str) -> None:
        """Registers a callback."""
        called = seen.expect_callback(self)

        def plain(response: Any) -> None:
            called()
            if kind == "raises":
                raise ValueError(kind)
            if kind == "reads":
                response.text_or_raise()

        async def asynchronous(response: Any) -> None:
            called()
            await asyncio.sleep(0.2)

        is_async = kind == "async" and isinstance(hands, _task_hands())
        try:
            await hands.on_done(seen.log, asynchronous if is_async else plain)
        except ValueError:  # the answer was there, and the callback was called on the spot
            if kind != "raises":
                raise

    async def cancel(self, hands: Hands, seen: Seen) -> None:
        """Cancels it; from its return on nothing may come of it."""
        seen.talking.cancels = True
        ended = seen.sealed
        await hands.cancel(seen.log)
        if not ended:
            seen.silence(self)

    def cancel_all(self, talk: int) -> None:
        """Cancels a conversation."""
        self.talks[talk % len(self.talks)].cancels = True
        self.talks[talk % len(self.talks)].conversation.cancel()

    async def close(self, hands: Hands, talk: int) -> None:
        """Closes it; from its return on nothing may come of it."""
        talking = self.talks[talk % len(self.talks)]
        talking.cancels = True
        open_ones = [seen for seen in talking.sent if not seen.sealed]
        await hands.close(talking.conversation)
        for seen in open_ones:
            seen.silence(self)

    def fork(self, talk: int) -> Talking:
        """A fork of a conversation: a conversation like any other from here on."""
        parent = self.talking(talk)
        fork = Talking(len(self.talks), parent.talk, parent.conversation.fork())
        answered = {
            seen.name for seen in parent.sent if seen.sealed and seen.error is None and seen.kind in ("prompt", "chain")
        }
        fork.past = parent.past | answered
        fork.others = parent.others | {seen.name for seen in parent.sent}
        parent.forks.append(fork)
        self.talks.append(fork)
        return fork

    async def merge(self, hands: Hands, talk: int) -> None:
        """Merges the forks of a conversation into it."""
        talking = self.talking(talk)
        if not talking.forks:
            return
        talking.merged = True
        for fork in talking.forks:
            talking.others |= fork.others | {seen.name for seen in fork.sent}
        try:
            change = talking.conversation.merge(*(fork.conversation for fork in talking.forks))
            await hands.answer(change)
        except (*EXPECTED, ValueError):
            return

    async def group(self, hands: Hands, grouped: Grouped) -> None:
        """Runs a group; from its end on nothing of it may run."""
        talking, sent = self.talking(grouped.talk), []
        budget = llm.Budget(requests=grouped.budget) if grouped.budget is not None else None
        if grouped.timeout is not None:
            talking.due.append(self.now + grouped.timeout)
        talking.cancels = talking.cancels or grouped.raises

        async def block() -> None:
            for prompt in grouped.prompts:
                more: Any = {"chain": prompt.chain, "timeout": prompt.timeout}
                seen = self.send(hands, grouped.talk, prompt.answer, **more)
                if seen is not None:
                    seen.budget = grouped.budget
                    sent.append(seen)
            if grouped.raises:
                raise llm.LLMError("it leaves")

        try:
            await hands.group(llm.Group(timeout=grouped.timeout, budget=budget), block)
        except (*EXPECTED, ExceptionGroup):
            pass
        for seen in sent:
            if not seen.released:
                self.broken("group", f"{seen} has not ended, and its group has")
        if budget is not None and budget.spent.requests > (grouped.budget or 0):
            self.broken("budget", f"{budget.spent.requests} calls were made, the group's budget was {grouped.budget}")

    async def shut_down(self, hands: Hands, drain: float) -> None:
        """Shuts the system down; from its end on nothing runs."""
        for talking in self.talks:
            talking.cancels = True
        report = await hands.answer(self.simulation.system.shutdown(drain))
        self.shut = True
        if report.silent:
            self.broken("S1", f"the shutdown left loops that did not answer: {report}")
        for seen in self.seen:
            if not seen.released and seen not in seen.talking.unposted():
                self.broken("S1", f"{seen} has not ended, and its system has")

    def fail(self, talk: int, how: str) -> None:
        """The conversation's actor fails."""
        talking = self.talks[talk % len(self.talks)]
        actor = talking.conversation._seat.found
        if actor is None:
            return
        talking.crashes = True
        ref = actor.actor_ref
        try:
            if how == "restart":
                ref.tell(RestartMail(RuntimeError("restarted")))
            elif how == "defect":
                running = next((seen.log.id for seen in talking.sent if not seen.released), "nobody")
                ref.tell(TurnMail(running, object()), control=True)
            elif how == "stop":
                ref.stop(block=False)
            else:
                ref.kill(block=False)
        except ActorDeadError:
            return

    # ---- what models and tools tell

    def called(self, name: str, number: int, messages: list[Any]) -> Round:
        """A model is called for this prompt, with these messages; gives what it is to say."""
        if self.shut:
            self.broken("S1", f"a model was called for {name} after the shutdown")
        from .invariants import check_request

        seen = self.by_name.get(name)
        if seen is None and not name and any(one.kind == "resume" for one in self.by_name.values()):
            return Round()
        if seen is None:
            self.broken("C1", f"a model was called for {name!r}, which nobody sent")
        check_request(self, seen, messages)
        seen.calls += 1
        return seen.answer.round(number)

    @contextmanager
    def answers(self, name: str) -> Iterator[None]:
        """A model on the loop is at work on this prompt."""
        seen = self.by_name.get(name)
        if seen is None:
            yield
            return
        seen.answering += 1
        try:
            yield
        finally:
            seen.answering -= 1

    @contextmanager
    def runs(self, call: str, *, hangs: bool = False, waits: bool = False, again: bool = False) -> Iterator[None]:
        """A tool runs, for this call."""
        from .invariants import check_start

        self.ran[call] = self.ran.get(call, 0) + 1
        self.running[call] = waiting.get()
        if self.simulation.loop.is_current() and not hangs:
            self.on_loop.add(call)
        check_start(self, call, again=again)
        try:
            yield
        finally:
            self.running.pop(call, None)
            self.on_loop.discard(call)


def _task_hands() -> Any:
    from .hands import AsyncHands

    return AsyncHands
