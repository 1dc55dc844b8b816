"""Groups in sync code."""

import asyncio
import threading
from typing import Any

import pytest

import llm_actors as llm
from llm_actors.runtime import carried

from .speakers import SyncSays, run
from .test_inheritance import SyncAsks


class Waits(llm.AsyncModel):
    """Answers when told to."""

    model_id = "waits"

    def __init__(self):
        self.running = 0
        self.entered = asyncio.Event()
        self.go = asyncio.Event()

    async def execute(self, prompt, stream, response, conversation):
        self.running += 1
        self.entered.set()
        try:
            yield "half "
            await self.go.wait()
            yield "whole"
        finally:
            self.running -= 1


async def forever():
    await asyncio.get_running_loop().create_future()


def test_a_group_in_sync_code_waits_for_its_turns_threads_and_tasks():
    async def suspends():
        await asyncio.sleep(0.01)
        return "task"

    with llm.Group(tenant="acme") as group:
        conversation = group.conversation(SyncSays("a"))
        response = conversation.prompt("hi")
        futures = [group.spawn(suspends), group.spawn(lambda: llm.current_scope().tenant)]
        with pytest.raises(RuntimeError, match="needs a running event loop"):
            group.create_task(suspends())
    assert response.done
    assert [future.get(timeout=0) for future in futures] == ["task", "acme"]
    assert carried.get() is None
    with pytest.raises(llm.ActorError, match="is closed"):
        conversation.prompt("more")


def test_an_exception_cancels_a_group_in_sync_code():
    gate = threading.Event()
    with pytest.raises(BaseExceptionGroup) as caught, llm.Group() as group:
        response = group.conversation(SyncSays(gate, "never")).prompt("hi")
        raise ValueError("broken")
    gate.set()
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    assert isinstance(response.error, llm.ResponseCancelledError)


def test_a_task_that_fails_in_sync_code_ends_what_the_block_waits_for():
    gate = threading.Event()

    def fails():
        raise ValueError("broken")

    with pytest.raises(BaseExceptionGroup) as caught, llm.Group() as group:
        response = SyncSays(gate, "never").prompt("hi")
        group.spawn(fails)
        response.text()
    gate.set()
    assert [type(error) for error in caught.value.exceptions] == [ValueError]


@pytest.mark.parametrize("where", ["block", "closing"])
def test_a_deadline_in_sync_code(where):
    gate = threading.Event()
    with (
        pytest.raises(llm.DeadlineExceededError, match=r"^group 'g' did not end within its timeout of 0.2 seconds"),
        llm.Group("g", timeout=0.2),
    ):
        response = SyncSays(gate, "never").prompt("hi")
        if where == "block":
            response.text()
    gate.set()


def test_cancel_in_sync_code_leaves_the_block_without_an_error():
    gate = threading.Event()
    with llm.Group() as group:
        response = SyncSays(gate, "never").prompt("hi")
        group.spawn(group.cancel)
        response.text()
    gate.set()
    assert isinstance(response.error, llm.ResponseCancelledError)


def test_a_sync_tool_may_open_a_group():
    def team() -> str:
        with llm.Group(budget=llm.Budget(requests=2)) as group:
            return " ".join(
                response.text() for response in [group.conversation(SyncSays(word)).prompt("hi") for word in ("a", "b")]
            )

    conversation = SyncAsks("team").conversation(tools=[team])
    assert conversation.chain("hi").text() == "done"
    assert "a b" in str(conversation.messages())


def test_ctrl_c_while_a_group_closes_cancels_it_and_comes_out(monkeypatch):
    gate = threading.Event()
    from llm_actors.runtime import Future

    get, calls = Future.get, []

    def interrupted(self, *, timeout=None):
        if threading.current_thread() is threading.main_thread() and not calls:
            calls.append(1)
            raise KeyboardInterrupt
        return get(self, timeout=timeout)

    with pytest.raises(KeyboardInterrupt), llm.Group() as group:
        response = SyncSays(gate, "never").prompt("hi")
        monkeypatch.setattr(Future, "get", interrupted)
    gate.set()
    assert group.ended
    assert isinstance(response.error, llm.ResponseCancelledError)


def test_a_second_ctrl_c_does_not_wait_for_the_end(monkeypatch):
    gate = threading.Event()
    from llm_actors.runtime import Future

    get, calls = Future.get, []

    def interrupted(self, *, timeout=None):
        if threading.current_thread() is threading.main_thread() and len(calls) < 2:
            calls.append(1)
            raise KeyboardInterrupt
        return get(self, timeout=timeout)

    entered = threading.Event()

    def hangs():
        entered.set()
        gate.wait(10)

    with pytest.raises(KeyboardInterrupt), llm.Group() as group:
        group.spawn(hangs)
        assert entered.wait(5)
        monkeypatch.setattr(Future, "get", interrupted)
    assert len(calls) == 2
    assert group.ended
    gate.set()


def test_a_task_on_a_loop_that_was_closed_under_it_is_not_waited_for():
    with llm.Group() as group:
        loop = asyncio.new_event_loop()

        async def start():
            task: Any = group.create_task(forever())
            task._log_destroy_pending = False  # that it is destroyed is what is tested
            await asyncio.sleep(0)

        loop.run_until_complete(start())
        loop.close()
    assert group.ended


def test_a_blocking_block_inside_the_loop_that_has_to_do_the_work_says_so():
    async def main():
        model = Waits()
        with pytest.raises(llm.BlockingWaitError), llm.Group() as group:
            group.conversation(model).prompt("hi")
        await asyncio.sleep(0)
        assert carried.get() is None

    run(main())
