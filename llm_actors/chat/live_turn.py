"""A turn under way with all that does its work: the log it feeds, the model call, the tool jobs, the timer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_actors.runtime import carried

from .history import Answered, Entry, Returned, raw_messages
from .scope import Scope, after

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextvars import Context

    from llm_actors.messages import Item, Message, Secret
    from llm_actors.providers.protocol import Flight
    from llm_actors.runtime import Clock
    from llm_actors.runtime.wait_graph import Node

    from .compaction import Compacts
    from .errand import Errand
    from .event_log import EventLog
    from .failures import Failures
    from .model import AnyModel
    from .round_writer import RoundWriter
    from .seams import Engine, WhenBusy
    from .sent_prompt import SentPrompt
    from .tool_run import ToolRun
    from .turn import Turn


class PromptMail:
    """The mail that brings a prompt to its conversation: the log to feed and all that was copied at the call."""

    __slots__ = (
        "_context",
        "_settled",
        "after_call",
        "before_call",
        "chain_limit",
        "compacts",
        "errand",
        "failures",
        "key",
        "log",
        "model",
        "scope",
        "sent_at",
        "steers",
        "toolboxes",
        "when_busy",
    )

    def __init__(
        self,
        log: EventLog,
        *,
        model: AnyModel,
        key: Secret | None,
        toolboxes: list[Any],
        before_call: Any,
        after_call: Any,
        chain_limit: int | None,
        scope: Scope,
        sent_at: float | None,
        context: Context,
        when_busy: WhenBusy = "queue",
        steers: bool = False,
        failures: tuple[Failures, ...] = (),
        errand: Errand | None = None,
        compacts: Compacts | None = None,
    ) -> None:
        self.log = log
        self.model = model
        self.key = key
        self.toolboxes = toolboxes
        self.before_call = before_call
        self.after_call = after_call
        self.chain_limit = chain_limit
        self.scope = scope
        self.sent_at = sent_at
        """Monotonic seconds, from which the system's timeout counts; None where another timeout was given."""
        self._context = context
        self._settled: str | None = None
        self.when_busy: WhenBusy = when_busy
        self.failures = failures
        self.steers = steers
        """It goes into the turn that runs, if one does."""
        self.compacts = compacts
        self.errand = errand
        """What the turn does instead of calling a model."""

    def settle_scope(self, conversation: str, engine: Engine) -> None:
        """Adds what the system says; from here on the context, for all that the turn calls, carries what is inherited from it."""
        scope = self.scope
        if self.sent_at is not None and engine.timeout is not None:
            scope = scope.until(after(engine.timeout, self.sent_at, "the system"))
        self.scope = scope.within(engine.scope)
        self._settled = conversation

    @property
    def context(self) -> Context:
        """The context of what the turn calls. What is inherited is put there at the first look: most turns call nothing."""
        settled, self._settled = self._settled, None
        if settled is not None:
            self._context.run(carried.set, self.scope.passed_on(settled, self.log.id))
        return self._context

    def call_context(self, tool_call_id: str | None) -> Context:
        """The context of one tool call."""
        context = self.context.copy()
        scope: Scope = context[carried]
        context.run(carried.set, scope.called(tool_call_id))
        return context


class LiveTurn:
    """What the conversation actor holds of one turn. Its loop only.

    A turn may answer several prompts: those that were joined when it began, and those that were steered in while it ran. Each of them is
    a live turn of its own that never begins: a voice, whose log is written by its leader from the moment it was taken.
    """

    __slots__ = (
        "first_entry",
        "first_record",
        "flight",
        "heard",
        "jobs",
        "joint",
        "kept",
        "key",
        "leader",
        "log",
        "mail",
        "model",
        "run",
        "sent",
        "since",
        "state",
        "steers",
        "timer",
        "turn",
        "voices",
        "writer",
    )

    def __init__(self, mail: PromptMail, turn: Turn, now: float, *, joint: bool = False) -> None:
        self.state, self.since = turn.state, now
        """The turn's state, as it was last seen, and since when on the loop's clock: for who looks."""
        self.mail = mail
        self.log = mail.log
        self.turn = turn
        self.joint = joint
        """It was made to answer several prompts: its own log has no readers."""
        self.sent: SentPrompt = mail.log.prompt
        self.model: AnyModel = mail.model
        """The model that is called now, and its explicit key."""
        self.key: Secret | None = mail.key
        self.flight: Flight | None = None
        self.writer: RoundWriter | None = None
        self.jobs: dict[int, Any] = {}
        self.run: ToolRun | None = None
        self.timer: Any = None
        self.kept: list[Entry] = []
        self.leader: LiveTurn | None = None
        """The turn that this one was steered into or joined to."""
        self.steers: list[LiveTurn] = []
        """Steered in, and not taken yet."""
        self.voices: list[LiveTurn] = []
        self.heard = False
        """A voice: a model call with its prompt has been sent."""
        self.first_entry = self.first_record = 0
        """A voice: where in its leader's turn it begins."""

    def begin(self, clock: Clock) -> None:
        """Stamps the log: the turn begins."""
        self.log.started = clock.utcnow()
        self.log.seconds = clock.monotonic()

    def take(self, voices: list[LiveTurn], clock: Clock) -> None:
        """From here on this turn answers these as well."""
        for voice in voices:
            if voice in self.steers:
                self.steers.remove(voice)
            voice.leader = self
            voice.first_entry, voice.first_record = len(self.kept), len(self.turn.records)
            voice.begin(clock)
            self.voices.append(voice)

    def let_go(self) -> None:
        """It is over: what worked for it knows it, and is not to be known by it any more.

        In a circle of references each turn would be left to the garbage collector, whose long runs get rare where much stays in memory.
        """
        self.flight = self.writer = None
        self.log.prompt.let_go()
        if self.sent is not self.log.prompt:
            self.sent.let_go()
        self.run = None
        self.jobs.clear()
        voices, self.voices = self.voices, []
        for voice in voices:
            voice.leader = None
            voice.let_go()

    def write(self, items: list[Item]) -> None:
        """Into the logs of all responses that this turn answers."""
        self.log.write(items)
        for voice in self.voices:
            voice.log.write(items)

    # ---- as a node of the graph of waits (runtime/wait_graph.py): its end; any thread -----------------------------------

    either = False

    def needs(self) -> Sequence[Node]:
        """The users' code that it waits for; nothing once it ends, as that is told to end then."""
        if self.turn.state in ("stopping", "closing", "over"):
            return ()
        code = getattr(self.flight, "code", None)
        return [*self.jobs.values(), *([] if code is None else [code])]

    def outstanding(self) -> Sequence[Node]:
        """The code that runs for it, where nothing else can happen in it before some of that has ended or told of its progress."""
        if self.turn.state == "calling":
            code = getattr(self.flight, "code", None)
            return [] if code is None else [code]
        jobs: list[Any] = [self.jobs.get(call) for call in self.turn.outstanding()]
        return [] if None in jobs else jobs

    def label(self) -> str:
        """Its conversation."""
        name = getattr(self.sent.conversation, "name", None)
        return f"conversation {self.turn.plan.conversation}{f' {name!r}' if name else ''}"

    def output(self, voice: LiveTurn) -> list[Message]:
        """What the turn added to the conversation, for itself or since it took this voice; prompts left out."""
        kept = self.kept[voice.first_entry :]
        entries = [entry for entry in kept if type(entry) is Answered or type(entry) is Returned]
        if len(entries) == 1 and type(entries[0]) is Answered:  # as most turns are
            return list(entries[0].messages)
        return raw_messages(entries)
