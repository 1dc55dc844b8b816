"""The part of a turn that asks the failure table what to do: end, go on with another model, compact the history, tell the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from llm_actors.errors import RepeatedToolCallsError, ToolCrashedError
from llm_actors.messages import StreamEvent, ToolCall
from llm_actors.messages.parts import user
from llm_actors.observe import ModelReplaced
from llm_actors.observe import RoundFailed as RoundFailedRecord

from . import turn_mail as mail_
from .failures import Action, After, Compact, Fail, Fallback, GiveUp
from .history import Replaced, Said, interrupted_messages
from .repetition import Repetition
from .turn_ending import TurnEnding
from .turn_mail import Bury, Command, CompactHistory, Emit, Observe

Crash = tuple[ToolCall, BaseException]


class TurnFailing(TurnEnding):
    """See the head of this file, and of failures.py for the actions."""

    _model: Any = None  # the conversation's own
    _tried: frozenset[str | int] = frozenset()  # beside that
    _compacted = _compacted_ahead = False
    _crashes = 0
    _repetition: Repetition | None = None  # from the first tool round on
    _restart: str | None = None
    restarts = 0

    @property
    def model(self) -> str:
        """The id of the model that is called now."""
        return _name(self._model) if self._model is not None else self.plan.model

    # ---- a model call failed

    def _round_failed(self, mail: mail_.RoundFailed) -> list[Command]:
        if self.state != "calling" or mail.round != self.round:
            return self._round_stopped(mail_.RoundStopped(mail.now, mail.round, mail.messages))
        plan = self.plan
        failed = RoundFailedRecord(
            now=mail.now, conversation=plan.conversation, response=plan.id, round=self.round, error=repr(mail.error)
        )
        action = plan.failures.action_for(mail.error)
        again = self._again(action, mail) if not mail.items or getattr(action, "restart", False) else None
        if again is not None:
            return [Observe(failed), *again]
        self._error = mail.error
        self._partial = interrupted_messages(mail.messages, "failed")
        self.state = "stopping"
        return [Observe(failed), *self._bury(action, mail.error), *self._close(mail.now)]

    def _again(self, action: Action, mail: mail_.RoundFailed) -> list[Command] | None:
        """The commands that make the call again, None where nothing is left to try. What came of the failed one is taken back."""
        commands = self._remedy(action, mail.error, mail.now)
        if commands is None:
            return None
        self._restart = f"{type(mail.error).__name__}: {mail.error}" if mail.items else ""
        self.restarts += 1
        if self.state == "compacting":
            return commands
        self.state = "steering"  # nothing runs any more that an error would have to stop
        return [*commands, *self._go_on(mail.now)]

    def _remedy(self, action: Action, error: BaseException, now: float) -> list[Command] | None:
        """Takes the other model, or begins to compact; None where the action is to end, or is used up."""
        if isinstance(action, Compact) and not self._compacted:
            self._compacted = True
            self.state = "compacting"
            return [CompactHistory(action.policy, error, self._tokens, self._bound)]
        if isinstance(action, Fallback):
            tried = {self.plan.model, *self._tried}
            found = next((model for model in action.models if _key(model) not in tried), None)
            if found is not None:
                self._tried |= {_key(found)}
                self._model = found
                plan = self.plan
                record = ModelReplaced(
                    now=now,
                    conversation=plan.conversation,
                    response=plan.id,
                    model=self.model,
                    error=repr(error),
                )
                return [Observe(record)]
        return None

    def _compact_ahead(self) -> list[Command] | None:
        """Compacts before a call that would exceed the bound, once: if that was not enough, the provider decides."""
        compacts, bound = self.plan.compacts, self._bound
        if compacts is None or bound is None or self._tokens <= bound or self._compacted_ahead:
            return None
        self._compacted_ahead = True
        self.state = "compacting"
        return [CompactHistory(compacts.policy, None, self._tokens, bound)]

    def _compacted_history(self, mail: mail_.Compacted) -> list[Command]:
        if self.state == "stopping":
            self._stopping_job = False
            return self._close(mail.now)
        if self.state != "compacting":
            return []
        self.state = "steering"  # nothing runs any more that an error would have to stop
        if mail.error is not None:
            return self._end(mail.error, mail.now)
        return self._append([Replaced(self.plan.id, tuple(mail.messages), compacted=True)], mail.now)

    # ---- tools failed

    def _judged(self, calls: list[ToolCall], crashes: list[Crash], now: float) -> list[Command] | None:
        """What the failures of a tool round lead to; None: the turn goes on as it would have."""
        if crashes:
            call, cause = crashes[0]
            crashed = ToolCrashedError(f'the tool "{call.name}" raised {cause!r}', call)
            crashed.__cause__ = cause
            self._crashes += len(crashes)
            commands = self._lead(crashed, self._crashes, now)
            if commands is not None:
                return commands
        self._repetition = self._repetition or Repetition()
        rounds = self._repetition.round(calls, self._results)
        if rounds == 1:
            return None
        names = ", ".join(dict.fromkeys(call.name for call in calls))
        text = f"{rounds} rounds in a row made the same calls ({names}) with the same arguments and the same results"
        return self._lead(RepeatedToolCallsError(text, calls, rounds), rounds, now)

    def _lead(self, error: ToolCrashedError | RepeatedToolCallsError, times: int, now: float) -> list[Command] | None:
        action = self.plan.failures.action_for(error)
        if isinstance(action, After):
            if times < action.times:
                return None
            action = action.action
        if isinstance(action, Fail | GiveUp):
            return [*self._bury(action, error), *self._end(error, now)]
        remedy = self._remedy(action, error, now)
        if remedy is not None:
            return remedy if self.state == "compacting" else [*remedy, *self._go_on(now)]
        if isinstance(action, Fallback | Compact):  # used up
            return self._end(error, now)
        if isinstance(error, ToolCrashedError):  # its result says it
            return None
        self.state = "steering"
        return self._append([Said(self.plan.id, user(f"{error}. Do something else, or answer."))], now)

    # ---- what both do

    def _bury(self, action: Action, error: BaseException) -> list[Command]:
        return [Bury(repr(error))] if isinstance(action, GiveUp) else []

    def _restarted(self) -> list[Command] | None:
        """For the next call: the event that takes back what came of the one that failed; None when it is no restart."""
        restart = self._restart
        if restart is None:
            return None
        self._restart = None
        return [Emit([StreamEvent("restart", restart)])] if restart else []

    def _go_on(self, now: float) -> list[Command]:
        raise NotImplementedError

    FAILINGS: ClassVar[dict[type, Callable[[Any, Any], list[Command]]]] = {
        **TurnEnding.ENDINGS,
        mail_.RoundFailed: _round_failed,
        mail_.Compacted: _compacted_history,
    }


def _name(model: Any) -> str:
    return model if isinstance(model, str) else str(model.model_id)


def _key(model: Any) -> str | int:
    """Two models of one name are two: they may be at two places."""
    return model if isinstance(model, str) else id(model)
