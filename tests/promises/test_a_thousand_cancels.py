"""C5, by a thousand random cancels: at every place of a turn, by every way to end one, against a server in another process."""

import asyncio
import contextlib
import contextvars
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

import llm_actors as llm
from llm_actors.testing import Answer, Speak
from llm_actors.transport.pool import Pool

from .watched_turn import PLACES, Watch, WatchedTurn, last_words

TURNS, AT_ONCE = 1000, 25
WAYS = ("loop", "another loop", "thread", "task", "deadline", "close")
"""Who cancels: the loop of the turn, a loop in another thread, a plain thread (sync dress), a cancelled task, the clock, `close()`."""


@pytest.mark.timeout(180)  # 10 s of work: a machine that does other things as well takes its time
def test_a_cancelled_turn_has_no_effects_afterwards(server, pair, monkeypatch):
    """C5: ... when `await response.cancel()` returns, no request is open, nothing new starts, no event, callback or history entry comes
    from that turn."""
    seed = random.SystemRandom().randrange(2**32)
    chance = random.Random(seed)
    watch = Watch()
    monkeypatch.setattr(Pool, "open", watch.watched(Pool.open))
    server.play(Answer([Speak(pace=0.0005)], times=0))
    turns = [WatchedTurn(number, chance) for number in range(TURNS)]
    watch.turns = {turn.name: turn for turn in turns}
    ways = [chance.choice(WAYS) for _ in turns]
    deadlines = [chance.uniform(0.001, 0.03) for _ in turns]

    async def main():
        with ThreadPoolExecutor(AT_ONCE) as threads, llm.ActorSystem(observers=[watch.observe]):
            scene = Scene(pair, watch, threads)
            places = asyncio.Semaphore(AT_ONCE)

            async def one(turn, way, deadline):
                async with places:
                    await scene.play(turn, way, deadline)

            async with asyncio.timeout(120), asyncio.TaskGroup() as group:
                for each in zip(turns, ways, deadlines, strict=True):
                    group.create_task(one(*each))
            await server.until_idle()

    asyncio.run(main())
    offences = {
        turn.name: (turn.place, way, turn.offences) for turn, way in zip(turns, ways, strict=True) if turn.offences
    }
    assert not offences, f"seed {seed}: {offences}"
    check_server(server, watch)
    check_coverage(turns, watch)


class Scene:
    """Plays one turn, ends it, and has a look at what is left."""

    def __init__(self, pair, watch, threads) -> None:
        self.pair = pair
        self.watch = watch
        self.threads = threads

    async def play(self, turn, way, deadline) -> None:
        sync = way == "thread"
        model = self.pair.model if sync else self.pair.async_model
        conversation = model.conversation(tools=turn.tools(), **turn.hooks())
        first = conversation.prompt("in the way") if turn.place == "queued" else None
        response = conversation.chain(turn.prompt, timeout=deadline if way == "deadline" else None)
        self.watch.responses[response.id] = turn
        if first is not None:
            turn.mark("queued")
        if way != "task":  # a task's cancel ends a turn that has no callback
            registered = response.on_done(turn.said)
            await (asyncio.sleep(0) if sync else registered)
        reader = asyncio.create_task(self.read(response, turn, sync))
        await self.end(turn, way, conversation, response)
        events = await asyncio.wait_for(reader, 20)
        if response.error is not None and "callback" in turn.seen:
            turn.offences.append("callback of a cancelled turn")
        if (
            response.error is None
        ):  # answered before the cancel came: its callback is due, and in a thread it may be late
            turn.offences[:] = [offence for offence in turn.offences if offence != "callback"]
        said = conversation.messages()
        await self.look_again(way, conversation, response, events, said)

    async def read(self, response, turn, sync):
        if sync:
            return await self.in_thread(lambda: [event for event in response.events() if not turn.count(event.number)])
        return [event async for event in response.events() if not turn.count(event.number)]

    async def end(self, turn, way, conversation, response) -> None:
        if way == "deadline":
            with contextlib.suppress(llm.LLMError):
                await response.text()
            turn.end()
            return
        waiting = asyncio.create_task(response.text() if way == "task" else asyncio.sleep(0))
        await self.in_thread(turn.come.wait, turn.patience)
        await asyncio.sleep(turn.pause)
        if way == "thread":
            await self.in_thread(lambda: (response.cancel(), turn.end()))
        elif way == "another loop":
            await self.in_thread(lambda: (asyncio.run(response.cancel()), turn.end()))
        elif way == "loop":
            await response.cancel()
            turn.end()
        elif way == "close":
            await conversation.close()
            turn.end()
        else:
            waiting.cancel()
            with contextlib.suppress(llm.LLMError, asyncio.CancelledError):
                await waiting
            await response.cancel()  # returns when it has ended; to cancel again changes nothing
            turn.end()

    async def look_again(self, way, conversation, response, events, said) -> None:
        """The next prompt has to get past all that the turn may have left behind."""
        if way == "thread":
            assert await self.in_thread(lambda: conversation.prompt("next").text()) == "echo: next"
            assert await self.in_thread(lambda: list(response.events())) == events
        elif way != "close":
            assert await conversation.prompt("next").text() == "echo: next"
            assert [event async for event in response.events()] == events
        assert conversation.messages()[: len(said)] == said

    async def in_thread(self, function, *args):
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self.threads, context.run, function, *args)


def check_server(server, watch) -> None:
    """What the server saw of each turn is no more than what had been sent when its cancel returned, and nothing of it is open."""
    came = dict.fromkeys(watch.turns, 0)
    for request in server.requests:
        name = last_words(request.body)
        if name in came:
            came[name] += 1
            assert not request.open
    more = {name: count for name, count in came.items() if count > watch.turns[name].requests}
    assert not more


def check_coverage(turns, watch) -> None:
    """A thousand cancels that all came too late would prove nothing."""
    assert sum(watch.ends.values()) == len(turns)
    assert watch.ends["done"] < len(turns) / 2, watch.ends
    for place in PLACES:
        last = Counter(what for turn in turns if turn.place == place for what in turn.seen[-8:])
        assert place in ("queued", "event", "some time") or last[place] > 5, (place, last)
