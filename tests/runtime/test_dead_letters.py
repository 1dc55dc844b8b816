import asyncio
import logging

import pytest

from llm_actors.runtime import Actor, ActorDeadError, ThreadingActor, dead_letters, here

WAIT = 30.0


class Echo(Actor):
    def on_receive(self, message):
        if message == "fail":
            raise ZeroDivisionError
        return message


@pytest.fixture
def letters():
    found = []

    def note(actor, message, reason):
        found.append((actor.split()[0], message, reason))

    dead_letters.append(note)
    yield found
    dead_letters.remove(note)


def test_a_tell_after_the_stop_is_a_dead_letter_and_raises(letters):
    async def main():
        ref = Echo.start()
        await ref.stop(block=False)
        with pytest.raises(ActorDeadError):
            ref.tell("late")
        with pytest.raises(ActorDeadError):
            await ref.ask("asked late", block=False)
        assert await ref.stop(block=False) is False  # a stop is no letter

    asyncio.run(main())
    assert [letter[:2] for letter in letters] == [("Echo", "late"), ("Echo", "asked late")]


@pytest.mark.parametrize(
    ("end", "reason"), [("stop", "stopped"), ("kill", "killed"), ("fail", "failed"), ("loop", "loop")]
)
def test_mail_that_is_left_becomes_a_dead_letter_with_the_reason(end, reason, letters):
    async def main():
        ref = Echo.start()
        answers = []

        def send():
            if end == "fail":
                ref.tell("fail")
            ref.tell("left")
            answers.append(ref.ask("asked", block=False))

        if end == "loop":
            here().on_end(send)
            await asyncio.get_running_loop().shutdown_asyncgens()
        else:
            send()
        if end == "stop":
            ref.stop(block=False, now=True)
        elif end == "kill":
            ref.kill(block=False)
        with pytest.raises(ActorDeadError):
            await answers[0]

    asyncio.run(main())
    assert [letter[:2] for letter in letters] == [("Echo", "left"), ("Echo", "asked")]
    assert all(reason in letter[2] for letter in letters)


def test_mail_left_in_a_loop_that_was_just_closed_becomes_dead_letters_at_the_next_touch(letters):
    async def main():
        return Echo.start()

    asyncio_loop = asyncio.new_event_loop()
    ref = asyncio_loop.run_until_complete(main())
    ref.tell("left")
    asyncio_loop.close()
    assert not ref.is_alive()
    assert letters == [("Echo", "left", "its event loop is closed")]


def test_threading_actors_have_dead_letters_too(letters):
    class Gate(ThreadingActor):
        use_daemon_thread = True

    ref = Gate.start()
    ref.stop()
    with pytest.raises(ActorDeadError):
        ref.tell("late")
    with pytest.raises(ActorDeadError):
        ref.actor_inbox.put(_told("raced"))
    assert [letter[1] for letter in letters] == ["raced"]  # Pykka's tell() itself refuses the first


def _told(message):
    from llm_actors.runtime.mailbox import Envelope

    return Envelope(message)


def test_the_log_has_the_messages_type_alone_and_hooks_that_fail(letters, caplog):
    def fail(*_):
        raise ZeroDivisionError

    dead_letters.insert(0, fail)
    try:
        with caplog.at_level(logging.DEBUG, logger="llm_actors.runtime"):
            test_a_tell_after_the_stop_is_a_dead_letter_and_raises(letters)
    finally:
        dead_letters.remove(fail)
    assert "dead letter for <ActorRef" not in caplog.text
    assert "dead letter for Echo (urn:uuid:" in caplog.text
    assert "a str" in caplog.text
    assert "late" not in [record.getMessage() for record in caplog.records]
    assert "a dead letter hook raised" in caplog.text
