"""How a wait enters the graph of waits and leaves it, however it ends."""

import asyncio
import threading
from typing import Any

import pytest

from llm_actors.errors import DeadlockError
from llm_actors.runtime import Future, Timeout, Unit, ask, open_wait, waiting
from tests.runtime.peers import WAIT, Blunt, Peer, acquainted, blunt, passes_on, run

# ---- how a wait ends --------------------------------------------------------------------------------------------------------


def edges(unit):
    return list(unit._open)


@pytest.mark.parametrize("how", ["answer", "error", "cancel", "interrupt", "timeout"])
def test_a_task_leaves_the_graph_however_its_wait_ends(how):
    async def main():
        unit = Unit()
        answer: Future[Any] = Future()

        async def waits():
            unit.runs_here()
            waiting.set(unit)
            async with asyncio.timeout(0.02 if how == "timeout" else WAIT):
                return await answer

        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        (edge,) = edges(unit)
        assert list(unit.needs()) == [edge]
        if how == "answer":
            answer.set("answer")
        elif how == "error":
            answer.set_error(OSError())
        elif how == "cancel":
            task.cancel()
        elif how == "interrupt":
            edge.interrupt()
        assert not unit.needs() or how in ("interrupt", "timeout"), "what is over holds up nobody, from that moment on"
        outcomes = await asyncio.gather(task, return_exceptions=True)
        expected = {"answer": str, "error": OSError, "timeout": TimeoutError}.get(how, asyncio.CancelledError)
        assert isinstance(outcomes[0], expected)
        assert edges(unit) == []

    run(main())


@pytest.mark.parametrize("how", ["answer", "error", "interrupt", "timeout", "raise"])
def test_a_thread_leaves_the_graph_however_its_wait_ends(how, monkeypatch):
    entered = threading.Event()
    answer: Future[Any] = Future()
    outcome: list[Any] = []

    class Told(Unit):
        def enter(self, wait):
            entered.set()

    unit = Told()

    def waits():
        unit.runs_here()
        waiting.set(unit)
        try:
            outcome.append(answer.get(timeout=0.02 if how == "timeout" else WAIT))
        except BaseException as error:
            outcome.append(error)

    if how == "raise":

        def strikes(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(open_wait.OpenWait, "check", strikes)
    thread = threading.Thread(target=waits)
    thread.start()
    assert entered.wait(WAIT)
    if how == "answer":
        answer.set("answer")
    elif how == "error":
        answer.set_error(OSError())
    elif how == "interrupt":
        (edge,) = edges(unit)
        edge.interrupt()
        assert not unit.needs()
    thread.join(WAIT)
    expected = {"answer": str, "error": OSError, "timeout": Timeout, "raise": KeyboardInterrupt}
    assert isinstance(outcome[0], expected.get(how, asyncio.CancelledError))
    assert edges(unit) == []


def test_an_abandoned_wait_leaves_the_graph_with_its_coroutine():
    async def main():
        unit = Unit()
        token = waiting.set(unit)
        wait = Future().__await__()
        wait.send(None)
        assert len(edges(unit)) == 1
        wait.close()
        assert edges(unit) == []
        waiting.reset(token)

    run(main())


def test_a_cancel_wins_over_a_circle_that_is_found_while_the_task_waits():
    async def main():
        refs = acquainted(a=Peer, b=Peer)
        told: list[Any] = []
        child: list[Any] = []

        async def beside(actor):
            try:
                await ask(actor.friends["b"], passes_on("a"))
            except BaseException as error:
                told.append(error)
                raise

        async def handler(actor):
            child.append(asyncio.create_task(beside(actor)))
            await asyncio.sleep(0.01)
            child[0].cancel()
            await asyncio.gather(child[0], return_exceptions=True)
            return "done"

        assert await refs["a"].ask(handler, block=False) == "done"
        assert [type(error) for error in told] == [asyncio.CancelledError]
        assert await refs["b"].ask("alive", block=False) == "alive"

    run(main())


def test_a_time_limit_makes_a_wait_no_exception():
    with blunt(a=Blunt) as refs:
        with pytest.raises(DeadlockError):
            refs["a"].ask(lambda a: a.actor_ref.ask("x", timeout=WAIT), timeout=WAIT)
        with pytest.raises(Timeout):
            refs["a"].ask(lambda a: a.actor_ref.ask("x", timeout=0), timeout=WAIT)  # waits for nothing


def test_actors_leave_nothing_behind():
    async def main():
        refs = acquainted(a=Peer, b=Peer)
        await refs["a"].ask(passes_on("b"), block=False)
        await asyncio.sleep(0)
        assert [ref._actor_unit for ref in refs.values()] == [None, None]

    run(main())
