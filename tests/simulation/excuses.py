"""Why a response may have ended with an error: each kind of error needs something in the program that accounts for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import llm_actors as llm
from llm_actors.runtime import ActorDeadError

from .answers import FAULTS

if TYPE_CHECKING:
    from .seen import Seen
    from .world import World


def is_excused(world: World, seen: Seen, error: BaseException | None) -> bool:
    """Whether the program accounts for this end."""
    talking, program = seen.talking, world.program
    mates = [other.answer for other in talking.sent]  # the answer to what was steered in or joined is its own too
    if error is None:
        return True
    if isinstance(error, llm.ResponseCancelledError):
        return talking.cancels or talking.talk.when_busy == "replace" or program.ends is not None
    if isinstance(error, llm.DeadlineExceededError):
        due = [other for other in talking.sent if other.timeout is not None]
        return any(seen.count.sealed_at >= other.sent_at + (other.timeout or 0) for other in due)
    if isinstance(error, llm.LoopClosedError):
        return program.ends is not None or talking.crashes
    if isinstance(error, llm.ConversationCrashedError | ActorDeadError):
        return talking.crashes
    if isinstance(error, llm.ChainLimitError):
        return True
    if isinstance(error, llm.PauseChain):
        return "pauses" in talking.talk.tools or talking.talk.before_call == "pauses"
    if type(error) is llm.LLMError and str(error) == "the hook":
        return "raises" in (talking.talk.before_call, talking.talk.after_call)
    if isinstance(error, llm.InvalidRequestError):
        return seen.kind == "resume"
    if isinstance(error, llm.ModelError):
        return any(end in FAULTS for answer in mates for end in answer.faults())
    return False
