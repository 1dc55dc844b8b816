"""Defects, put into the library one at a time: each has to be found by the simulation. What has no mutant may not be checked at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_actors.chat import conversation_work
from llm_actors.chat.arrivals import Arrivals
from llm_actors.chat.callbacks import run_callbacks
from llm_actors.chat.conversation_actor import ConversationActor
from llm_actors.chat.conversation_work import ConversationWork
from llm_actors.chat.event_log import EventLog
from llm_actors.chat.fold import Fold
from llm_actors.chat.history import Answered, Returned, Said, Withdrawn
from llm_actors.chat.live_turn import LiveTurn
from llm_actors.chat.python_threads import ThreadJob
from llm_actors.chat.round_writer import RoundWriter
from llm_actors.chat.script_model import ScriptFlight
from llm_actors.chat.seat import Seat
from llm_actors.chat.subscription import Subscription
from llm_actors.chat.tool_job import ToolJob
from llm_actors.chat.tool_line import ToolLine
from llm_actors.chat.tool_pool import ToolPool
from llm_actors.chat.tool_round import ToolRound
from llm_actors.chat.turn import Turn
from llm_actors.chat.turn_ending import TurnEnding
from llm_actors.chat.turn_mail import Append, Emit, Finish, RoundStopped, RunTool, StopSend, ToolDone
from llm_actors.loop_engine import LoopEngine
from llm_actors.runtime.future import Future
from llm_actors.runtime.mailbox import Mailbox

Patch = pytest.MonkeyPatch
MUTANTS: dict[str, Callable[[Patch], None]] = {}


def mutant(make: Callable[[Patch], None]) -> Callable[[Patch], None]:
    """Puts it on the list, under its name."""
    MUTANTS[make.__name__] = make
    return make


# ---- the turn


@mutant
def a_tool_result_is_dropped(patch):
    handle = Turn.handle

    def mutated(self, mail):
        return [] if isinstance(mail, ToolDone) and mail.call == 1 else handle(self, mail)

    patch.setattr(Turn, "handle", mutated)


@mutant
def a_deadline_is_ignored(patch):
    patch.setattr(TurnEnding, "_woken", lambda self, now: [])


@mutant
def an_answer_counts_although_the_cancel_came_first(patch):
    ended = Turn._round_ended

    def mutated(self, mail):
        if self.state == "stopping" and mail.round == self.round:
            self.state, self._stopping_round, self._error = "calling", False, None
        return ended(self, mail)

    patch.setitem(Turn._HANDLERS, next(kind for kind, made in Turn._HANDLERS.items() if made is ended), mutated)
    patch.setattr(RoundWriter, "ended", _ended_although_revoked)
    # No flight of ours ends after its stop, so that the guards above are never asked: here one does.
    patch.setattr(ScriptFlight, "stop", lambda self: None)


def _ended_although_revoked(self, result):
    self.revoked = False
    _ended(self, result)


_ended = RoundWriter.ended


@mutant
def a_steered_message_is_not_kept(patch):
    append = Turn._append

    def mutated(self, entries, now):
        return append(self, [] if self.state == "steering" else entries, now)

    patch.setattr(Turn, "_append", mutated)


@mutant
def calls_that_a_cancel_left_open_get_no_result(patch):
    patch.setattr(ToolRound, "unanswered", lambda self: [])


@mutant
def a_turn_that_ends_does_not_wait_for_its_tools(patch):
    patch.setattr(ToolRound, "idle", lambda self: True)


@mutant
def a_prompt_from_which_nothing_came_stays_in_the_history(patch):
    append = ConversationWork._append

    def mutated(self, live, command):
        kept = [entry for entry in command.entries if not isinstance(entry, Withdrawn)]
        return append(self, live, Append(kept))

    patch.setitem(ConversationWork._DO, Append, mutated)


@mutant
def a_chain_goes_on_past_its_limit(patch):
    patch.setattr(Turn, "_limit_reached", lambda self: False)


# ---- the history


@mutant
def a_result_is_kept_twice(patch):
    append = ConversationWork._append

    def mutated(self, live, command):
        twice = [entry for entry in command.entries for _ in range(1 + isinstance(entry, Returned))]
        return append(self, live, Append(twice))

    patch.setitem(ConversationWork._DO, Append, mutated)


@mutant
def a_prompt_is_kept_twice(patch):
    append = ConversationWork._append

    def mutated(self, live, command):
        twice = [entry for entry in command.entries for _ in range(1 + isinstance(entry, Said))]
        return append(self, live, Append(twice))

    patch.setitem(ConversationWork._DO, Append, mutated)


@mutant
def an_answer_is_not_kept(patch):
    append = ConversationWork._append

    def mutated(self, live, command):
        kept = [entry for entry in command.entries if not isinstance(entry, Answered)]
        return append(self, live, Append(kept))

    patch.setitem(ConversationWork._DO, Append, mutated)


# ---- mailbox and actor


@mutant
def the_last_prompt_begins_first(patch):
    enqueue = ConversationActor._enqueue

    def mutated(self, mail):
        enqueue(self, mail)
        if len(self._queue) > 1:
            self._queue.insert(0, self._queue.pop())

    patch.setattr(ConversationActor, "_enqueue", mutated)


@mutant
def mail_is_taken_last_in_first_out(patch):
    take = Mailbox.take

    def mutated(self):
        if len(self.mail) > 1 and not self._ahead:
            self.mail.appendleft(self.mail.pop())
        return take(self)

    patch.setattr(Mailbox, "take", mutated)


@mutant
def a_restart_forgets_what_waits(patch):
    restart = ConversationActor._restart

    def mutated(self, error):
        self._queue.clear()
        self._lives = {log: live for log, live in self._lives.items() if live is self._running}
        restart(self, error)

    patch.setattr(ConversationActor, "_restart", mutated)


@mutant
def a_steer_that_came_too_late_is_lost(patch):
    over = ConversationActor._over

    def mutated(self, live):
        live.steers.clear()
        over(self, live)

    patch.setattr(ConversationActor, "_over", mutated)


@mutant
def the_second_of_joined_prompts_is_lost(patch):
    take = LiveTurn.take
    patch.setattr(LiveTurn, "take", lambda self, voices, clock: take(self, voices[:1], clock))


@mutant
def a_busy_conversation_rejects_nothing(patch):
    patch.setattr(Seat, "claim", lambda self, log: True)


@mutant
def the_next_turn_is_not_begun(patch):
    over = ConversationActor._over

    def mutated(self, live):
        self._beginning = len(self._queue) > 1
        over(self, live)
        self._beginning = False

    patch.setattr(ConversationActor, "_over", mutated)


@mutant
def a_conversation_is_held_for_ever(patch):
    patch.setattr(LoopEngine, "drop", lambda self, conversation: None)


# ---- the model call


@mutant
def a_revoked_call_still_writes(patch):
    patch.setattr(RoundWriter, "write", lambda self, items: self._write(items))
    seal = ConversationWork._seal

    def mutated(self, live, error):
        ended = seal(self, live, error)
        if live.writer is not None:
            live.writer._log.write(["late"])
        return ended

    patch.setattr(ConversationWork, "_seal", mutated)


@mutant
def a_cancel_leaves_the_request_open(patch):
    def mutated(self, live, command):
        if live.writer is not None:
            live.writer.revoked = True
        return RoundStopped(self._now(), command.round, [])

    patch.setitem(ConversationWork._DO, StopSend, mutated)


@mutant
def a_sync_model_is_called_after_its_cancel(patch):
    patch.setattr(ThreadJob, "begins", lambda self: True)


# ---- the response


@mutant
def a_reader_skips_an_item(patch):
    batch = Arrivals.batch
    patch.setattr(Arrivals, "batch", lambda self, number: batch(self, number)[number == 2 :])


@mutant
def a_wake_up_is_lost(patch):
    def mutated(self):
        waiters, self._waiters = self._waiters, []
        for waiter in waiters[: -1 if len(waiters) > 1 else None]:
            if not waiter.done():
                waiter.set(None)

    patch.setattr(EventLog, "_wake", mutated)


@mutant
def a_future_wakes_nobody(patch):
    put = Future._set

    def mutated(self, outcome):
        self._waiter, self._waiters = None, ()
        put(self, outcome)

    patch.setattr(Future, "_set", mutated)


@mutant
def a_log_is_sealed_and_not_released(patch):
    def mutated(log, callbacks, engine):
        if log.error is None or not log.text_so_far():
            run_callbacks(log, callbacks, engine)

    patch.setattr(conversation_work, "run_callbacks", mutated)


@mutant
def a_callback_is_called_twice(patch):
    patch.setattr(conversation_work, "run_callbacks", lambda log, calls, engine: run_callbacks(log, calls * 2, engine))


@mutant
def callbacks_are_called_after_an_error_too(patch):
    def mutated(self, live, command):
        if not self._stays(live, command.error):
            for log, callbacks in self._seal(live, command.error):
                run_callbacks(log, callbacks, self.engine)

    patch.setitem(ConversationWork._DO, Finish, mutated)


@mutant
def a_partial_answer_is_handed_out(patch):
    patch.setattr(EventLog, "check", lambda self: None)


@mutant
def a_log_loses_its_last_item_when_it_is_folded(patch):
    init = Fold.__init__
    patch.setattr(Fold, "__init__", lambda self, items, text: init(self, items[:-1] if len(items) > 3 else items, text))


@mutant
def the_beginning_of_a_call_is_not_told(patch):
    commands = Turn._tool_commands

    def mutated(self, steps, now):
        return [one for one in commands(self, steps, now) if not _tells(one, "tool_started")]

    patch.setattr(Turn, "_tool_commands", mutated)


@mutant
def the_end_of_a_call_is_told_twice(patch):
    keep = Turn._keep_results

    def mutated(self, now):
        return [one for one in keep(self, now) for _ in range(1 + _tells(one, "tool_ended"))]

    patch.setattr(Turn, "_keep_results", mutated)


def _tells(command, kind):
    return isinstance(command, Emit) and not isinstance(command.items[0], str) and command.items[0].type == kind


@mutant
def a_subscriber_with_a_full_mailbox_misses_an_event(patch):
    pause = Subscription._pause

    def mutated(self):
        self._next += 1
        pause(self)

    patch.setattr(Subscription, "_pause", mutated)


# ---- the tool pool


@mutant
def the_bound_of_the_pool_is_ignored(patch):
    init = ToolPool.__init__

    def mutated(self, loop, *, workers=64, **more):
        init(self, loop, workers=workers + 3, **more)

    patch.setattr(ToolPool, "__init__", mutated)


@mutant
def a_tool_may_take_for_ever(patch):
    patch.setattr(ToolPool, "_time_is_up", lambda self, job: None)


@mutant
def a_place_is_not_given_back(patch):
    leave = ToolPool._leave_place

    def mutated(self, job):
        leave(self, job)
        self._active += job.verdict == "timeout"

    patch.setattr(ToolPool, "_leave_place", mutated)


@mutant
def methods_of_one_toolbox_run_together(patch):
    patch.setattr(ToolLine, "_admits", lambda self, job: True)


@mutant
def what_was_set_aside_is_answered_again(patch):
    came = ToolPool.came_back

    def mutated(self, job, worker, outcome):
        if job.state == "aside":
            job.answer(outcome)
        came(self, job, worker, outcome)

    patch.setattr(ToolPool, "came_back", mutated)


@mutant
def a_tool_is_called_after_its_cancel(patch):
    work = ToolJob.work

    def mutated(self, worker):
        self._unbegun.append(None)  # whoever stopped it has taken the other one
        work(self, worker)

    patch.setattr(ToolJob, "work", mutated)


@mutant
def a_tool_runs_twice(patch):
    patch.setattr(ConversationWork, "_run_tool", _run_twice)
    patch.setitem(ConversationWork._DO, RunTool, _run_twice)


def _run_twice(self, live, command):
    live.run.tool(command)
    live.run.tool(command)
