"""Records of what happens: each is provoked, and says what happened with the ids that belong to it."""

import asyncio
import threading
from typing import Any

import pytest

import llm_actors as llm
from llm_actors import loop_engine_end, observe
from llm_actors.observe import (
    CallbacksAwaited,
    ClientClosed,
    ClientOpened,
    ConversationBound,
    ConversationClosed,
    EngineDraining,
    EngineEnded,
    EngineStarted,
    PromptRefused,
    Record,
    RequestRepeated,
    SubscriberDropped,
    ToolRefused,
    TurnCancelled,
)
from llm_actors.testing import Answer, Close, ScriptedServer, Speak
from tests.chat.speakers import Says, SyncSays, run
from tests.test_shutdown import calls

WAIT = 10.0


class Records(list[Any]):
    """What an observer got; asked for a kind, those of it."""

    def __call__(self, record):
        self.append(record)

    def of(self, *kinds):
        return [record for record in self if isinstance(record, kinds)]


def recorded(main, **settings):
    """The records of a system while `main(system)` ran in it, and what it gave."""
    records = Records()

    async def inside():
        async with llm.ActorSystem(observers=[records], **settings) as system:
            return await main(system)

    return records, run(inside())


def test_every_record_is_frozen_in_the_past_tense_and_says_when():
    kinds = [kind for kind in vars(observe).values() if isinstance(kind, type) and issubclass(kind, Record)]
    assert len(kinds) > 30
    for kind in kinds:
        assert "now" in kind.__struct_fields__
        assert kind.__struct_config__.frozen


@pytest.mark.parametrize("why", ["full", "busy", "closed", "shut down"])
def test_a_prompt_that_was_refused(why):
    async def main(system):
        conversation = Says(asyncio.Event()).conversation(when_busy="reject" if why == "busy" else None)
        conversation.prompt("runs")
        if why == "closed":
            await conversation.close()
        if why == "shut down":
            system.shutdown(drain=0)
        with pytest.raises(llm.ActorError) as refused:
            conversation.prompt("too much")
        return conversation.id, repr(refused.value)

    records, (conversation, error) = recorded(main, mailbox=1)
    (record,) = records.of(PromptRefused)
    assert (record.conversation, record.error) == (conversation, error)
    assert record.response not in {other.response for other in records.of(observe.PromptQueued)}


def test_a_prompt_that_was_refused_in_another_thread_is_told_on_the_loop():
    threads = []

    def observer(record):
        if isinstance(record, PromptRefused):
            threads.append(threading.get_ident())

    async def main():
        async with llm.ActorSystem(observers=[observer], mailbox=1):
            conversation = Says(asyncio.Event()).conversation()
            conversation.prompt("runs")

            def ask():
                with pytest.raises(llm.MailboxFullError):
                    conversation.prompt("too much")

            await asyncio.to_thread(ask)
            await asyncio.sleep(0.01)

    run(main())
    assert threads == [threading.get_ident()]


@pytest.mark.parametrize("by", ["response", "conversation", "deadline", "newer", "shutdown", "nobody waits"])
def test_a_turn_that_was_told_to_end_with_by_whom(by):
    async def main(system):
        conversation = Says("half", asyncio.Event()).conversation(when_busy="replace" if by == "newer" else None)
        response = conversation.prompt("x", timeout=0.03 if by == "deadline" else None)
        async for _ in response:
            break
        if by == "response":
            await response.cancel()
        elif by == "conversation":
            conversation.cancel()
        elif by == "newer":
            conversation.prompt("y")
        elif by == "shutdown":
            await system.shutdown()
        elif by == "nobody waits":
            task = asyncio.ensure_future(response.text())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        with pytest.raises(llm.TurnError):
            await response.text()
        return response.id

    records, response = recorded(main)
    record = records.of(TurnCancelled)[0]
    assert (record.response, record.state) == (response, "calling")
    assert {
        "response": "the response was cancelled",
        "conversation": "the conversation was cancelled",
        "deadline": "DeadlineExceededError",
        "newer": "replaced by a newer prompt",
        "shutdown": "the system was shut down",
        "nobody waits": "the only task or thread that waited",
    }[by] in record.error
    finished = next(other for other in records.of(observe.TurnFinished) if other.response == response)
    assert records.index(record) < records.index(finished)


def test_a_turn_in_line_that_was_cancelled_was_queued_and_one_that_failed_was_not_told_to_end():
    async def main(_):
        conversation = Says(asyncio.Event()).conversation()
        conversation.prompt("runs")
        waits = conversation.prompt("waits")
        await asyncio.sleep(0)
        await waits.cancel()
        with pytest.raises(ZeroDivisionError):
            await Says(ZeroDivisionError()).prompt("x").text()
        return waits.id

    records, waits = recorded(main)
    first, *others = records.of(TurnCancelled)
    assert (first.response, first.state) == (waits, "queued")
    assert len(others) == 1  # that of the end


def test_a_request_that_was_sent_once_more():
    with ScriptedServer() as server:
        server.play(Answer([Speak(), Close()]))
        model = llm.endpoint("m", wire="openai-chat", base_url=server.base_url).async_model

        async def main(system):
            conversation = model.conversation()
            await conversation.prompt("first").text()
            # The server has closed the kept connection; whether that was heard of before the next request goes out is a race.
            responses = [conversation.prompt(str(number)) for number in range(3)]
            for response in responses:
                await response.text()
            return system.counters().retries

        records, retries = recorded(main)
    assert len(records.of(RequestRepeated)) == retries


def test_a_repeated_request_is_told_with_its_turn_and_round():
    class Repeats(Says):
        def open_round(self, live, sink, engine):
            flight = super().open_round(live, sink, engine)
            sink.repeated()
            return flight

    async def main(system):
        response = Repeats("a").prompt("x")
        assert await response.text() == "a"
        return response.id, system.counters().retries

    records, (response, retries) = recorded(main)
    assert [(record.response, record.round) for record in records.of(RequestRepeated)] == [(response, 1)]
    assert retries == 1


def test_a_conversation_that_was_bound_to_a_loop_and_closed():
    async def main(_):
        conversation = Says("a").conversation()
        for text in ("one", "two"):
            await conversation.prompt(text).text()
        await conversation.close()
        await conversation.close()
        return conversation.id

    records, conversation = recorded(main)
    assert [(record.conversation, record.loop) for record in records.of(ConversationBound)] == [
        (conversation, "the loop of MainThread")
    ]
    assert [record.conversation for record in records.of(ConversationClosed)] == [conversation]


def test_a_conversation_of_the_sync_api_is_bound_to_the_background_loop_whose_observers_are_called_there():
    records = Records()
    with llm.ActorSystem(observers=[records]) as system:
        assert SyncSays("a").prompt("x").text() == "a"
        system.shutdown().get(timeout=WAIT)
    assert {record.loop for record in records.of(EngineStarted, ConversationBound, EngineEnded)} == {
        "the background loop"
    }
    assert [type(record) for record in records.of(EngineStarted, EngineDraining, EngineEnded)] == [
        EngineStarted,
        EngineDraining,
        EngineEnded,
    ]


def test_an_engine_that_started_drained_and_ended():
    async def main(system):
        go = asyncio.Event()
        Says(go).prompt("ends")
        Says(asyncio.Event()).prompt("does not")
        await asyncio.sleep(0)
        ending = system.shutdown(drain=WAIT)
        go.set()
        await asyncio.sleep(0.05)
        system.shutdown(drain=0)
        await ending

    records, _ = recorded(main)
    assert isinstance(records[0], EngineStarted)
    first, *hurried = records.of(EngineDraining)
    assert WAIT - 1 < first.seconds <= WAIT
    assert hurried[0].seconds == 0
    assert "SystemShutdownError" in first.error
    ended = records[-1]
    assert isinstance(ended, EngineEnded)
    assert (ended.finished, ended.cancelled, ended.abandoned) == (1, 1, 0)


def test_callbacks_that_were_awaited_at_the_end_and_those_that_were_cut(monkeypatch):
    monkeypatch.setattr(loop_engine_end, "GRACE", 0.05)

    async def main(_):
        async def ends(_):
            await asyncio.sleep(0.01)

        async def does_not(_):
            await asyncio.Event().wait()

        response = Says("a").prompt("x")
        await response.on_done(ends)
        await response.on_done(does_not)
        await response.text()

    records, _ = recorded(main)
    (record,) = records.of(CallbacksAwaited)
    assert (record.callbacks, record.cut) == (2, 1)


def test_clients_that_were_opened_and_closed_by_their_url():
    with ScriptedServer() as server:
        model = llm.endpoint("m", wire="openai-chat", base_url=server.base_url).async_model

        async def main(_):
            for _ in range(2):
                await model.prompt("x").text()

        records, _ = recorded(main)
        url = server.base_url
    assert [(type(record), record.url) for record in records.of(ClientOpened, ClientClosed)] == [
        (ClientOpened, url),
        (ClientClosed, url),
    ]


def test_a_tool_that_was_not_called():
    release = threading.Event()

    def hang():
        release.wait(WAIT)

    async def main(_):
        for _ in range(5):
            response = calls("hang").chain("x", tools=[hang])
            await response.text()
        release.set()

    records, _ = recorded(main, tool_workers=1, tool_timeout=0.02)
    (record,) = records.of(ToolRefused)
    assert record.tool == "hang"
    assert "4 earlier calls of it have not returned" in record.error


def test_a_subscriber_that_was_dropped():
    class Reader(llm.Actor):
        pass

    async def main(_):
        go = asyncio.Event()
        response = Says("a", go, "b").prompt("x")
        ref = Reader.start()
        response.subscribe(ref)
        async for _ in response:
            break
        await ref.stop(block=False)
        go.set()
        await response.text()
        return response.id, str(ref)

    records, (response, ref) = recorded(main)
    (record,) = records.of(SubscriberDropped)
    assert (record.response, record.actor) == (response, ref)
    assert "not found" in record.reason
    assert record.conversation


def test_nothing_is_made_where_nobody_listens(monkeypatch):
    made = []
    for kind in (EngineStarted, EngineDraining, EngineEnded, ConversationBound, PromptRefused, ConversationClosed):
        for module in ("loop_engine", "loop_engine_end", "chat.seat", "chat.conversation"):
            monkeypatch.setattr(
                f"llm_actors.{module}.{kind.__name__}", lambda **facts: made.append(facts), raising=False
            )

    async def main():
        async with llm.ActorSystem(mailbox=1):
            conversation = Says(asyncio.Event()).conversation()
            conversation.prompt("runs")
            with pytest.raises(llm.MailboxFullError):
                conversation.prompt("too much")
            await conversation.close()

    run(main())
    assert made == []
