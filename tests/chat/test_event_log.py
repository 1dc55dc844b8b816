"""The event log alone: one writer, any number of readers, and who is woken."""

import asyncio
import sys
import threading

import pytest

import llm_actors as llm
from llm_actors.chat.asking import ask
from llm_actors.chat.event_log import EventLog
from llm_actors.chat.origin import Origin
from llm_actors.messages import StreamEvent
from llm_actors.runtime import background, running

from .speakers import Says, run


def made(loop=None, origin=None):
    log = EventLog("id", ask(Says(), "hi"), Says(), origin)
    log.loop = loop
    return log


def test_a_blank_stands_between_two_rounds_where_neither_side_has_white_space():
    for first, second, whole in (("a", "b", "a b"), ("a ", "b", "a b"), ("a", "\nb", "a\nb"), ("", "b", "b")):
        log = made()
        log.write([first, StreamEvent("round", "2"), second])
        assert log.text_so_far() == whole
        log.seal(None, [], [])
        assert log.text_so_far() == whole  # folded, it is the same


def test_an_append_wakes_only_who_waits_once_for_all_that_one_read_brought():
    async def main():
        log = made(running())
        waiter = log.more(0)
        log.write(["a", "b"])
        assert waiter.done()
        assert log.more(0) is None
        later = log.more(2)
        assert not later.done()
        log.write(["c"])
        assert later.done()
        assert list(log.since(1)) == ["b", "c"]

    run(main())


def test_readers_that_wait_for_the_end_go_on_after_the_release():
    async def main():
        log = made(running())
        end = log.end()
        log.write(["a"])
        log.seal(None, [], [])
        assert not end.done()
        assert log.more(1) is None  # nothing more will come
        log.release()
        assert end.done()
        assert log.end() is None

    run(main())


def test_a_writer_and_readers_in_threads_miss_nothing():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        loop = background()
        log = made(loop)
        readings = [[] for _ in range(4)]

        def read(seen):
            while items := log.after_blocking(len(seen)):
                seen.extend(items)
            log.ended_blocking()

        threads = [threading.Thread(target=read, args=(seen,)) for seen in readings]
        for thread in threads:
            thread.start()
        for number in range(500):
            loop.post(log.write, [str(number)])
        loop.post(lambda: (log.seal(None, [], []), log.release()))
        for thread in threads:
            thread.join(30)
        whole = [str(number) for number in range(500)]
        assert [len(seen) for seen in readings] == [500] * 4
        assert readings == [whole] * 4
    finally:
        sys.setswitchinterval(interval)


class Asked(Origin):
    """An origin that remembers what it was asked for."""

    id = "asked"

    def __init__(self):
        self.asked = []

    def deliver(self):
        self.asked.append("deliver")

    def cancel(self, log, error, *, given_up=False):
        self.asked.append(type(error).__name__)

    def lost(self):
        self.asked.append("lost")


def test_it_asks_its_conversation_to_deliver_to_cancel_and_whether_it_is_lost():
    origin = Asked()
    log = made(origin=origin)
    log.more(0)
    log.cancel()
    log.cancel(llm.DeadlineExceededError("x"))
    loop = asyncio.new_event_loop()

    async def touch():
        return running()

    log.loop = loop.run_until_complete(touch())
    loop.close()
    assert log.over()
    assert origin.asked == ["deliver", "ResponseCancelledError", "DeadlineExceededError", "lost"]
    with pytest.raises(llm.LoopClosedError):
        log.check()
    log.cancel()  # is over
    log.deliver()
    assert len(origin.asked) == 4


def test_an_origin_says_what_is_missing():
    for call in (lambda o: o.deliver(), lambda o: o.cancel(made(), ValueError()), lambda o: o.lost(), lambda o: o.id):
        with pytest.raises(NotImplementedError):
            call(Origin())


def test_without_an_origin_it_is_a_log_all_the_same():
    log = made()
    log.cancel()
    log.write(["a"])
    log.seal(None, [], [])
    log.release()
    assert log.ended_blocking() is log
    assert log.on_done(None) is False
    assert log.last is None


def test_what_could_not_be_taken_ends_the_log():
    from llm_actors.runtime import ActorDeadError

    dead = ActorDeadError("gone")
    dead.__cause__ = llm.LoopClosedError("closed")
    for error, expected in ((dead, llm.LoopClosedError), (ActorDeadError("gone"), ActorDeadError)):
        log = made()
        log.not_taken(error)
        assert log.released
        with pytest.raises(expected):
            log.check()


@pytest.mark.parametrize("kind", ["thread", "task"])
def test_a_wake_up_for_what_a_reader_has_seen_already_does_not_end_its_stream(kind):
    """C4: each sees the whole stream: a writer in another thread may wake a reader that has just joined for what it has read before."""

    async def main():
        log = made(background())
        reading = asyncio.to_thread(log.after_blocking, 0) if kind == "thread" else log.after(0)
        reader = asyncio.create_task(reading)
        for _ in range(3):
            while not log._waiters:  # noqa: ASYNC110 - that it waits has no event
                await asyncio.sleep(0)
            log._wake()
        while not log._waiters:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        assert not reader.done()
        log.write(["a"])
        assert await reader == ["a"]

    run(main())


def test_who_waits_for_the_release_of_a_complete_answer_when_its_loop_ends_gets_the_answer():
    async def main():
        log = made(running())
        waiters = [log.end(), log.end()]
        log.write(["whole"])
        log.seal(None, [], [])
        return log, waiters

    for wait in (lambda log, waiter: log.block(waiter), lambda log, waiter: run(log.wait(waiter))):
        log, (waiter, _) = run(main())
        wait(log, waiter)
        log.check()
        assert (log.text_so_far(), log.released) == ("whole", True)
