"""Sync methods of one Toolbox instance never run at the same time as one another, and wait their turn outside the workers."""

import asyncio
from typing import Any

import pytest

from llm_actors.errors import ToolStuckError
from llm_actors.observe import ToolReturned

from .pool_calls import WAIT, Calls, until
from .test_tool_pool_waits import nested


class Box:
    """A toolbox that notices when two of its methods run at once. Equal to any other: lines go by identity."""

    __hash__ = None  # type: ignore[assignment] # as @dataclass does

    def __init__(self):
        self.inside = 0
        self.order = []

    def __eq__(self, other):
        return True

    def method(self, number):
        self.inside += 1
        assert self.inside == 1
        self.order.append(number)
        self.inside -= 1
        return number


def test_sync_methods_of_one_instance_run_one_at_a_time_in_the_order_they_were_called():
    async def main():
        async with Calls(workers=8) as calls:
            box = Box()
            made = [calls.call(box.method, number, serial=box) for number in range(500)]
            assert [await call.value() for call in made] == list(range(500))
            assert box.order == list(range(500))
            assert len(calls.pool._lines) == 0

    asyncio.run(main())


def test_who_waits_its_turn_holds_no_worker_and_other_instances_go_on():
    async def main():
        async with Calls(workers=2) as calls:
            gate, box, other = calls.gate(), Box(), Box()
            held = calls.call(gate, serial=box)
            waiting = [calls.call(box.method, number, serial=box) for number in range(20)]
            await gate.is_reached()
            assert (calls.pool.stats().running, calls.pool.stats().queued) == (1, 20)
            assert await calls.call(other.method, 1, serial=other).value() == 1
            assert await calls.call(lambda: 2).value() == 2
            gate.open()
            await held.value()
            assert [await call.value() for call in waiting] == list(range(20))

    asyncio.run(main())


def test_async_methods_of_an_instance_run_beside_its_sync_ones():
    async def main():
        async with Calls() as calls:
            gate, box = calls.gate(), Box()
            held = calls.call(gate, serial=box)
            event = asyncio.Event()
            beside = calls.call(event.wait, serial=box)
            event.set()
            assert await beside.value() is True
            gate.open()
            await held.value()

    asyncio.run(main())


def test_a_method_that_waited_for_its_toolbox_keeps_the_place_it_was_sent_at():
    async def main():
        async with Calls(workers=1) as calls:
            gate, box, order = calls.gate(), Box(), list[Any]()
            held = calls.call(gate, serial=box)
            method = calls.call(order.append, "method", serial=box)
            others = [calls.call(order.append, number) for number in range(5)]
            gate.open()
            for call in (held, method, *others):
                await call.value()
            assert order == ["method", 0, 1, 2, 3, 4]

    asyncio.run(main())


def test_a_method_that_is_stopped_in_line_never_starts_and_leaves_the_line():
    async def main():
        async with Calls() as calls:
            gate, box = calls.gate(), Box()
            held = calls.call(gate, serial=box)
            made = [calls.call(box.method, number, serial=box) for number in range(3)]
            made[1].job.stop()
            assert (await made[1].outcome()).kind == "stopped"
            gate.open()
            await held.value()
            assert [await made[0].value(), await made[2].value()] == [0, 2]
            assert box.order == [0, 2]

    asyncio.run(main())


def test_a_method_that_is_stopped_while_it_waits_for_a_place_lets_the_next_of_its_line_go():
    async def main():
        async with Calls(workers=1) as calls:
            gate, box = calls.gate(), Box()
            held = calls.call(gate)
            first, second = (calls.call(box.method, number, serial=box) for number in range(2))
            first.job.stop()
            gate.open()
            assert (await first.outcome()).kind == "stopped"
            assert await second.value() == 1
            await held.value()

    asyncio.run(main())


@pytest.mark.parametrize("how", ["stopped", "timeout"])
def test_while_an_abandoned_method_has_not_returned_calls_on_that_instance_answer_at_once_and_name_it(how):
    async def main():
        async with Calls(workers=4) as calls:
            gate, box, other = calls.gate(), Box(), Box()
            hanging = calls.call(gate, name="Box_save", serial=box, timeout=0.05 if how == "timeout" else None)
            in_line = [calls.call(box.method, number, name="Box_load", serial=box) for number in range(3)]
            await gate.is_reached()
            if how == "stopped":
                hanging.job.stop()
            assert (await hanging.outcome()).kind == how
            for call in (*in_line, calls.call(box.method, 3, name="Box_load", serial=box)):
                error = await call.error()
                assert isinstance(error, ToolStuckError)
                assert '"Box_load" was not called: "Box_save" of the same Box hangs' in str(error)
            assert box.order == []
            assert await calls.call(other.method, 1, serial=other).value() == 1

            gate.open()
            await calls.observed(ToolReturned)
            assert await calls.call(box.method, 4, serial=box).value() == 4

    asyncio.run(main())


def test_a_method_that_waits_for_a_place_is_not_called_when_its_toolbox_begins_to_hang_meanwhile():
    async def main():
        async with Calls(workers=1) as calls:
            gate, place, deaf, box = calls.gate(), calls.gate(), calls.gate(), Box()
            inner = []

            def outer():
                gate()
                inner.append(nested(calls, box.method, 1, serial=box))
                try:
                    inner[0].get(timeout=WAIT)
                except asyncio.CancelledError:
                    deaf()

            # While the outer method waits, what it called queues behind a tool that has the place; then the outer one is given up.
            outer_call = calls.call(outer, serial=box)
            held = calls.call(place)
            gate.open()
            await place.is_reached()
            await until(lambda: calls.pool.stats().queued == 1)
            outer_call.job.stop()
            assert (await outer_call.outcome()).kind == "stopped"
            place.open()
            await held.value()
            with pytest.raises(ToolStuckError, match='"outer" of the same Box hangs'):
                await inner[0]
            assert box.order == []

    asyncio.run(main())


def test_a_method_that_runs_on_while_its_conversation_calls_its_toolbox_is_not_disturbed():
    async def main():
        async with Calls() as calls:
            box, begun, gate = Box(), calls.gate(), calls.gate()

            def outer():
                answer = nested(calls, box.method, 1, serial=box)
                box.inside += 1
                begun()  # the call from inside is in line by now; it waits until this one waits
                gate()
                box.inside -= 1
                return answer.get(timeout=WAIT)

            call = calls.call(outer, serial=box)
            await begun.is_reached()
            await until(lambda: calls.pool.stats().queued == 1)
            begun.open()
            await gate.is_reached()
            assert (calls.pool.stats().queued, box.order) == (1, [])
            gate.open()
            assert await call.value() == 1

    asyncio.run(main())


def test_a_method_may_wait_for_a_conversation_whose_tool_waits_for_one_that_calls_its_toolbox():
    async def main():
        async with Calls(workers=1) as calls:
            box = Box()

            def outer():
                return nested(calls, middle).get(timeout=WAIT)

            async def middle():
                return await nested(calls, box.method, 7, serial=box)

            assert await calls.call(outer, serial=box).value() == 7

    asyncio.run(main())


def test_a_method_may_wait_for_a_conversation_that_calls_its_own_toolbox():
    async def main():
        async with Calls(workers=2) as calls:
            box = Box()
            order: list[Any] = []

            def outer(number):
                order.append(("outer", number))
                answers = [nested(calls, inner, number, part, serial=box) for part in range(3)]
                return [answer.get(timeout=WAIT) for answer in answers]

            def inner(number, part):
                box.method(part)
                order.append(("inner", number, part))
                return part

            made = [calls.call(outer, number, serial=box) for number in range(3)]
            assert [await call.value() for call in made] == [[0, 1, 2]] * 3
            one = [("outer", 0), *(("inner", 0, part) for part in range(3))]
            assert order[:4] == one
            assert len(order) == 12

    asyncio.run(main())
