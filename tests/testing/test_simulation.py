"""Programs in virtual time: what passes, what is drawn, what can't go on."""

import asyncio
import gc
import random
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import llm_actors as llm
from llm_actors import testing
from llm_actors.observe import ToolAbandoned
from llm_actors.runtime.clock import current, lent


def add(a: int, b: int) -> int:
    """Adds, in two minutes."""
    time.sleep(120)
    return a + b


def test_hours_pass_in_no_time():
    async def main():
        await asyncio.sleep(24 * 3600)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert testing.run(main()) == 25 * 3600
    assert time.monotonic() - began < 5


def test_sync_tools_and_python_models_wait_in_virtual_time():
    class Slow(llm.Model):
        model_id = "slow"

        def execute(self, prompt, stream, response, conversation):
            time.sleep(60)
            yield "at last"

    model = testing.ScriptedModel(testing.calls(add={"a": 1, "b": 2}), "3").async_model
    with testing.Simulation() as world:
        assert world.run(_text(model.conversation(tools=[add]).chain("add", timeout=7200))) == "3"
        assert world.now == 120
        assert Slow().prompt("hi").text() == "at last"
        assert world.now == 180


async def _text(response):
    return await response.text()


def test_the_sync_api_works_in_the_thread_of_the_simulation_which_runs_the_loop_while_it_waits():
    model = testing.ScriptedModel("one", testing.says("t", 5, "wo")).model
    with testing.Simulation() as world:
        conversation = model.conversation()
        assert conversation.prompt("1").text() == "one"
        response = conversation.prompt("2")
        time.sleep(3)
        assert (response.partial, response.done, world.now) == ("t", False, 3)
        assert list(response) == ["t", "wo"]
        assert world.now == 5


def test_a_blocking_wait_on_the_loop_itself_raises_as_it_does_in_the_real_world():
    model = testing.ScriptedModel("one").model

    async def main():
        with pytest.raises(llm.BlockingWaitError):
            model.prompt("hi").text()

    testing.run(main())


def test_a_callback_that_blocks_the_loop_holds_its_time_up():
    async def main():
        ticks = []
        asyncio.get_running_loop().call_later(1, ticks.append, "tick")
        time.sleep(10)  # noqa: ASYNC251 - that is the point
        assert not ticks
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert ticks
        return asyncio.get_running_loop().time()

    assert testing.run(main()) == 10


def test_asyncio_to_thread_runs_as_a_step_and_brings_what_it_raises():
    async def main():
        assert await asyncio.to_thread(time.sleep, 5) is None
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        given_up = asyncio.create_task(asyncio.to_thread(time.sleep, 5))
        await asyncio.sleep(1)
        given_up.cancel()
        await asyncio.sleep(10)

    testing.run(main())


def test_a_program_that_can_not_go_on_ends_at_once_and_the_error_says_what_waits_where():
    forever = llm.ActorSystem(tool_timeout=None)

    def hang() -> str:
        from llm_actors.runtime import Future

        return Future().get()

    model = testing.ScriptedModel(testing.calls(hang={})).async_model

    async def main():
        await model.conversation(tools=[hang]).chain("go").text()

    with testing.Simulation(system=forever) as world, pytest.raises(llm.SimulationError) as caught:
        world.run(main())
    text = str(caught.value)
    assert "nothing can happen any more" in text
    assert "task 'main' at" in text
    assert f"{__file__}:" in text
    assert "thread 'llm-actors-tool-1' at" in text
    assert "in hang" in text
    assert "is tools" in text


def test_a_program_that_goes_on_without_end_is_ended_by_its_bounds():
    async def ticks():
        while True:  # noqa: ASYNC110 - that is the point
            await asyncio.sleep(1)

    async def spins():
        while True:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)

    with pytest.raises(llm.SimulationError, match="more than 100 virtual seconds"):
        testing.run(ticks(), max_time=100)
    with pytest.raises(llm.SimulationError, match="more than 1000 turns"):
        testing.run(spins(), max_turns=1000)


def test_a_thread_that_waits_for_what_is_not_virtual_ends_the_simulation_with_its_stack(monkeypatch):
    monkeypatch.setattr(testing.step_threads, "REAL_LIMIT", 0.1)
    event = threading.Event()

    def really_blocks():
        event.wait(20)

    world = testing.Simulation()
    with pytest.raises(llm.SimulationError, match="really_blocks"), world:
        world.run(asyncio.to_thread(really_blocks))
    event.set()


def test_a_blocking_wait_in_the_loop_for_what_only_the_loop_could_bring_is_named():
    from llm_actors.runtime import Future

    async def main():
        with pytest.warns(llm.BlocksLoopWarning):
            Future().get()

    import llm_actors.runtime.future as futures

    futures._warned = False
    with pytest.raises(llm.SimulationError, match="inside the loop"):
        testing.run(main())


def test_threads_still_waiting_at_the_end_are_ended_by_a_cancelled_error():
    ends = []

    def hang():
        try:
            time.sleep(10**9)
        except asyncio.CancelledError:
            ends.append("told")
            raise

    with testing.Simulation() as world:
        world.run(asyncio.wait_for(_started(hang), 1))
    assert ends == ["told"]
    assert lent.loop is None


async def _started(call):
    asyncio.get_running_loop().run_in_executor(None, call)
    await asyncio.sleep(0.5)


def test_a_thread_that_will_not_end_is_named():
    def stubborn():
        while True:
            try:
                time.sleep(1)
            except asyncio.CancelledError:
                if len(count) > 20:
                    return
                count.append(1)

    count = []
    with testing.Simulation() as world:
        world.run(_started(stubborn))
    assert len(count) == 21


def test_everything_is_as_before_when_it_is_over():
    before = (time.sleep, random.getstate(), gc.isenabled())
    with testing.Simulation(3) as world:
        assert time.sleep is not before[0]
        drawn = random.random()
        time.sleep(0)
        assert current() is world.loop.clock
    assert (time.sleep, random.getstate(), gc.isenabled()) == before
    with testing.Simulation(3):
        assert random.random() == drawn
    with testing.Simulation(4):
        assert random.random() != drawn


def test_actors_have_the_same_urns_for_the_same_seed_and_no_two_worlds_share_one():
    class Idle(llm.Actor):
        registered = False

    def urns(seed):
        with testing.Simulation(seed) as world:
            return [Idle.start_on(world.loop).actor_urn for _ in range(3)]

    outside = Idle.start().actor_urn
    assert urns(1) == urns(1)
    assert not {outside, *urns(1)} & {*urns(2), Idle.start().actor_urn}


def test_time_sleep_of_other_threads_stays_real():
    slept = []

    def other():
        began = time.monotonic()
        time.sleep(0.01)
        slept.append(time.monotonic() - began)

    with testing.Simulation():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
    assert slept[0] >= 0.009


def test_one_simulation_at_a_time_and_each_one_once():
    with testing.Simulation() as world, pytest.raises(RuntimeError, match="one simulation at a time"):
        testing.Simulation().__enter__()
    with pytest.raises(RuntimeError, match="each one once"), world:
        pass


def test_what_is_left_is_ended_as_asyncio_run_ends_it():
    ended = []

    async def left_over():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def main():
        asyncio.create_task(left_over()).set_name("left")
        model.conversation().prompt("hi")

    model = testing.ScriptedModel(testing.says("x", 100, "y")).async_model
    with testing.Simulation() as world:
        world.run(main())
    assert ended == ["cancelled"]
    assert world.loop.closed
    assert world.virtual.is_closed()


def test_exceptions_that_nobody_gets_are_kept():
    async def main():
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    with testing.Simulation() as world:
        world.run(main())
    (fault,) = world.faults
    assert isinstance(fault["exception"], ZeroDivisionError)


def test_which_of_two_threads_goes_on_first_and_which_of_two_timers_is_drawn_from_the_seed():
    async def main():
        order = []
        threads = [asyncio.to_thread(order.append, name) for name in "ab"]
        timers = [_after(1, order, name) for name in "cd"]
        await asyncio.gather(*threads, *timers)
        return "".join(order)

    orders = {testing.run(main(), seed=seed) for seed in range(30)}
    assert orders == {"abcd", "abdc", "bacd", "badc"}
    assert {testing.run(main(), seed=seed, perturb=False) for seed in range(5)} == {"abcd"}


async def _after(seconds, order, name):
    await asyncio.sleep(seconds)
    order.append(name)


def test_callbacks_of_the_loop_stay_first_in_first_out():
    async def main():
        order = []
        for number in range(20):
            asyncio.get_running_loop().call_soon(order.append, number)
        await asyncio.sleep(0)
        return order

    assert testing.run(main(), seed=5) == list(range(20))


def test_a_tool_past_its_timeout_is_set_aside_and_its_wait_ends_with_the_world():
    def hang() -> str:
        time.sleep(10**6)
        return "never"

    model = testing.ScriptedModel(testing.calls(hang={}), "given up").async_model
    system = llm.ActorSystem(tool_timeout=30)
    with testing.Simulation(system=system) as world:
        assert world.run(_text(model.conversation(tools=[hang]).chain("go"))) == "given up"
        assert world.now == 30
        assert [record.tool for record in world.trace.of(ToolAbandoned)] == ["hang"]


PROGRAM = textwrap.dedent(
    """
    import asyncio, random, sys, time
    import llm_actors as llm
    from llm_actors import testing
    from llm_actors.testing.memory import MemoryServer

    def work(n: int) -> str:
        time.sleep(random.random())
        return "".join(sorted({"x", "y", str(n)}))

    async def later(n: int) -> str:
        await asyncio.sleep(random.random())
        raise ValueError(object())

    async def one(number):
        model = server_model if number % 2 else demo
        conversation = model.conversation(tools=[work, later])
        calls = f'call work {{"n": {number}}} and call later {{"n": {number}}}'
        responses = [conversation.chain(calls) for _ in range(3)]
        world.trace.follow(responses[0])
        if number % 3 == 0:
            await asyncio.sleep(random.random())
            await responses[1].cancel()
        done, late = await asyncio.wait({asyncio.ensure_future(text(r)) for r in responses}, timeout=1)
        return len(done)

    async def text(response):
        try:
            return await response.text()
        except llm.LLMError as error:
            return repr(error)

    async def main():
        world.trace.note(await asyncio.gather(*(one(n) for n in range(8))))
        async with asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(one(n))

    demo = llm.get_async_model("demo")
    with testing.Simulation(int(sys.argv[1])) as world:
        server = MemoryServer(delay=world.random.random)
        server_model = llm.endpoint("m", base_url=server.base_url, client=server.client).async_model
        world.run(main())
    sys.stdout.buffer.write(world.trace.encode())
    """
)


def test_the_same_seed_gives_the_same_trace_byte_for_byte_in_another_process(tmp_path):
    traces = {}
    for seed, hashes in ((1, "0"), (1, "77"), (1, "12345"), (2, "0")):
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(seed)],
            env={"PYTHONHASHSEED": hashes, "LLM_USER_PATH": str(tmp_path)},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode()
        traces.setdefault(seed, []).append(ran.stdout)
    assert traces[1][0] == traces[1][1] == traces[1][2]
    assert len(traces[1][0]) > 10_000
    assert traces[1][0] != traces[2][0]
    for record in (b"TurnFinished", b"ToolEnded", b"Stepped", b"Told", b"Noted"):
        assert record in traces[1][0]


def test_hundreds_of_conversations_with_tools_timeouts_and_retries_take_a_second_or_two():
    def look(n: int) -> int:
        time.sleep(n % 7)
        return n

    async def one(number):
        model = testing.ScriptedModel(testing.says("thinking", 1, llm.ToolCall("look", {"n": number})), "done")
        for _ in range(3):
            response = model.async_model.conversation(tools=[look]).chain("go", timeout=5)
            try:
                return await response.text()
            except (llm.DeadlineExceededError, llm.ModelError):
                await asyncio.sleep(60)
        return "late"

    async def main():
        return await asyncio.gather(*(one(number) for number in range(300)))

    began = time.perf_counter()
    answers = testing.run(main())
    assert len(answers) == 300
    assert answers.count("done") > 100
    assert time.perf_counter() - began < 15
