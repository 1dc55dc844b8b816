"""Weaknesses W1, W8, W9, W11, W13, W14, W16, W26 and W29 of the peer: tools, and what surrounds them."""

import asyncio
import threading
import time

import pytest

import llm_actors as llm
from llm_actors.runtime import future

from .played import AsyncPlayed, Played, call, longest_stall, outputs, played, run, wired


def test_w01_a_sync_tool_does_not_block_the_loop_nor_delay_async_siblings():
    together = threading.Barrier(3, timeout=30)
    free = threading.Event()

    def waits(n: int) -> str:
        together.wait()  # run one after the other, or on the loop, this would break
        assert free.wait(30)
        return f"sync {n}"

    async def sibling() -> str:
        free.set()  # it begins while the three sync ones stand
        return "async"

    model = AsyncPlayed([*(call("waits", f"c{n}", n=n) for n in range(3)), call("sibling", "c3")], ["done"])

    async def main():
        return await model.chain("go", tools=[waits, sibling]).text()

    assert run(main) == "done"
    assert outputs(model.asked[1]) == ["sync 0", "sync 1", "sync 2", "async"]


@pytest.mark.timeout(120)
def test_w01_three_sync_tools_that_sleep_take_the_time_of_one_and_stall_the_loop_under_20_ms():
    def sleeps(n: int) -> str:
        time.sleep(0.2)  # the tool of the promise
        return "slept"

    began = []

    async def sibling() -> str:
        began.append(time.perf_counter())
        return "async"

    async def main():
        model = AsyncPlayed([*(call("sleeps", f"c{n}", n=n) for n in range(3)), call("sibling", "c3")], ["done"])
        await model.prompt("warm up")
        model.rounds[:0] = [[*(call("sleeps", f"c{n}", n=n) for n in range(3)), call("sibling", "c3")]]
        response = model.chain("go", tools=[sleeps, sibling])
        start = time.perf_counter()
        stall = await longest_stall(response.text())
        return stall, time.perf_counter() - start, began[-1] - start

    seen = []
    for _ in range(30):  # others use this machine too: a stall of ours (0.2 s) would be there each time
        seen.append(run(main))
        stall, seconds, late = seen[-1]
        if stall < 0.02 and seconds < 0.4 and late < 0.1:
            return
    pytest.fail(f"stall, whole round, start of the async sibling, in seconds: {seen}")


def test_w01_in_sync_code_the_tools_of_a_round_run_side_by_side_too():
    together = threading.Barrier(4, timeout=30)

    def waits(n: int) -> str:
        together.wait()
        return f"sync {n}"

    async def sibling() -> str:
        await asyncio.to_thread(together.wait)
        return "async"

    model = Played([*(call("waits", f"c{n}", n=n) for n in range(3)), call("sibling", "c3")], ["done"])
    assert model.chain("go", tools=[waits, sibling]).text() == "done"
    assert outputs(model.asked[1]) == ["sync 0", "sync 1", "sync 2", "async"]


async def _raises() -> str:
    raise asyncio.CancelledError("of its own")


async def _awaits_what_was_cancelled() -> str:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.cancel("of its own")
    return await future


def _raises_in_its_thread() -> str:
    raise asyncio.CancelledError("of its own")


@pytest.mark.parametrize("tool", [_raises, _awaits_what_was_cancelled, _raises_in_its_thread])
def test_w08_a_cancelled_error_inside_a_tool_is_a_result_and_ends_nothing(tool):
    first = [call("tool"), call("fine", "c2")]

    def fine() -> str:
        return "fine"

    tools = [llm.Tool.function(tool, name="tool"), fine]
    model = AsyncPlayed(first, ["done"])

    async def main():
        return await model.chain("go", tools=tools).text()

    assert run(main) == "done"
    assert outputs(model.asked[1]) == ["Error: of its own", "fine"]
    sync_model = Played(first, ["done"])
    assert sync_model.chain("go", tools=tools).text() == "done"
    assert outputs(sync_model.asked[1]) == ["Error: of its own", "fine"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_w09_a_hanging_tool_ends_at_its_timeout_and_the_chain_goes_on(kind):
    let_go = threading.Event()

    def hangs() -> str:
        let_go.wait(10)
        return "late"

    async def hangs_on_the_loop() -> str:
        await asyncio.Event().wait()
        return "never"

    def fine() -> str:
        return "fine"

    tools = [llm.Tool.function({"sync": hangs, "async": hangs_on_the_loop}[kind], name="hangs", timeout=0.1), fine]
    model = AsyncPlayed([call("hangs"), call("fine", "c2")], ["done"])
    sync_model = Played([call("hangs"), call("fine", "c2")], ["done"])

    async def main():
        return await model.chain("go", tools=tools).text()

    try:
        assert run(main) == "done"
        assert sync_model.chain("go", tools=tools).text() == "done"
    finally:
        let_go.set()
    for asked in (model.asked[1], sync_model.asked[1]):
        hung, other = outputs(asked)
        assert hung.startswith("Error: ")
        assert "hangs" in hung
        assert "0.1" in hung
        assert other == "fine"


def test_w09_after_an_outer_timeout_each_call_has_its_result_and_the_next_prompt_is_taken(server):
    conversation = wired(server, True).conversation()

    async def main():
        hanging = asyncio.Event()

        async def hangs() -> str:
            hanging.set()
            await asyncio.Event().wait()
            return "never"

        waiting = asyncio.create_task(asyncio.wait_for(conversation.chain("call hangs {}", tools=[hangs]).text(), 5))
        await hanging.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await conversation.prompt("and now?").text()

    assert run(main) == "echo: and now?"
    _each_call_has_one_result(server)


def test_w09_after_a_deadline_in_sync_code_the_next_prompt_is_taken(server):
    let_go = threading.Event()

    def hangs() -> str:
        let_go.wait(10)
        return "late"

    conversation = wired(server, False).conversation()
    try:
        with pytest.raises(llm.DeadlineExceededError):
            conversation.chain("call hangs {}", tools=[hangs], timeout=1).text()
        assert conversation.prompt("and now?").text() == "echo: and now?"
    finally:
        let_go.set()
    _each_call_has_one_result(server)


def test_w11_an_async_tool_works_with_a_sync_model_inside_a_running_loop(monkeypatch):
    monkeypatch.setattr(future, "_warned", False)  # it comes once in a process

    async def shout(text: str) -> str:
        await asyncio.sleep(0)
        return text.upper()

    model = Played([call("shout", text="hey")], ["done"])

    async def main():
        with pytest.warns(llm.BlocksLoopWarning):
            return model.chain("go", tools=[shout]).text()

    assert run(main) == "done"
    assert outputs(model.asked[1]) == ["HEY"]


def test_w11_an_async_tool_in_sync_code_does_not_run_on_the_thread_that_waits():
    threads = []

    async def where() -> str:
        threads.append(threading.current_thread())
        return "here"

    assert Played([call("where")], ["done"]).chain("go", tools=[where]).text() == "done"
    assert threads != [threading.current_thread()]


def test_w13_a_cancel_while_a_later_before_call_is_awaited_ends_the_tools_already_running():
    effects = []

    async def main():
        gate, running, asked = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def works() -> str:
            running.set()
            await gate.wait()
            effects.append("after the cancel")
            return "worked"

        async def before_call(tool, tool_call):
            if tool_call.tool_call_id == "c2":
                asked.set()
                await asyncio.Event().wait()

        model = AsyncPlayed([call("works"), call("works", "c2")], ["done"])
        response = model.chain("go", tools=[works], before_call=before_call)
        await running.wait()
        await asked.wait()
        await response.cancel()
        gate.set()
        for _ in range(10):  # whatever was left would run now
            await asyncio.sleep(0)
        with pytest.raises(llm.ResponseCancelledError):
            await response.text()

    run(main)
    assert effects == []


@pytest.mark.parametrize("is_async", [False, True])
def test_w14_the_calls_left_open_by_a_prompt_are_run_by_a_chain_only_and_its_hook_sees_them(is_async):
    ran = []

    def pay() -> str:
        ran.append("paid")
        return "paid"

    def deny(tool, tool_call):
        raise llm.CancelToolCall("not allowed")

    model = played(is_async, [call("pay")], ["I could not"], [call("pay")], ["I went on"])
    conversation = model.conversation(tools=[pay], before_call=deny)

    async def main():
        await conversation.prompt("pay").text()  # asks for the call; a prompt runs no tool
        one = await conversation.chain().text()  # goes on with it, through the hook
        await conversation.prompt("pay").text()
        return [one, await conversation.prompt("never mind").text()]  # goes on without it: not run either

    if is_async:
        said = run(main)
    else:
        conversation.prompt("pay").text()
        said = [conversation.chain().text()]
        conversation.prompt("pay").text()
        said.append(conversation.prompt("never mind").text())
    assert said == ["I could not", "I went on"]
    assert outputs(model.asked[1]) == ["Cancelled: not allowed"]
    assert len(outputs(model.asked[3])) == 2
    assert ran == []


class _Late(llm.Toolbox):
    """Has its tools only when it was prepared."""

    def __init__(self, kind):
        self.kind = kind
        self.times = 0

    def _found(self):
        self.times += 1

        def found() -> str:
            """Added while it was prepared."""
            return "late"

        self.add_tool(found)

    def prepare(self):
        if self.kind == "sync":
            self._found()

    async def prepare_async(self):
        if self.kind == "async":
            await asyncio.sleep(0)
            self._found()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_w16_tools_added_by_prepare_are_offered_in_that_chain_and_added_once_by_concurrent_chains(server, kind):
    box, sync_box = _Late(kind), _Late(kind)

    async def main():
        chains = [wired(server, True).chain("call found {}", tools=[box]) for _ in range(5)]
        return await asyncio.gather(*(chain.text() for chain in chains))

    assert run(main) == ["results: found=late"] * 5
    chains = [wired(server, False).chain("call found {}", tools=[sync_box]) for _ in range(5)]
    assert [chain.text() for chain in chains] == ["results: found=late"] * 5
    assert (box.times, sync_box.times) == (1, 1)
    offered = [[tool["function"]["name"] for tool in request.json()["tools"]] for request in server.requests]
    assert offered == [["found"]] * 20


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_w26_five_hundred_calls_of_a_round_run_at_most_as_many_at_once_as_the_bound(kind):
    lock = threading.Lock()
    running = peak = 0

    def enter():
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)

    def leave():
        nonlocal running
        with lock:
            running -= 1

    def work(n: int) -> int:
        enter()
        time.sleep(0.001)  # gives the others the chance to be too many
        leave()
        return n

    async def work_on_the_loop(n: int) -> int:
        enter()
        await asyncio.sleep(0.001)
        leave()
        return n

    tool = llm.Tool.function(work if kind == "sync" else work_on_the_loop, name="work")
    model = AsyncPlayed([call("work", f"c{n}", n=n) for n in range(500)], ["done"])

    async def main():
        async with llm.ActorSystem(tool_workers=8):
            return await model.chain("go", tools=[tool]).text()

    assert run(main, 30) == "done"
    assert outputs(model.asked[1]) == [str(n) for n in range(500)]
    assert peak == 8


def test_w26_there_is_a_bound_without_being_asked_for():
    assert llm.ActorSystem().tool_workers == 64


def test_w29_tools_added_to_one_toolbox_are_not_in_another():
    one, other = llm.Toolbox(), llm.Toolbox()

    def added() -> str:
        """Added to one."""
        return "here"

    one.add_tool(added)
    assert [tool.name for tool in one.tools()] == ["added"]
    assert other.tools() == []
    assert llm.Toolbox().tools() == []


def _each_call_has_one_result(server):
    messages = server.requests[-1].json()["messages"]
    calls = [one["id"] for message in messages for one in message.get("tool_calls") or []]
    results = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    assert calls
    assert results == calls
