"""A conversation's handle: what users hold, in an async and a sync dress. It owns the history and posts prompts to its actor.

The actor lives on one loop: that of the first prompt. When that loop has ended, the next prompt makes a new actor on the loop then in
use, with the same history. Prompts written down while no loop runs are posted together, in order, when somebody first waits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self

import msgspec

from llm_actors.errors import ResponseCancelledError
from llm_actors.messages import Attachment, AttachmentPart, Message, Prompt, TextPart
from llm_actors.observe import ConversationClosed
from llm_actors.runtime import ActorDeadError, ActorRef, Loop, background, current, running
from llm_actors.runtime.binding import making
from llm_actors.runtime.intensity import checked_intensity

from . import arguments
from .among_actors import AmongActors
from .asking import ask
from .branching import Branching
from .budget import Budget
from .compaction import Compaction, check_compaction
from .event_log import EventLog
from .failures import Failures, checked
from .history import History, Replaced
from .inheritance import scope_of_owner
from .live_turn import PromptMail
from .origin import Origin
from .past import past_logs
from .posting import Posting
from .prompting import Prompting, R
from .response import AsyncResponse, Response
from .scope import Moment
from .seams import WhenBusy, busy_policy, find_model
from .seat import Seat
from .tools import toolboxes_in

if TYPE_CHECKING:
    from llm_actors.runtime import Future

    from .conversation_actor import ConversationActor
    from .model import AnyModel


class AnyConversation(AmongActors, Posting[R], Branching[R], Prompting[R]):
    """What both dresses share. Any thread, but for what says otherwise."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_history",
        "_id",
        "_seat",
        "_single",
        "_tools",
        "after_call",
        "before_call",
        "chain_limit",
        "compact_at",
        "compaction",
        "failures",
        "intensity",
        "model",
        "name",
        "period",
        "scope",
        "timeout",
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
        compaction: Compaction | None = None,
        compact_at: int | None = None,
        timeout: float | None = None,
        deadline: Moment | None = None,
        budget: Budget | None = None,
        intensity: int | None = None,
        period: float | None = None,
        single: bool = False,
    ) -> None:
        self.model = model
        self.name = name
        self._tools: list[Any] | None = arguments.listed("tools", tools, object, "a_function") or None
        self.before_call = arguments.hook("before_call", before_call)
        self.after_call = arguments.hook("after_call", after_call)
        self.chain_limit = arguments.limit("chain_limit", chain_limit)
        self.when_busy: WhenBusy | None = busy_policy(when_busy)
        self.failures = checked(failures)
        self.compaction, self.compact_at = check_compaction(compaction, compact_at)
        self.intensity, self.period = checked_intensity(intensity, period)
        self._id = id or current().new_id()
        self.timeout = arguments.seconds("timeout", timeout)
        self.scope = scope_of_owner(deadline, budget, f"conversation {self._id}")
        self._history = History()
        self._seat = Seat(self._history)
        self._unposted = ()
        self._single = single
        self._closed = False

    @property
    def tools(self) -> list[Any]:
        """The tools that each prompt offers where it brings none; made when asked for, as most conversations have none (56 bytes)."""
        tools = self._tools
        if tools is None:
            with making:
                tools = self._tools = [] if self._tools is None else self._tools
        return tools

    @tools.setter
    def tools(self, tools: list[Any]) -> None:
        self._tools = tools

    @property
    def offered(self) -> Sequence[Any]:
        """The same, to look at only."""
        return self._tools or ()

    # ---- asking: prompt() and chain() are in prompting.py

    def _target(self) -> AnyConversation[R]:
        return self

    def _as_origin(self) -> Origin:
        return self

    def _share_limits(self, other: Branching[R]) -> None:
        self.timeout, self.scope = other.timeout, other.scope

    def say(self, prompt: Prompt, take: Callable[[PromptMail], object] | None = None) -> R:
        """Sends a prompt that came as a message: `conversation.ref.ask(Prompt("hi"), block=False)` ends up here.

        `take`: the actor's own way to take it in, at once: posted, it would come behind prompts that were sent after the message.
        """
        if not prompt.tools:
            prompt = msgspec.structs.replace(prompt, tools=list(self.offered))
        limit = arguments.limit("chain_limit", prompt.chain_limit)
        return self.post(ask(self.model, prompt), toolboxes_in(prompt.tools), limit=limit, take=take)

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
        sent = ask(self.model, "\n".join(texts), attachments=files, tools=self.offered, chain=bool(self._tools))
        return self.post(sent, toolboxes_in(self.offered), steers=True)

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

        Binds the conversation to the running loop, else to the background loop; prompts that waited for a loop go there first.
        """
        actor = self._seat.kept_actor(self, running() or background())
        self._deliver_to(actor.engine.loop)
        return actor.actor_ref

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
    def from_dict(cls, plain: Mapping[str, Any], *, model: AnyModel | None = None, **more: Any) -> Self:
        """The conversation that `to_dict()` wrote, to go on with `model` (left out: the one named there); `more`: as for a new one.

        Also the one that a response ends, as its `to_dict()` wrote it, here or in the peer. Raises UnknownModelError, ValueError.
        """
        asked: Mapping[str, Any] = plain.get("prompt") or {}  # only a response has it
        own: dict[str, Any] = {} if asked else {"id": plain.get("id"), "name": plain.get("name")}
        used = model or find_model(plain["model"], is_async=cls._view is AsyncResponse)
        conversation = cls(used, **{**own, **more})
        messages = [*asked.get("messages", ()), *plain.get("messages", ())]
        said = tuple([Message.from_dict(message) for message in messages])
        if said:
            conversation._history.append(Replaced("", said))
        return conversation

    def let_go(self) -> None:
        """It has been at rest for a while."""
        self._seat.let_go()

    # ---- its end --------------------------------------------------------------------------------------------------------

    def retire(self) -> None:
        """Takes no more prompts: its group has ended, and with it its turns."""
        self._closed = True

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
    """A conversation whose responses are awaited. Made by `AsyncModel.conversation()`. Any thread, any loop."""

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
        stopping = self._seat.end()
        if stopping is not None:
            await stopping

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Conversation(AnyConversation[Response]):
    """A conversation whose responses block the thread that reads them.

    Made by `Model.conversation()`; its work is done on the background loop. Any thread.
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
        stopping = self._seat.end()
        if stopping is not None:
            stopping.get()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
