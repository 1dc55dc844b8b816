"""Each dead letter reaches the observers of the system whose actor it was for, with the reason, and is counted."""

import asyncio
import logging

import pytest

import llm_actors as llm
from llm_actors.observe import DeadLetter
from llm_actors.runtime import ActorDeadError, ThreadingActor


class Takes(llm.Actor):
    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message


class Bounded(Takes):
    mailbox_bound = 1


class Threaded(ThreadingActor):
    use_daemon_thread = True

    on_receive = Takes.on_receive


@pytest.fixture(autouse=True)
def _quiet(caplog):
    with caplog.at_level(logging.CRITICAL):
        yield


@pytest.mark.parametrize(("kind", "supervised"), [(Takes, True), (Threaded, True), (Takes, False)])
def test_mail_for_the_dead_reaches_the_observers_of_the_system_that_the_actor_was_started_in(kind, supervised, run):
    seen, others = [], []

    async def main():
        with llm.ActorSystem(observers=[others.append]) as other:
            async with llm.ActorSystem(observers=[seen.append]) as system:
                ref = system.start(kind, restart="temporary") if supervised else kind.start()
                ref.tell(KeyError("x"))
                left = ref.ask("left", block=False)
                with pytest.raises(ActorDeadError):
                    await left
                await system.monitor(ref)
                with pytest.raises(ActorDeadError):
                    ref.tell({"late": 1})
                assert system.dead_letters == 2
        assert other.dead_letters == 0
        assert {record.message for record in letters(seen)} == {"str", "dict"}
        assert all(record.reason and kind.__name__ in record.actor for record in letters(seen))
        assert not letters(others)

    run(main())


def letters(records):
    return [record for record in records if isinstance(record, DeadLetter)]


def test_a_message_too_many_is_one_and_an_observer_that_raises_harms_nobody(run):
    seen = []

    def fails(_):
        raise KeyError

    async def main():
        async with llm.ActorSystem(observers=[fails, seen.append]) as system:
            ref = system.start(Bounded)
            ref.tell("fits")
            with pytest.raises(llm.MailboxFullError):
                ref.tell("too many")
            assert [(record.message, record.reason) for record in letters(seen)] == [
                ("str", "1 messages are waiting, which is the bound: str was not taken")
            ]

    run(main())


def test_those_of_no_system_are_the_default_ones(run):
    async def main():
        before = llm.actor_system.default_system.dead_letters
        ref = Takes.start()
        await ref.stop(block=False)
        with pytest.raises(ActorDeadError):
            ref.tell("late")
        assert llm.actor_system.default_system.dead_letters == before + 1
        await asyncio.sleep(0)

    run(main())
