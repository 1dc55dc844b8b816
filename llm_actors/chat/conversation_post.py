"""A conversation as a child of a supervisor: its post, whose incarnations are its actors. The history and what waits outlive them.

stopped for good     its actor is stopped: what runs and what waits ends, and it takes no prompt any more
restarted            what runs ends with ConversationCrashedError, what waits goes on; by the same actor, where that is alive
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_actors.runtime.ending import Ending, Watch
from llm_actors.runtime.post import Post

from .restart_mail import RestartMail

if TYPE_CHECKING:
    from llm_actors.runtime import Loop

    from .conversation import AnyConversation
    from .conversation_actor import ConversationActor


class ConversationPost(Post):
    """See the head of this file."""

    def __init__(self, loop: Loop, conversation: AnyConversation[Any]) -> None:
        self.ref = conversation
        self._loop = loop
        self._actor: ConversationActor | None = None
        self._watched: ConversationActor | None = None
        self._watch: Watch | None = None

    def begin(self) -> None:
        """See Post."""
        seat = self.ref._seat  # noqa: SLF001 - its other half
        seat.renew()
        self._actor = seat.kept_actor(self.ref, self._loop)

    @property
    def incarnation(self) -> Any:
        """See Post."""
        return self._actor

    @property
    def held(self) -> bool:
        """See Post."""
        return self._actor is not None and not self._actor._actor_gone  # noqa: SLF001 - as a watch sees it

    def watch(self, watch: Watch) -> None:
        """See Post."""
        actor = self._actor
        assert actor is not None
        self._watch = watch
        if self._watched is not actor:
            self._watched = actor
            actor._actor_watch(self._tell)  # noqa: SLF001 - as above

    def _tell(self, ending: Ending) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch(ending)

    def stop(self, *, for_good: bool) -> None:
        """See Post."""
        assert self._actor is not None
        ref = self._actor.actor_ref
        if for_good:
            ref.stop(block=False, now=True)
        else:
            restarted = ref.ask(RestartMail(RuntimeError("restarted by its supervisor")), block=False, control=True)
            restarted.add_done_callback(lambda _: self._tell(Ending("stopped")))

    def kill(self) -> bool:
        """See Post."""
        if self._actor is not None:
            self._actor.actor_ref.kill(block=False)
        return True

    def close(self, ending: Ending) -> None:
        """See Post: what waits has been answered by its actor."""
