"""How a prompt gets from its conversation's handle to the actor: checked against the room there is, posted in the order of the calls.

Where no loop runs it is kept, with those before it, until somebody waits; a loop that was closed meanwhile leaves them to the next one.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic

from llm_actors.errors import (
    ActorError,
    ConversationBusyError,
    MailboxFullError,
    ResponseCancelledError,
    SystemShutdownError,
)
from llm_actors.messages import Secret
from llm_actors.observe import PromptRefused, Record
from llm_actors.runtime import Loop, background, current
from llm_actors.runtime.binding import making

from .compaction import Compaction, compacts
from .event_log import EventLog
from .failures import Failures, checked
from .inheritance import held, scope_of
from .live_turn import PromptMail
from .origin import Origin
from .prompting import R
from .seams import WhenBusy, default_policy, mailbox_bound
from .seat import Room, Seat

if TYPE_CHECKING:
    from llm_actors.runtime import Future

    from .budget import Budget
    from .log_wait import AtWork
    from .model import AnyModel
    from .sent_prompt import SentPrompt
    from .tools import Toolbox


class Posting(Origin, Generic[R]):
    """The half of a conversation that sends. See the head of this file. Any thread."""

    __slots__ = ("_unposted",)

    _unposted: Sequence[PromptMail]

    if TYPE_CHECKING:
        model: AnyModel
        before_call: Any
        after_call: Any
        chain_limit: int | None
        when_busy: WhenBusy | None
        failures: Failures
        compaction: Compaction | None
        compact_at: int | None
        timeout: float | None
        _closed: bool
        _single: bool
        _id: str
        _seat: Seat
        _view: type[R]

    def post(
        self,
        sent: SentPrompt,
        toolboxes: list[Toolbox],
        *,
        key: str | Secret | None = None,
        detached: bool = False,
        limit: int | None = None,
        hooks: tuple[Any, Any] = (None, None),
        steers: bool = False,
        budget: Budget | None = None,
        take: Callable[[PromptMail], object] | None = None,
    ) -> R:
        """Posts a checked prompt to the actor, or keeps it until there is a loop. What is not given comes from the conversation."""
        response = current().new_id()
        self._check_open(response)
        sent.conversation = None if self._single else self
        sent.hooks = hooks = (hooks[0] or self.before_call, hooks[1] or self.after_call)
        log = EventLog(response, sent, self.model, self, chain=sent.said.chain, detached=detached)
        log.steers = steers
        conversation: Any = self
        scope, sent_at = scope_of(sent.said, conversation, budget)
        mail = PromptMail(
            log,
            model=self.model,
            key=Secret(key) if isinstance(key, str) else key,
            toolboxes=toolboxes,
            before_call=hooks[0],
            after_call=hooks[1],
            chain_limit=self.chain_limit if limit is None else limit,
            scope=scope,
            sent_at=sent_at,
            context=contextvars.copy_context(),
            steers=steers,
            failures=(self.failures, checked(self.model.failures)),
            compacts=compacts(self.compaction, self.compact_at, self.model.context_size),
        )
        with held(scope.groups, log):
            self._place(mail, take)
        return self._view(log)

    def _check_open(self, response: str) -> None:
        try:
            if self._closed:
                msg = f"{self!r} is closed"
                raise ActorError(msg)  # noqa: TRY301 - one of two, and both are told to observers
            self._seat.admit()
        except ActorError as error:
            self._refused(response, error)
            raise

    def _refused(self, response: str, error: ActorError) -> None:
        self.observe(PromptRefused, response=response, error=repr(error))

    def _place(self, mail: PromptMail, take: Callable[[PromptMail], object] | None = None) -> None:
        """To the actor, or to where prompts wait for a loop. Raises ActorError where it is not taken."""
        try:
            self._send_off(mail, take)
        except ActorError as error:
            self._refused(mail.log.id, error)
            raise

    def _send_off(self, mail: PromptMail, take: Callable[[PromptMail], object] | None) -> None:
        conversation: Any = self
        loop = self._loop()
        if loop is None:
            self._check_room(mail, Room(None, len(self._unposted), mailbox_bound(), default_policy()))
            if mail.when_busy == "replace" and not mail.steers:
                replaced = ResponseCancelledError("replaced by a newer prompt")
                for other in [other for other in self._unposted if other.errand is None]:
                    self._seal_unposted(other.log, replaced)
            with making:
                self._unposted = (*self._unposted, mail)
        else:
            if self._unposted:
                self._deliver_to(loop)
            room = self._seat.room(conversation, loop)
            self._check_room(mail, room)
            if take is None and room.actor is not None:
                self._seat.post(room.actor, mail)
            elif take is not None:
                mail.log.loop = loop
                take(mail)

    def _check_room(self, mail: PromptMail, room: Room) -> None:
        _, waiting, bound, policy = room
        mail.when_busy = self.when_busy or policy
        if mail.errand is not None:
            mail.when_busy = "queue"
        if mail.steers:
            return
        mail.log.takes_over = mail.when_busy == "replace"
        if waiting >= bound and mail.when_busy != "replace":
            text = f"{waiting} prompts are waiting in conversation {self._id}"
            msg = f"{text}: wait for some, or give ActorSystem a larger mailbox"
            raise MailboxFullError(msg)
        # Last: a prompt that is refused must not have claimed the conversation, which would be busy with it for ever.
        if mail.when_busy == "reject" and not self._seat.claim(mail.log):
            text = f"conversation {self._id} is busy"
            msg = f"{text}: wait for its response, steer() it, or make the conversation with another when_busy"
            raise ConversationBusyError(msg)

    def _loop(self) -> Loop | None:
        """Where prompts go: the loop of the first one while it lives, else the running loop; None to wait for one."""
        return self._seat.loop or self._home()

    def _home(self) -> Loop | None:
        raise NotImplementedError

    def _deliver_to(self, loop: Loop) -> None:
        conversation: Any = self
        if not self._unposted:
            return
        with making:
            mails: list[PromptMail] = list(self._unposted)
            self._unposted = ()
        try:
            while mails:
                self._deliver_one(conversation, loop, mails[0])
                mails.pop(0)
        finally:
            with making:
                self._unposted = (*mails, *self._unposted)  # that loop is closed: they go on waiting for one

    def _deliver_one(self, conversation: Any, loop: Loop, mail: PromptMail) -> None:
        try:
            self._seat.post(self._seat.actor(conversation, loop), mail)
        except SystemShutdownError as error:  # its system was shut down since it was written down
            mail.log.seal(error, [], [])
            mail.log.release()

    # ---- what a log asks of its conversation --------------------------------------------------------------------------------

    def deliver(self) -> None:
        """Posts the prompts that were written down while no loop ran."""
        if self._unposted:
            self._deliver_to(self._loop() or background())

    def observe(self, kind: type[Record], **facts: Any) -> None:
        """Hands a record to the observers of its system, on its loop, once it is at work on one."""
        self._seat.observe(kind, conversation=self._id, **facts)

    def at_work_on(self, log: EventLog) -> AtWork | None:
        """The turn that has to get on before this response does. Any thread."""
        return self._seat.at_work_on(log)

    def lost(self) -> None:
        """The loop is closed: ends all turns that were on it."""
        self._seat.lost()

    def cancel(
        self, log: EventLog | None = None, error: BaseException | None = None, *, given_up: bool = False
    ) -> None:
        """Ends a turn, queued or running; without a log all of them. Returns at once: each response tells when it has ended."""
        self._cancel(log, error, given_up=given_up)

    def _cancel(
        self, log: EventLog | None, error: BaseException | None, *, given_up: bool = False
    ) -> Future[list[EventLog]] | None:
        """The same; gives a future of the logs of the turns that are still ending, None when there can't be any."""
        error = error or ResponseCancelledError("the conversation was cancelled")
        if log is not None and not given_up:
            log.told_to_end = True
        self._seal_unposted(log, error)
        return self._seat.cancel(log.id if log is not None else None, error, given_up=given_up)

    def _seal_unposted(self, log: EventLog | None, error: BaseException) -> None:
        for mail in [mail for mail in self._unposted if log in (None, mail.log)]:
            with making:
                self._unposted = tuple([other for other in self._unposted if other is not mail])
            mail.log.seal(error, [], [])
            mail.log.release()
