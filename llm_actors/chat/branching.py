"""Conversations that part and meet: `fork()`, `replace()`, `merge()`, the same words in both dresses.

A fork shares all that was said before it, so n of them cost n pointers, and has an id, an actor and a future of its own. In mid-turn it
begins at the last thing that can't be taken back any more: what the running turn was asked is not in it before there is an answer, an
answer that asks for tools is, and calls that have no result yet are open there: the next prompt of the fork goes on without them, its
`chain()` without a prompt runs them. What waits in the mailbox stays where it is.
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from llm_actors.errors import ActorError, ConversationBusyError
from llm_actors.messages import Message, Options, Prompt
from llm_actors.runtime import current

from .change import Change
from .errand import Errand, Merging, Replacing
from .event_log import EventLog
from .history import Entry, History
from .history_branch import said_since, settled
from .inheritance import held, scope_of
from .live_turn import PromptMail
from .response_facts import ResponseFacts
from .scope import Scope
from .sent_prompt import SentPrompt
from .tools import toolboxes_in

if TYPE_CHECKING:
    from .compaction import Compaction
    from .failures import Failures
    from .model import AnyModel
    from .origin import Origin
    from .seams import WhenBusy

R = TypeVar("R")

_KEPT = (
    "tools",
    "before_call",
    "after_call",
    "chain_limit",
    "when_busy",
    "failures",
    "compaction",
    "compact_at",
)
"""What a fork has as the conversation has it, unless something else is given."""


class Branching(Generic[R]):
    """See the head of this file. Any thread."""

    __slots__ = ()

    model: AnyModel
    _history: History
    _closed: bool
    timeout: float | None
    scope: Scope

    def fork(
        self,
        *,
        at: ResponseFacts | None = None,
        model: AnyModel | None = None,
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
    ) -> Self:
        """A new conversation with the same past, in O(1): all that was said until now, or with `at` until right after that response.

        Model, tools, hooks and limits are those of this one unless others are given (`tools=[]`: none); the name is not. Timeout, deadline,
        budget and group hold for the fork too. `at` is a response of this conversation that has ended, or one of its `responses` (of a
        round that asked for tools: the calls are open). Raises ValueError for another one.
        """
        given = dict(locals())
        history = settled(self._history) if at is None else self._history_at(at)
        settings = {setting: getattr(self, setting) if given[setting] is None else given[setting] for setting in _KEPT}
        fork = self._made(model or self.model, id=id, name=name, **settings)
        fork._history.head = history.head  # noqa: SLF001 - another one of these
        fork._share_limits(self)  # noqa: SLF001 - as above
        return fork

    def replace(self, source: Iterable[Message] | Branching[Any] | ResponseFacts) -> Change:
        """The history begins anew: with these messages, or those of another conversation, or of one as it was after a response.

        It waits its turn among the prompts, so it never meets one half way: prompts sent before it see the old history, those after it the
        new one. `responses` begins anew too. Raises TypeError for what is no message, ConversationBusyError for a conversation and
        ValueError for a response that has not ended.
        """
        if isinstance(source, Branching):
            messages = source._settled_now("replace()").messages()  # noqa: SLF001 - as above
        elif isinstance(source, ResponseFacts):
            messages = _after(source).messages()
        else:
            messages = list(source)
        given: list[Any] = messages
        wrong = next((each for each in given if not isinstance(each, Message)), None)
        if wrong is not None:
            msg = f"replace() takes messages, a conversation or a response, not {type(wrong).__name__}: {wrong!r:.80}"
            raise TypeError(msg)
        return self._sent(Replacing(messages))

    def merge(self, *forks: Branching[Any]) -> Change:
        """Puts what the forks have said since they parted from this conversation behind what was said here, one fork after the other.

        Where they parted is found by the past they share; a conversation that shares none is appended whole; what was merged before is
        left out. It waits its turn among the prompts, and calls left open here are given up, as by a prompt. `responses` shows the forks'
        answers too. Raises ConversationBusyError for a fork with a turn under way, ValueError for one whose history began anew since.
        """
        said: list[Entry] = []
        for fork in forks:
            try:
                said += said_since(fork._settled_now("merge()"), self._history)  # noqa: SLF001 - as above
            except ValueError as error:
                msg = f"{fork!r} can't be merged: {error}"
                raise ValueError(msg) from None
        return self._sent(Merging(said))

    # ---- how they do it

    def errand(self, errand: Errand, *, tools: Sequence[Any] = (), hooks: tuple[Any, Any] = (None, None)) -> EventLog:
        """Sends a turn that calls no model; gives its log. `tools` as they were resolved. Raises ActorError for a closed conversation."""
        if self._closed:
            msg = f"{self!r} is closed"
            raise ActorError(msg)
        sent = SentPrompt(Prompt(), options=Options(), tools=list(tools))
        log = EventLog(current().new_id(), sent, self.model, self._as_origin())
        scope, sent_at = scope_of(sent.said, self, None)
        mail = PromptMail(
            log,
            model=self.model,
            key=None,
            toolboxes=toolboxes_in(tools),
            before_call=hooks[0],
            after_call=hooks[1],
            chain_limit=None,
            scope=scope,
            sent_at=sent_at,
            context=contextvars.copy_context(),
            errand=errand,
        )
        with held(scope.groups, log):
            self._place(mail)
        return log

    def _sent(self, errand: Errand) -> Change:
        return Change(self.errand(errand), errand)

    def _settled_now(self, what: str) -> History:
        if self.waiting:
            msg = f"{what} can't take {self!r} while it has a turn under way: wait for its response, or close it"
            raise ConversationBusyError(msg)
        return settled(self._history)

    def _history_at(self, response: ResponseFacts) -> History:
        if response.conversation is not self:
            owner = f"belongs to {response.conversation!r}" if response.conversation is not None else "belongs to none"
            msg = f"fork(at=) takes a response of this conversation; {response!r} {owner}"
            raise ValueError(msg)
        return _after(response)

    def _made(self, model: AnyModel, **settings: Any) -> Self:
        return type(self)(model, **settings)  # type: ignore[call-arg]  # the conversation's own constructor

    @property
    def id(self) -> str:
        """ULID of the conversation."""
        raise NotImplementedError

    @property
    def waiting(self) -> int:
        """Prompts that have been sent and not ended."""
        raise NotImplementedError

    def _place(self, mail: PromptMail) -> None:
        raise NotImplementedError

    def _as_origin(self) -> Origin:
        raise NotImplementedError

    def _share_limits(self, other: Branching[R]) -> None:
        raise NotImplementedError


def _after(response: ResponseFacts) -> History:
    history = response._log.history  # noqa: SLF001 - a response shows no history, the conversation that made it may ask for it
    if history is None:
        msg = f"{response!r} has not ended: wait for it"
        raise ValueError(msg)
    return history
