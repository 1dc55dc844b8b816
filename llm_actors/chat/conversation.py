"""A conversation's handle: what users hold, in an async and a sync dress. It owns the history and posts prompts to its actor.

The actor lives on one loop: that of the first prompt. When that loop has ended, the next prompt makes a new actor on the loop then in
use, with the same history. Prompts written down while no loop runs are posted together, in order, when somebody first waits.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self

import msgspec

from llm_actors.errors import ActorError, ConversationBusyError, MailboxFullError, ResponseCancelledError, TurnError
from llm_actors.messages import Attachment, AttachmentPart, Message, Prompt, Secret, TextPart
from llm_actors.observe import ConversationClosed, PromptRefused, Record
from llm_actors.runtime import ActorDeadError, ActorRef, Loop, background, current, running

from . import arguments
from .asking import ask
from .event_log import EventLog
from .failures import Failures, checked
from .history import History, Replaced
from .live_turn import PromptMail
from .origin import Origin
from .past import past_logs
from .prompting import Prompting, R
from .response import AsyncResponse, Response
from .seams import WhenBusy, busy_policy, default_policy, mailbox_bound
from .seat import Room, Seat
from .tools import Toolbox, toolboxes_in

if TYPE_CHECKING:
    from llm_actors.runtime import Future

    from .conversation_actor import ConversationActor
    from .model import AnyModel
    from .sent_prompt import SentPrompt


class AnyConversation(Origin, Prompting[R]):
    """What both dresses share. Any thread, but for what says otherwise."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_history",
        "_id",
        "_seat",
        "_single",
        "_unposted",
        "after_call",
        "before_call",
        "chain_limit",
        "failures",
        "model",
        "name",
        "tools",
        "when_busy",
    )

    _view: type[R]

    def __init__(
        self,
        model: AnyModel,
        *,
        id: str | None = None,
        name: str | None = None,
        tools: Sequence[Any] | None = None,
        before_call: Any = None,
        after_call: Any = None,
        chain_limit: int | None = None,
        when_busy: WhenBusy | None = None,
        failures: Failures | None = None,
        single: bool = False,
    ) -> None:
        self.model = model
        self.name = name
        self.tools: list[Any] = arguments.listed("tools", tools, object, "a_function")
        self.before_call = arguments.hook("before_call", before_call)
        self.after_call = arguments.hook("after_call", after_call)
        self.chain_limit = arguments.limit("chain_limit", chain_limit)
        self.when_busy: WhenBusy | None = busy_policy(when_busy)
        self.failures = checked(failures)
        self._id = id or current().new_id()
        self._history = History()
        self._seat = Seat(self._history)
        self._unposted: list[PromptMail] = []
        self._single = single
        self._closed = False

    # ---- asking: prompt() and chain() are in prompting.py

    def _target(self) -> AnyConversation[R]:
        return self

    def say(self, prompt: Prompt) -> R:
        """Sends a prompt that came as a message: `conversation.ref.ask(Prompt("hi"), block=False)` ends up here."""
        if not prompt.tools:
            prompt = msgspec.structs.replace(prompt, tools=self.tools)
        limit = arguments.limit("chain_limit", prompt.chain_limit)
        return self.post(ask(self.model, prompt), toolboxes_in(prompt.tools), limit=limit)

    def steer(self, *said: str | TextPart | AttachmentPart, attachments: Sequence[Attachment] | None = None) -> R:
        """Puts a user message before the next model call of the turn that runs, behind all tool results; returns at once. Any thread.

        A turn that would have ended gets one more round. With no turn running, or one that is stopping or at its chain limit, it is a
        prompt, ahead of those that wait (a chain, where the conversation has tools). Gives the response that carries the answer: all that
        the turn says from there on; to cancel it cancels the turn. Never refused by a full mailbox. Raises AttachmentError, ValueError.
        """
        texts = [
            part.text if isinstance(part, TextPart) else part for part in said if not isinstance(part, AttachmentPart)
        ]
        files = [part.attachment for part in said if isinstance(part, AttachmentPart) and part.attachment is not None]
        files += attachments or ()
        if not any(texts) and not files:
            msg = "steer() needs a text or an attachment"
            raise ValueError(msg)
        sent = ask(self.model, "\n".join(texts), attachments=files, tools=self.tools, chain=bool(self.tools))
        return self.post(sent, toolboxes_in(self.tools), steers=True)

    # ---- what was said ------------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """ULID of the conversation, in lower case."""
        return self._id

    @property
    def responses(self) -> list[R]:
        """One response for each complete model call, in the order of the turns, built from the history at each look."""
        return [self._view(log) for log in past_logs(self._history, self.model, None if self._single else self)]

    def messages(self) -> list[Message]:
        """The conversation as a model would read it now: valid for every provider at every moment."""
        return self._history.messages()

    @property
    def waiting(self) -> int:
        """Prompts that have been sent and not ended."""
        return len(self._unposted) + self._seat.taken

    @property
    def ref(self) -> ActorRef[ConversationActor]:
        """The actor's reference: takes `Prompt` by ask and tell.

        Binds the conversation to the running loop, else to the background loop.
        """
        return self._seat.actor(self, running() or background()).actor_ref

    def to_dict(self) -> dict[str, Any]:
        """The conversation as plain values: `id`, `name`, `model`, `messages`."""
        named = {"name": self.name} if self.name else {}
        return {
            "id": self._id,
            **named,
            "model": self.model.model_id,
            "messages": [message.to_dict() for message in self.messages()],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], *, model: AnyModel, **more: Any) -> Self:
        """The conversation that `to_dict()` wrote, to go on with `model`."""
        conversation = cls(model, id=plain.get("id"), name=plain.get("name"), **more)
        said = tuple(Message.from_dict(message) for message in plain.get("messages", ()))
        if said:
            conversation._history.append(Replaced("", said))
        return conversation

    # ---- posting ------------------------------------------------------------------------------------------------------------

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
    ) -> R:
        """Posts a checked prompt to the actor, or keeps it until there is a loop. What is not given comes from the conversation."""
        sent.conversation = None if self._single else self
        clock = current()
        log = EventLog(clock.new_id(), sent, self.model, self, chain=sent.said.chain, detached=detached)
        timeout = sent.said.timeout
        mail = PromptMail(
            log,
            model=self.model,
            key=Secret(key) if isinstance(key, str) else key,
            toolboxes=toolboxes,
            before_call=hooks[0] or self.before_call,
            after_call=hooks[1] or self.after_call,
            chain_limit=self.chain_limit if limit is None else limit,
            deadline=clock.monotonic() + timeout if timeout is not None else None,
            context=contextvars.copy_context(),
            steers=steers,
            failures=(self.failures, checked(self.model.failures)),
        )
        self._place(mail)
        return self._view(log)

    def _place(self, mail: PromptMail) -> None:
        """To the actor, or to where prompts wait for a loop. Raises ActorError where it is not taken."""
        try:
            self._send_off(mail)
        except ActorError as error:
            self.observe(PromptRefused, response=mail.log.id, error=repr(error))
            raise

    def _send_off(self, mail: PromptMail) -> None:
        if self._closed:
            msg = f"{self!r} is closed"
            raise ActorError(msg)
        self._seat.admit()
        loop = self._loop()
        if loop is None:
            self._check_room(mail, Room(len(self._unposted), mailbox_bound(), default_policy()))
            if mail.when_busy == "replace" and not mail.steers:
                self._seal_unposted(None, ResponseCancelledError("replaced by a newer prompt"))
            self._unposted.append(mail)
        else:
            self._deliver_to(loop)
            self._check_room(mail, self._seat.room(self, loop))
            self._seat.post(self, loop, mail)

    def _check_room(self, mail: PromptMail, room: Room) -> None:
        waiting, bound, policy = room
        mail.when_busy = self.when_busy or policy
        if mail.steers:
            return
        if mail.when_busy == "reject" and not self._seat.claim(mail.log):
            text = f"conversation {self._id} is busy"
            msg = f"{text}: wait for its response, steer() it, or make the conversation with another when_busy"
            raise ConversationBusyError(msg)
        if waiting >= bound and mail.when_busy != "replace":
            text = f"{waiting} prompts are waiting in conversation {self._id}"
            msg = f"{text}: wait for some, or give ActorSystem a larger mailbox"
            raise MailboxFullError(msg)

    def _loop(self) -> Loop | None:
        """Where prompts go: the loop of the first one while it lives, else the running loop; None to wait for one."""
        return self._seat.loop or self._home()

    def _home(self) -> Loop | None:
        raise NotImplementedError

    def _deliver_to(self, loop: Loop) -> None:
        mails, self._unposted = self._unposted, []
        for mail in mails:
            try:
                self._seat.post(self, loop, mail)
            except TurnError as error:  # its system was shut down meanwhile, or the loop is at its end
                mail.log.seal(error, [], [])
                mail.log.release()

    # ---- what a log asks of its conversation --------------------------------------------------------------------------------

    def deliver(self) -> None:
        """Posts the prompts that were written down while no loop ran."""
        if self._unposted:
            self._deliver_to(self._loop() or background())

    def lost(self) -> None:
        """The loop is closed: ends all turns that were on it."""
        self._seat.lost()

    def observe(self, kind: type[Record], **facts: Any) -> None:
        """Hands a record to the observers of its system, on its loop, once it is at work on one."""
        self._seat.observe(kind, conversation=self._id, **facts)

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
        self._seal_unposted(log, error)
        return self._seat.cancel(log.id if log is not None else None, error, given_up=given_up)

    def _seal_unposted(self, log: EventLog | None, error: BaseException) -> None:
        for mail in [mail for mail in self._unposted if log in (None, mail.log)]:
            self._unposted.remove(mail)
            mail.log.seal(error, [], [])
            mail.log.release()

    def _shut(self) -> Future[list[EventLog]] | None:
        if not self._closed:
            self.observe(ConversationClosed)
        self._closed = True
        return self._cancel(None, ResponseCancelledError("the conversation was closed"))

    def __reduce__(self) -> NoReturn:
        message = "a conversation is not copied or pickled: use to_dict() and from_dict()"
        raise TypeError(message)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._id} {self.model.model_id}>"


class AsyncConversation(AnyConversation[AsyncResponse]):
    """A conversation whose responses are awaited. Made by `AsyncModel.conversation()`."""

    __slots__ = ()
    _view = AsyncResponse

    def _home(self) -> Loop | None:
        return running()

    async def close(self) -> None:
        """Ends what runs and takes no more prompts; returns when nothing of it is left. Idempotent."""
        ending = self._shut()
        if ending is not None:
            with contextlib.suppress(ActorDeadError):  # it ended with its loop, and all its turns with it
                for log in await ending:
                    await log.ended()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Conversation(AnyConversation[Response]):
    """A conversation whose responses block the thread that reads them.

    Made by `Model.conversation()`; its work is done on the background loop.
    """

    __slots__ = ()
    _view = Response

    def _home(self) -> Loop | None:
        return background()

    def close(self) -> None:
        """Ends what runs and takes no more prompts; returns when nothing of it is left. Idempotent."""
        ending = self._shut()
        if ending is not None:
            with contextlib.suppress(ActorDeadError):  # as above
                for log in ending.get():
                    log.ended_blocking()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
