"""A response's events as mail, to loop actors and Pykka's ThreadingActors alike."""

import asyncio
import threading

import pykka
import pytest

import llm_actors as llm
from llm_actors.runtime import ThreadingActor, ask

from .speakers import Says, SyncSays, run


class Listening:
    """Keeps what it gets; `ended` when the last event has come."""

    def __init__(self, ended):
        super().__init__()
        self.mail = []
        self.ended = ended

    def on_receive(self, message):
        if message == "mail":
            return self.mail
        self.mail.append(message)
        last = message[-1] if isinstance(message, list) else message
        if last.type in ("end", "error"):
            self.ended.set()
        return None


class LoopListener(Listening, llm.Actor):
    pass


class ThreadListener(Listening, ThreadingActor):
    pass


class PykkaListener(Listening, pykka.ThreadingActor):
    pass


LISTENERS = [LoopListener, ThreadListener, PykkaListener]


async def mail_of(ref, ended):
    assert await asyncio.to_thread(ended.wait, 5)
    mail = await ask(ref, "mail")
    await asyncio.to_thread(ref.stop)
    return mail


@pytest.mark.parametrize("kind", LISTENERS)
@pytest.mark.parametrize("when", ["early", "middle", "late"])
def test_every_actor_gets_each_event_once_in_order(kind, when):
    """`response.subscribe(ref)` sends its events, one mail each ..., to any actor, Pykka's ThreadingActors too."""

    async def main():
        go, ended = asyncio.Event(), threading.Event()
        ref = kind.start(ended)
        response = Says("a", go, "b", "c").prompt("hi")
        if when != "early":
            async for _ in response.events():
                break
        if when == "late":
            go.set()
            await response.text()
        response.subscribe(ref)
        go.set()
        mail = await mail_of(ref, ended)
        assert mail == [event async for event in response.events()]
        assert [event.number for event in mail] == list(range(4))

    run(main())


def test_events_come_in_batches_on_request_and_from_a_number_on():
    """... one mail each or in batches ..."""

    async def main():
        ended = threading.Event()
        ref = LoopListener.start(ended)
        response = Says("a", "b", "c").prompt("hi")
        await response.text()
        response.subscribe(ref, after=1, batch=True)
        mail = await mail_of(ref, ended)
        assert all(isinstance(batch, list) for batch in mail)
        assert [event.chunk for batch in mail for event in batch] == ["b", "c", "stop"]

    run(main())


def test_the_error_is_the_last_event():
    async def main():
        ended = threading.Event()
        ref = LoopListener.start(ended)
        response = Says("a", ValueError("no")).prompt("hi")
        response.subscribe(ref)
        mail = await mail_of(ref, ended)
        assert [(event.type, event.chunk) for event in mail] == [("text", "a"), ("error", "ValueError: no")]

    run(main())


@pytest.mark.parametrize("kind", LISTENERS)
def test_a_dead_subscriber_changes_nothing_for_the_others(kind):
    """C4: a slow, dead or abandoned reader changes nothing for the others."""

    async def main():
        go, ended, nobody = asyncio.Event(), threading.Event(), threading.Event()
        dead, alive = kind.start(nobody), LoopListener.start(ended)
        response = Says("a", go, "b").prompt("hi")
        response.subscribe(dead)
        response.subscribe(alive)
        async for _ in response.events():
            break
        await asyncio.to_thread(dead.stop)
        go.set()
        assert len(await mail_of(alive, ended)) == 3
        assert await response.text() == "ab"

    run(main())


def test_in_sync_code_and_before_anything_was_posted():
    ended = threading.Event()
    ref = ThreadListener.start(ended)
    response = SyncSays("a", "b").prompt("hi")
    response.subscribe(ref)
    assert ended.wait(30)
    assert [event.chunk for event in ref.ask("mail")] == ["a", "b", "stop"]
    ref.stop()

    later = threading.Event()
    ref = ThreadListener.start(later)
    unposted = Says("c").prompt("hi")  # no loop runs here
    unposted.subscribe(ref)  # which posts it, to the background loop
    assert later.wait(30)
    assert [event.chunk for event in ref.ask("mail")] == ["c", "stop"]
    ref.stop()


def test_the_messages_are_public_and_encode_to_bytes():
    """all messages are public, frozen msgspec structs that encode to bytes."""
    import msgspec

    async def main():
        return [event async for event in Says("a").prompt("hi").events()]

    for event in run(main()):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=type(event)) == event
    prompt = llm.Prompt("hi", system_text="s", options={"a": 1})
    assert msgspec.json.decode(msgspec.json.encode(prompt), type=llm.Prompt) == prompt


class Bounded(Listening, llm.Actor):
    """Takes two messages at once; a gate holds it."""

    mailbox_bound = 2

    def __init__(self, ended, gate):
        super().__init__(ended)
        self.gate = gate

    async def on_receive(self, message):
        await self.gate.wait()
        return super().on_receive(message)


@pytest.mark.parametrize("batch", [False, True])
def test_an_actor_with_a_full_mailbox_gets_every_event_once_it_has_room(batch):
    """C4: a slow ... reader changes nothing for the others; and it misses nothing."""

    async def main():
        gate, ended = asyncio.Event(), threading.Event()
        ref = Bounded.start(ended, gate)
        response = Says(*"abcdefgh").prompt("hi")
        response.subscribe(ref, batch=batch)
        assert await response.text() == "abcdefgh"
        assert not ended.is_set()
        gate.set()
        mail = await mail_of(ref, ended)
        events = [event for item in mail for event in item] if batch else mail
        assert events == [event async for event in response.events()]

    run(main())


def test_subscribers_that_die_at_the_end_keep_nobody_else_from_hearing_of_it():
    async def main():
        go = asyncio.Event()
        response = Says("a", go, "b").prompt("hi")
        listeners = []
        for _ in range(6):
            ended = threading.Event()
            ref = LoopListener.start(ended)
            response.subscribe(ref)
            listeners.append((ref, ended))
        async for _ in response.events():
            break
        for ref, _ in listeners[::2]:
            await ref.stop(block=False)
        go.set()
        for ref, ended in listeners[1::2]:
            assert [event.type for event in await mail_of(ref, ended)] == ["text", "text", "end"]

    run(main())


def test_a_callback_that_subscribes_gets_the_whole_stream():
    async def main():
        ended = threading.Event()
        ref = LoopListener.start(ended)
        response = Says("a", "b").prompt("hi")
        await response.on_done(lambda done: done.subscribe(ref, after=1))
        await response.text()
        assert [event.chunk for event in await mail_of(ref, ended)] == ["b", "stop"]

    run(main())


def test_after_the_last_event_nothing_is_sent():
    async def main():
        ended, listening = threading.Event(), threading.Event()
        ref, other = LoopListener.start(ended), LoopListener.start(listening)
        response = Says("a").prompt("hi")
        await response.text()
        response.subscribe(ref, after=2)
        response.subscribe(other, after=1)
        assert [event.type for event in await mail_of(other, listening)] == ["end"]
        assert await ask(ref, "mail") == []
        await asyncio.to_thread(ref.stop)

    run(main())


def test_the_events_of_a_loop_that_was_closed_come_all_the_same():
    ended = threading.Event()
    ref = ThreadListener.start(ended)
    loop = asyncio.new_event_loop()

    async def begun():
        response = Says("a", asyncio.Event()).prompt("hi")
        async for _ in response.events():
            break
        return response

    response = loop.run_until_complete(begun())
    loop.close()
    response.subscribe(ref)
    assert ended.wait(30)
    assert [event.type for event in ref.ask("mail")] == ["text", "error"]
    ref.stop()
