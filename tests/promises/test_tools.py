"""DESIGN section 1, Tools: each promise in its own words, end to end, in both worlds."""

import asyncio
import threading
import time

import pytest

import llm_actors as llm
from llm_actors.observe import LoopStalled, ToolAbandoned
from llm_actors.runtime import background

from .worlds import Held, World, calls, check_valid, until


def outputs(conversation):
    """The results of all tool calls, in the order of the history."""
    return [part.output for message in conversation.messages() for part in message.parts if hasattr(part, "output")]


async def loop_thread(world):
    """The thread of the loop that does the work."""
    if world.is_async:
        return threading.get_ident()
    ident, known = [], threading.Event()
    background().post(lambda: (ident.append(threading.get_ident()), known.set()))
    await until(known)
    return ident[0]


# ---- T1 --------------------------------------------------------------------------------------------------------------------


def test_a_synchronous_tool_never_runs_on_the_event_loop_and_an_async_one_runs_on_it_natively(server, pair, dress, run):
    """T1: A synchronous tool never runs on the event loop; an `async def` tool runs on it natively. `before_call`, `after_call`,
    `prepare` and a sync `execute` given as plain `def` run in worker threads too."""
    world = World(dress)
    threads = {}

    def seen(name):
        threads.setdefault(name, set()).add(threading.get_ident())

    def plain() -> str:
        seen("plain")
        return "p"

    async def native() -> str:
        asyncio.get_running_loop()
        seen("native")
        return "n"

    class Box(llm.Toolbox):
        def prepare(self):
            seen("prepare")

        async def prepare_async(self):
            seen("prepare_async")

        def boxed(self) -> str:
            seen("boxed")
            return "b"

    def before(tool, call):
        seen("before")

    async def after(tool, call, result):
        seen("async after")

    async def main():
        loop = await loop_thread(world)
        conversation = world.model(pair).conversation(
            tools=[plain, native, Box()], before_call=before, after_call=after
        )
        await world.text(conversation.chain(calls(plain={}, native={}, Box_boxed={})))
        assert outputs(conversation) == ["p", "n", "b"]
        return loop

    loop = run(main())
    for name in ("native", "async after", "prepare_async"):
        assert threads[name] == {loop}, name
    for name in ("plain", "prepare", "boxed", "before"):
        assert loop not in threads[name], name
        assert threading.get_ident() not in threads[name], name


def test_a_sync_execute_runs_in_a_worker_thread_and_an_async_one_on_the_loop(run):
    """T1: ... and a sync `execute` given as plain `def` run in worker threads too."""
    seen = {}

    class Plain(llm.Model):
        model_id = "plain"

        def execute(self, prompt, stream, response, conversation):
            seen["plain"] = threading.get_ident()
            yield "hi"

    class InAsync(llm.AsyncModel):
        model_id = "plain-in-async"

        def execute(self, prompt, stream, response, conversation):
            seen["plain in async"] = threading.get_ident()
            yield "hi"

    class Native(llm.AsyncModel):
        model_id = "native"

        async def execute(self, prompt, stream, response, conversation):
            seen["native"] = threading.get_ident()
            yield "hi"

    async def main():
        assert await asyncio.to_thread(Plain().prompt("hi").text) == "hi"
        assert await InAsync().prompt("hi").text() == "hi"
        assert await Native().prompt("hi").text() == "hi"
        return threading.get_ident(), await loop_thread(World("sync"))

    loop, ours = run(main())
    assert seen["native"] == loop
    assert seen["plain"] not in (loop, ours)
    assert seen["plain in async"] not in (loop, ours)


def test_on_done_callbacks_run_on_the_loop_of_their_registration_watched_for_stalls(server, pair, run):
    """T1: ... `on_done` callbacks run on the loop of their registration, watched for stalls."""
    records, here, there = [], [], []

    def slow(_):
        here.append(threading.get_ident())
        time.sleep(0.15)  # this is the stall

    async def main():
        with llm.ActorSystem(observers=[records.append]):
            response = pair.async_model.prompt("hi")
            registered = threading.Event()

            async def elsewhere():
                called = asyncio.Event()

                async def callback(_):
                    there.append(threading.get_ident())
                    called.set()

                await response.on_done(callback)
                there.append(threading.get_ident())
                registered.set()
                await asyncio.wait_for(called.wait(), 30)

            response_done = asyncio.create_task(asyncio.to_thread(asyncio.run, elsewhere()))
            await until(registered)
            await response.on_done(slow)
            await response.text()
            await response_done

    run(main())
    assert here == [threading.get_ident()]
    assert there[0] == there[1] != here[0]
    assert [record.seconds >= 0.15 for record in records if isinstance(record, LoopStalled)] == [True]


def stall_of_a_round(pair):
    """One round of three sync tools that sleep 0.2 s beside an async one: longest stall of the loop, the async one's start, the time."""
    times = {}

    def nap(n: int) -> str:
        time.sleep(0.2)
        return str(n)

    async def quick() -> str:
        times["quick"] = time.perf_counter()
        return "q"

    async def main():
        loop = asyncio.get_running_loop()
        longest, last, ticking = 0.0, time.perf_counter(), True

        def tick():
            nonlocal longest, last
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
            if ticking:
                loop.call_later(0.001, tick)

        conversation = pair.async_model.conversation(tools=[nap, quick])
        await conversation.prompt("warm up").text()
        tick()
        response = conversation.chain('call nap {"n": 1} and call nap {"n": 2} and call nap {"n": 3} and call quick {}')
        async for event in response.events():
            if event.type == "tool_started":
                times.setdefault("began", time.perf_counter())
            if event.type == "tool_ended":
                times["ended"] = time.perf_counter()
        ticking = False
        assert outputs(conversation) == ["1", "2", "3", "q"]
        return longest

    longest = asyncio.run(main())
    return longest, times["quick"] - times["began"], times["ended"] - times["began"]


@pytest.mark.timeout(120)
def test_sync_tools_that_sleep_do_not_stall_the_loop_and_run_beside_each_other(server, pair):
    """Done when: A sync tool that sleeps 0.2 s, called three times in one round beside an async tool: the loop's longest stall stays
    under 20 ms, the async sibling starts at once, the round takes about 0.2 s."""
    for _ in range(30):  # the machine may be busy: what it can do at its best is ours
        stall, start, whole = stall_of_a_round(pair)
        if stall < 0.02 and start < 0.02 and whole < 0.3:
            break
    assert stall < 0.02
    assert start < 0.02
    assert 0.19 < whole < 0.3


# ---- T2 --------------------------------------------------------------------------------------------------------------------


def test_all_tool_calls_of_a_round_start_together_and_results_go_back_in_call_order(server, pair, dress, run):
    """T2: All tool calls of a round start together (bounded), results go back in call order."""
    world = World(dress)
    together = threading.Barrier(3, timeout=30)
    order = []
    turns = [threading.Event() for _ in range(4)]
    turns[3].set()

    def meet(n: int) -> str:
        together.wait()  # each waits for all
        turns[n + 1].wait(30)  # and then they end in reverse
        order.append(n)
        turns[n].set()
        return f"r{n}"

    async def main():
        conversation = world.model(pair).conversation(tools=[meet])
        text = await world.text(conversation.chain(" and ".join(f'call meet {{"n": {n}}}' for n in range(3))))
        assert text == "results: meet=r0; meet=r1; meet=r2"

    run(main())
    assert order == [2, 1, 0]


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_before_call_hooks_run_in_call_order(server, pair, dress, run, kind):
    """T2: `before_call` hooks run in call order."""
    world = World(dress)
    order = []

    async def before_async(tool, call):
        order.append(call.arguments["n"])
        await asyncio.sleep(0.01 * (3 - call.arguments["n"]))
        order.append(-call.arguments["n"])

    def before(tool, call):
        order.extend([call.arguments["n"], -call.arguments["n"]])

    def tool(n: int) -> str:
        return f"r{n}"

    async def main():
        hook = before if kind == "plain" else before_async
        response = world.model(pair).chain(
            " and ".join(f'call tool {{"n": {n}}}' for n in (1, 2, 3)), tools=[tool], before_call=hook
        )
        assert await world.text(response) == "results: tool=r1; tool=r2; tool=r3"

    run(main())
    assert order == [1, -1, 2, -2, 3, -3]


@pytest.mark.parametrize("where", ["tool", "before_call"])
def test_when_one_pauses_the_chain_its_siblings_finish_and_ride_on_the_pause(server, pair, dress, run, where):
    """T2: When one pauses the chain, its siblings finish and ride on `PauseChain.tool_results`, in sync code too."""
    world = World(dress)
    paused = threading.Event()

    def approve() -> str:
        if where == "tool" and not paused.is_set():
            paused.set()
            raise llm.PauseChain("ask a human")
        return "approved"

    def slow(n: int) -> str:
        if n == 2:
            assert paused.wait(30)  # ends after the pause
        return f"slow {n}"

    def before(tool, call):
        if where == "before_call" and tool.name == "approve" and not paused.is_set():
            paused.set()
            raise llm.PauseChain("ask a human")

    text = 'call slow {"n": 1} and call approve {} and call slow {"n": 2}'

    async def main():
        conversation = world.model(pair).conversation(tools=[approve, slow], before_call=before)
        pause = await world.error(conversation.chain(text))
        assert isinstance(pause, llm.PauseChain)
        assert pause.tool_call.name == "approve"
        assert [result.output for result in pause.tool_results] == ["slow 1", "slow 2"]
        check_valid(conversation.messages())
        resumed = await world.text(conversation.chain())  # only what was left open runs
        assert resumed == "results: slow=slow 1; approve=approved; slow=slow 2"
        check_valid(conversation.messages())

    run(main())
    assert len(server.requests) == 2


# ---- T3 --------------------------------------------------------------------------------------------------------------------


def test_a_hanging_tool_costs_one_worker_until_its_timeout_then_it_is_replaced(server, pair, dress, run):
    """T3: A hanging tool costs one worker until its timeout, then it is replaced: never the pool, never the conversation. Abandoned
    threads are daemon, named, counted ..."""
    world = World(dress)
    held = Held()
    records = []

    def quick(n: int) -> str:
        return f"q{n}"

    async def main():
        with llm.ActorSystem(tool_workers=1, tool_timeout=0.2, observers=[records.append]):
            conversation = world.model(pair).conversation(tools=[held.tool(), quick])
            text = await world.text(conversation.chain('call hold {} and call quick {"n": 1}'))
            assert "quick=q1" in text
            assert "hold=Error" in text
            assert "0.2" in text  # it says why
            assert await world.text(conversation.chain('call quick {"n": 2}')) == "results: quick=q2"
            check_valid(conversation.messages())
        return [record for record in records if isinstance(record, ToolAbandoned)]

    (abandoned,) = run(main())
    assert (abandoned.tool, abandoned.abandoned) == ("hold", 1)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == abandoned.thread]
    assert thread.daemon
    held.let_go.set()


def test_past_the_cap_calls_of_a_hanging_tool_answer_at_once_with_an_error_result(server, pair, run):
    """T3: ... and capped (4 x the bound); past the cap calls of that tool answer at once with an error result."""
    held = Held()
    entered = []
    tool = held.tool()
    inner = tool.implementation

    def hold() -> str:
        entered.append(1)
        return inner()

    def quick() -> str:
        return "quick"

    async def main():
        with llm.ActorSystem(tool_workers=1, tool_timeout=0.05):
            conversation = pair.async_model.conversation(tools=[hold, quick])
            for _ in range(4):
                await conversation.chain(calls(hold={})).text()
            text = await conversation.chain(calls(hold={}, quick={})).text()
            assert "have not returned" in text
            assert "quick=quick" in text  # other tools are called as ever
            check_valid(conversation.messages())

    run(main())
    assert len(entered) == 4
    held.let_go.set()


def test_a_tools_own_timeout_goes_before_the_systems(server, pair, run):
    """T3: A hanging tool costs one worker until its timeout ..."""
    held = Held()
    tool = held.tool()
    tool.timeout = 0.1

    async def main():
        return await pair.async_model.chain(calls(hold={}), tools=[tool]).text()

    assert "hold=Error" in run(main())
    held.let_go.set()


@pytest.mark.parametrize("workers", [2])
def test_prompts_nested_in_tools_deeper_than_there_are_workers(server, pair, dress, run, workers):
    """A worker or slot that waits in a wait of ours (a prompt, an ask) does not count against the bound meanwhile. Test: bound 2,
    nesting depth 5, sync and async."""
    world = World(dress)

    def sync_deeper(depth: int) -> str:
        return pair.model.chain(_deeper(depth), tools=[deeper]).text() if depth else "bottom"

    async def async_deeper(depth: int) -> str:
        return await pair.async_model.chain(_deeper(depth), tools=[deeper]).text() if depth else "bottom"

    deeper = llm.Tool.function(async_deeper if world.is_async else sync_deeper, name="deeper")

    async def main():
        with llm.ActorSystem(tool_workers=workers):
            branches = [world.model(pair).chain(_deeper(6), tools=[deeper]) for _ in range(3)]
            return [await world.text(branch) for branch in branches]

    texts = run(main())
    assert [text.count("deeper=") for text in texts] == [6, 6, 6]
    assert all(text.endswith("bottom") for text in texts)


def _deeper(depth):
    return f'call deeper {{"depth": {depth - 1}}}'


# ---- T4 --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_tools_exception_is_a_result_for_the_model_not_the_end_of_a_turn(server, pair, dress, run, kind, error):
    """T4: A tool's exception, also `CancelledError` or `SystemExit` raised inside it, is a result for the model, not the end of a
    turn."""
    world = World(dress)

    def plain() -> str:
        raise error("went wrong")

    async def native() -> str:
        raise error("went wrong")

    tool = llm.Tool.function(plain if kind == "plain" else native, name="broken")

    async def main():
        conversation = world.model(pair).conversation(tools=[tool])
        response = conversation.chain(calls(broken={}))
        assert await world.text(response) == "results: broken=Error: went wrong"
        (part,) = [part for message in conversation.messages() for part in message.parts if hasattr(part, "output")]
        assert part.exception == f"{error.__name__}: went wrong"
        assert await world.text(conversation.prompt("next")) == "echo: next"

    run(main())


def test_arguments_that_do_not_fit_and_tools_that_do_not_exist_are_results_too(server, pair, dress, run):
    """T4: ... is a result for the model, not the end of a turn."""
    world = World(dress)
    ran = []

    def add(a: int) -> int:
        ran.append(a)
        return a

    async def main():
        response = world.model(pair).chain('call add {"a": "many"} and call add {"a": 2}', tools=[add])
        text = await world.text(response)
        assert text.startswith("results: add=Error:")
        assert "int" in text
        assert text.endswith("add=2")

    run(main())
    assert ran == [2]
