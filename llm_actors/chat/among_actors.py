"""What a conversation is to actors: watched, supervised, a subscriber of topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llm_actors.errors import ConversationBusyError, LLMError, MailboxFullError
from llm_actors.messages import Answer, Prompt
from llm_actors.runtime import ActorDeadError, Loop, Monitor, background
from llm_actors.runtime.settings import GRACE, Restart

if TYPE_CHECKING:
    from llm_actors.runtime import Child
    from llm_actors.runtime.topic import Topic

    from .seat import Seat


class AmongActors:
    """See the head of this file. Any thread."""

    __slots__ = ()

    if TYPE_CHECKING:
        _seat: Seat
        _closed: bool
        _id: str

        @property
        def offered(self) -> Sequence[Any]:
            """Its tools."""
            raise NotImplementedError

        def _loop(self) -> Loop | None: ...

        def say(self, prompt: Prompt, take: Any = None) -> Any:
            """Sends a prompt that came as a message."""

    @property
    def loop(self) -> Loop:
        """Where it is at work: the loop of its first prompt; before that the running loop, else the background loop."""
        return self._loop() or background()

    def monitor(self, watcher: Any = None) -> Monitor:
        """Watches for its end: a future of its `Down`, which `watcher`, an actor's reference, is also sent as mail.

        It ends when it is closed, when its actor crashed more often than its intensity allows (`failed`), is killed or stopped, or with its
        loop. Its history stays, and the next prompt goes on with it, unless it was closed or stopped. Not ended, it is held.
        """
        conversation: Any = self
        loop = self.loop
        watch = Monitor(self, self._seat.kept_actor(conversation, loop), watcher, loop)
        if self._closed:
            self._seat.end()
        return watch

    def child(
        self, *, name: str | None = None, restart: Restart = "transient", shutdown: float | None = GRACE
    ) -> Child:
        """Its specification as a child of a supervisor: `team.start_child(conversation.child())`. `name`: the child's id, else its own."""
        from llm_actors.runtime import Child  # noqa: PLC0415 - for who supervises

        from .conversation_post import ConversationPost  # noqa: PLC0415 - as above

        return Child(name or self._id, (ConversationPost, (self,)), restart, shutdown)

    def hear(self, message: Any, answers: Topic | None = None) -> Exception | None:
        """Takes what was published on a topic as a prompt: a str, a Prompt, or the text of an Answer; a chain, where it has tools.

        `answers`: where its own answer is published, as an Answer. Gives what `prompt()` would raise.
        """
        if self._closed:
            return ActorDeadError(f"{self!r} is closed")
        text = message.text if isinstance(message, Answer) else message
        if not isinstance(text, str | Prompt):
            return TypeError(f"a conversation hears str, Prompt and Answer, not {type(message).__name__}")
        prompt = text if isinstance(text, Prompt) else Prompt(text, chain=bool(self.offered))
        conversation: Any = self
        try:
            self._seat.actor(conversation, self.loop)  # no prompt that waits until somebody awaits it
            response = self.say(prompt)
        except (MailboxFullError, ConversationBusyError, LLMError, ValueError, TypeError) as error:
            return error
        if answers is not None:
            response.publish(answers)
        return None
