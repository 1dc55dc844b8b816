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
    talking, ends = seen.talking, world.program.ends is not None
    talk = talking.talk
    mates = [other.answer for other in talking.sent]  # the answer to what was steered in or joined is its own too
    due = [*talking.due, *(one.sent_at + one.timeout for one in talking.sent if one.timeout is not None)]
    reasons: dict[type[BaseException], bool] = {
        llm.BudgetExceeded: any(other.budget is not None for other in talking.sent),
        llm.SystemShutdownError: talking.cancels,
        llm.ResponseCancelledError: talking.cancels or talk.when_busy == "replace" or ends,
        llm.DeadlineExceededError: any(seen.count.sealed_at >= when for when in due),
        llm.LoopClosedError: ends or talking.crashes,
        llm.ConversationCrashedError: talking.crashes,
        ActorDeadError: talking.crashes,
        llm.ChainLimitError: sum(len(answer.rounds) for answer in mates) > world.program.chain_limit,
        llm.PauseChain: "pauses" in talk.tools or talk.before_call == "pauses",
        llm.LLMError: str(error) == "the hook" and "raises" in (talk.before_call, talk.after_call),
        llm.InvalidRequestError: seen.kind == "resume",
    }
    if error is None:
        return True
    if type(error) in reasons:
        return reasons[type(error)]
    return isinstance(error, llm.ModelError) and any(end in FAULTS for answer in mates for end in answer.faults())
