"""What a supervisor has of a child: a post, which one incarnation after another holds."""

from __future__ import annotations

from typing import Any

from .ending import Ending, Watch


class Post:
    """One for each child, as long as that has a supervisor."""

    ref: Any
    """What reaches the incarnation that is there."""

    def begin(self) -> None:
        """Makes an incarnation. Raises what its making raises. Its loop, but for the first: any thread."""
        raise NotImplementedError

    @property
    def incarnation(self) -> Any:
        """The actor that is there, or was last; None where there was none. Any thread."""
        raise NotImplementedError

    @property
    def held(self) -> bool:
        """Whether there is an incarnation that has not ended. Any thread."""
        raise NotImplementedError

    def watch(self, watch: Watch) -> None:
        """Has `watch(ending)` called when the incarnation that is there ends. Any thread."""
        raise NotImplementedError

    def stop(self, *, for_good: bool) -> None:
        """Asks the incarnation to stop, ahead of its mail. Any thread."""
        raise NotImplementedError

    def kill(self) -> bool:
        """Ends the incarnation at once; False where that can't be done. Any thread."""
        raise NotImplementedError

    def let_go(self) -> None:
        """The incarnation that is there can't be ended, and does not count any more. Its loop only."""

    def close(self, ending: Ending) -> None:
        """No incarnation follows: what waits is answered. Again is no error. Any thread."""
        raise NotImplementedError
