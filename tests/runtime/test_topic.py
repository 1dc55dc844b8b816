"""Topics: one order for all subscribers, any thread and loop, and nothing left of who has gone."""

# mypy: disable-error-code="attr-defined"

import asyncio
import gc
import logging
import threading
import weakref
from typing import Any

import pykka
import pytest

from llm_actors.errors import MailboxFullError
from llm_actors.runtime import Actor, ActorDeadError, ThreadingActor, background, carried, dead_letters, here
from llm_actors.runtime import subscriber as subscriber_
from llm_actors.runtime.carried import carrying
from llm_actors.runtime.topic import Topic, Topics

WAIT = 10.0


class Hears(Actor):
    def __init__(self):
        super().__init__()
        self.heard = []

    def on_receive(self, message):
        self.heard.append(message)
        return list(self.heard)


class Threaded(ThreadingActor):
    use_daemon_thread = True

    def __init__(self):
        super().__init__()
        self.heard = []

    on_receive = Hears.on_receive


class Pykkas(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self):
        super().__init__()
        self.heard = []

    on_receive = Hears.on_receive


@pytest.fixture
def letters():
    found = []

    def note(actor, message, reason):
        found.append((message, reason))

    dead_letters.append(note)
    yield found
    dead_letters.remove(note)


def run(main):
    async def bounded():
        async with asyncio.timeout(WAIT):
            return await main

    return asyncio.run(bounded())


def everything(ref, message="?"):
    return ref.ask(message, timeout=WAIT)[:-1]


# ---- who hears


def test_actors_of_every_kind_functions_and_readers_hear_what_is_published_in_order():
    async def main():
        topic = Topic("news")
        ref, here, heard, later = Hears.start(), asyncio.get_running_loop(), [], []
        others = [Threaded.start(), Pykkas.start(), Hears.start_on(background()).actor_ref]

        def function(message):
            assert asyncio.get_running_loop() is here
            heard.append(message)

        async def coroutine(message):
            await asyncio.sleep(0)
            later.append(message)
            if len(later) == 50:
                all_came.set()

        all_came = asyncio.Event()
        for target in (ref, *others, function, coroutine):
            topic.subscribe(target)
        reader = topic.subscribe()
        for number in range(50):
            topic.publish(number)
        assert [await anext(reader) for _ in range(50)] == list(range(50))
        reader.close()
        assert [message async for message in reader] == []
        assert (await ref.ask("?", block=False))[:-1] == list(range(50))
        for other in others:
            assert await asyncio.to_thread(everything, other) == list(range(50))
        await all_came.wait()
        assert heard == later == list(range(50))
        assert topic.subscribers == 6
        for other in others:
            await asyncio.to_thread(other.stop)

    run(main())


def test_all_subscribers_see_one_order_however_many_publish_at_once():
    refs = [Hears.start_on(background()).actor_ref, Threaded.start(), Threaded.start()]
    topic = Topic("news")
    for ref in refs:
        topic.subscribe(ref)
    barrier = threading.Barrier(4)

    def publish(who):
        barrier.wait(WAIT)
        for number in range(200):
            topic.publish((who, number))

    threads = [threading.Thread(target=publish, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    heard = [everything(ref) for ref in refs]
    assert heard[0] == heard[1] == heard[2]
    assert len(heard[0]) == 800
    for who in range(4):
        assert [number for other, number in heard[0] if other == who] == list(range(200))
    for ref in refs:
        ref.stop()


def test_what_is_published_while_it_is_handed_on_comes_next_for_all():
    class Echo(Actor):
        def on_receive(self, message):
            if message == "first":
                topic.publish("echo")

    class Direct:
        loop = None

        def __init__(self):
            self.heard = []

        def hear(self, message, answers):
            self.heard.append(message)
            if message == "first":
                topic.publish("inside")
                assert self.heard == ["first"]

    topic = Topic("news")
    one, two = Direct(), Direct()
    topic.subscribe(one)
    topic.subscribe(two)
    topic.publish("first")
    assert one.heard == two.heard == ["first", "inside", "inside"]


class Carries(Actor):
    """Notes what its mail carries."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def on_receive(self, message):
        self.heard.append((message, carried.get()))
        return list(self.heard)


def test_each_message_carries_what_its_own_publisher_carries_whoever_hands_it_on():
    async def main():
        topic, ref, later = Topic("t"), Carries.start(), []

        class Publishes:
            """In the middle of handing on, as another thread might."""

            loop = here()

            def hear(self, message, answers):
                if message == "one":
                    with carrying("b"):
                        topic.publish("two")
                    with carrying(None):
                        topic.publish("three")
                later.append((message, carried.get()))

        topic.subscribe(Publishes())
        topic.subscribe(ref)
        with carrying("a"):
            topic.publish("one")
        heard = await ref.ask("?", block=False)
        assert heard[:3] == later == [("one", "a"), ("two", "b"), ("three", None)]
        assert carried.get() is None

    asyncio.run(main())


def test_what_waits_for_a_full_mailbox_carries_the_same_when_it_is_tried_again(monkeypatch):
    monkeypatch.setattr(subscriber_, "PAUSE", 0.001)

    class Small(Carries):
        mailbox_bound = 1

        def on_receive(self, message):
            super().on_receive(message)
            if len(self.heard) == 4:
                over.set()

    over = asyncio.Event()

    async def main():
        topic, ref = Topic("t"), Small.start()
        topic.subscribe(ref, when_full="wait")
        for number in range(4):
            with carrying(number):
                topic.publish(number)
        async with asyncio.timeout(WAIT):
            await over.wait()
        assert ref._actor.heard == [(number, number) for number in range(4)]

    asyncio.run(main())


def test_the_sender_does_not_hear_itself():
    async def main():
        topic = Topic("news")
        refs = [Hears.start(), Hears.start()]
        for ref in refs:
            topic.subscribe(ref)
        topic.publish("from 0", sender=refs[0])
        topic.tell("from nobody")
        assert [(await ref.ask("?", block=False))[:-1] for ref in refs] == [
            ["from nobody"],
            ["from 0", "from nobody"],
        ]

    run(main())


def test_unsubscribed_is_told_nothing_more_and_twice_subscribed_once():
    async def main():
        topic, ref, heard = Topic("news"), Hears.start(), []
        for _ in range(2):
            topic.subscribe(ref)
        topic.subscribe(heard.append)
        topic.publish(1)
        assert topic.unsubscribe(ref) is True
        assert topic.unsubscribe(ref) is False
        topic.publish(2)
        assert (await ref.ask("?", block=False))[:-1] == [1]
        reader = topic.subscribe()
        assert topic.unsubscribe(reader) is True
        with topic.subscribe() as reader:
            topic.publish(3)
            assert await anext(reader) == 3
        assert topic.subscribers == 1
        assert ref._actor._actor_watches == ()
        assert repr(topic) == "<Topic 'news' 1 subscribers>"

    run(main())


def test_what_can_not_subscribe_is_refused():
    topic = Topic("news")
    with pytest.raises(TypeError, match="can't reach 5"):
        topic.subscribe(5)
    with pytest.raises(ValueError, match="when_full is one of"):
        topic.subscribe(print, when_full="later")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="bound"):
        topic.subscribe(print, bound=0)
    assert topic.subscribers == 0


def test_a_reader_in_a_thread_blocks_and_ends_when_it_is_closed():
    topic = Topic("news")
    reader = topic.subscribe()
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(reader))
    thread.start()
    topic.publish(1)
    topic.publish(2)
    reader.close()
    thread.join(WAIT)
    assert got == [1, 2]
    assert isinstance(reader.take(3), ActorDeadError)


# ---- failures


def test_a_function_that_raises_goes_on_with_the_next_message(caplog):
    async def main():
        heard, topic = [], Topic("news")

        def function(message):
            heard.append(message)
            if len(heard) == 4:
                all_came.set()
            raise KeyError(message)

        all_came = asyncio.Event()

        async def coroutine(message):
            function(message)

        topic.subscribe(function)
        topic.subscribe(coroutine)
        topic.publish(1)
        topic.publish(2)
        await all_came.wait()
        assert sorted(heard) == [1, 1, 2, 2]

    with caplog.at_level(logging.CRITICAL):
        run(main())


def test_a_hear_that_raises_costs_its_own_message_and_an_interrupt_no_topic(letters, caplog):
    class Raises:
        def __init__(self, error):
            self.error = error

        def hear(self, message, answers):
            raise self.error

    topic, heard = Topic("news"), []

    class Notes:
        def hear(self, message, answers):
            heard.append(message)

    fails = Raises(KeyError("x"))
    topic.subscribe(fails)
    topic.subscribe(Notes())
    with caplog.at_level(logging.CRITICAL):
        topic.publish(1)
        fails.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            topic.publish(2)
        topic.unsubscribe(fails)
        topic.publish(3)
    assert heard == [1, 3]
    assert [message for message, _ in letters] == [1]


def test_a_dead_subscriber_is_forgotten_at_its_end_or_at_the_next_message(letters):
    async def main():
        topic, ref = Topic("news"), Hears.start()
        topic.subscribe(ref)
        await ref.stop(block=False)
        assert topic.subscribers == 0
        topic.publish(1)
        topic.subscribe(ref)  # dead at once
        assert topic.subscribers == 0

        class Gone:
            def hear(self, message, answers):
                return ActorDeadError("gone")

        topic.subscribe(Gone())
        topic.publish(2)
        assert topic.subscribers == 0

    run(main())
    assert letters == [(2, "gone")]


def test_a_subscriber_whose_loop_has_ended_is_forgotten():
    topic = Topic("news")

    async def main():
        topic.subscribe(Hears.start())
        topic.subscribe(lambda _: None)
        assert topic.subscribers == 2

    run(main())
    assert topic.subscribers == 0
    topic.publish(1)


def test_a_reader_that_nobody_holds_is_forgotten():
    topic = Topic("news")
    reader = topic.subscribe()
    gone = weakref.ref(reader)
    del reader
    gc.collect()
    assert gone() is None
    assert topic.subscribers == 0


@pytest.mark.parametrize("when_full", ["drop", "wait"])
def test_what_a_full_mailbox_does_not_take_is_dropped_with_a_reason_or_waits(when_full, letters, monkeypatch):
    monkeypatch.setattr(subscriber_, "PAUSE", 0.001)
    came, awaited = asyncio.Event(), []

    class Full(Hears):
        mailbox_bound = 2

        def on_receive(self, message):
            super().on_receive(message)
            if message in awaited:
                came.set()

    async def main():
        topic, ref = Topic("news"), Full.start()
        topic.subscribe(ref, when_full=when_full, bound=3)
        for number in range(7):
            topic.publish(number)
        kept = [0, 1] if when_full == "drop" else [0, 1, 2, 3, 4]
        awaited.append(kept[-1])
        await came.wait()
        came.clear()
        awaited.append("then")
        topic.publish("then")
        await came.wait()
        assert ref._actor.heard == [*kept, "then"]
        topic.unsubscribe(ref)

    run(main())
    assert [message for message, _ in letters] == ([2, 3, 4, 5, 6] if when_full == "drop" else [5, 6])
    assert all("waiting" in reason or "wait for it" in reason for _, reason in letters)


def test_what_waits_for_one_that_leaves_or_dies_becomes_dead_letters(letters, monkeypatch):
    monkeypatch.setattr(subscriber_, "PAUSE", 0.001)

    class Full:
        loop = background()
        answer: Exception = MailboxFullError("full")
        asked = threading.Event()

        def hear(self, message, answers):
            self.asked.set()
            return self.answer

    topic = Topic("news")
    leaves, dies = Full(), Full()
    topic.subscribe(leaves, when_full="wait")
    topic.publish("left")
    topic.unsubscribe(leaves)
    assert letters == [("left", "no longer subscribed")]
    topic.subscribe(dies, when_full="wait")
    topic.publish("too late")
    dies.answer = ActorDeadError("dead")
    seen = threading.Event()
    dead_letters.append(lambda *_: seen.set())
    try:
        assert seen.wait(WAIT)
    finally:
        dead_letters.pop()
    assert letters[1] == ("too late", "dead")


def test_one_that_waits_for_a_loop_that_has_ended_is_forgotten(letters):
    class Full:
        def __init__(self, loop):
            self.loop = loop

        def hear(self, message, answers):
            return MailboxFullError("full")

    async def main():
        from llm_actors.runtime import running

        return Full(running())

    topic, full = Topic("news"), run(main())
    topic.subscribe(full, when_full="wait")
    topic.publish(1)
    assert topic.subscribers == 0
    assert letters == [(1, "no longer subscribed")]


def test_a_reader_that_is_full_is_served_by_the_policy_too(letters, monkeypatch):
    monkeypatch.setattr(subscriber_, "PAUSE", 0.001)

    async def main():
        topic = Topic("news")
        drops, waits = topic.subscribe(bound=1), topic.subscribe(bound=1, when_full="wait")
        for number in range(2):
            topic.publish(number)
        assert await anext(drops) == 0
        assert [await anext(waits), await anext(waits)] == [0, 1]

    run(main())
    assert [message for message, _ in letters] == [1]


# ---- the topics of a system


def test_a_topic_is_held_by_its_subscribers_and_by_nobody_else():
    topics = Topics()
    assert topics.topic("a") is topics.topic("a")
    gc.collect()
    assert len(topics._known) == 0
    heard = []

    class Notes:
        def hear(self, message, answers):
            heard.append(message)

    notes = Notes()
    topics.topic("a").subscribe(notes)
    gc.collect()
    topics.topic("a").publish(1)
    assert heard == [1]
    topics.topic("a").unsubscribe(notes)
    gc.collect()
    assert len(topics._known) == 0
    assert topics._subscribed == {}
