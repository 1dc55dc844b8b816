"""What is there without waiting comes in one piece, in order, whatever waits, ends or breaks in between."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.runtime import loop as loops
from llm_actors.transport import gathering
from llm_actors.transport.gathering import gathered as gathered_in
from llm_actors.transport.turns import Turns

STEPS = st.lists(st.one_of(st.binary(max_size=8), st.sampled_from(["turn", "sleep", "future"])), max_size=30)


def gathered(steps):
    return gathered_in(steps, Turns(loops.here()))


async def source(steps, waits=None):
    for step in steps:
        if isinstance(step, bytes):
            yield step
        elif step == "turn":
            await asyncio.sleep(0)
        elif step == "sleep":
            await asyncio.sleep(0.0001)
        elif step == "future":
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, None)
            await future
        elif step == "wait":
            await waits
        else:
            raise step


async def pieces(steps):
    return [piece async for piece in gathered(source(steps))]


def expected(steps):
    """Joined between the waits; a wait at the start or the end of all joins nothing."""
    groups = [[]]
    for step in steps:
        if isinstance(step, bytes):
            groups[-1].append(step)
        else:
            groups.append([])
    return [b"".join(group) for group in groups if group]


@given(STEPS)
def test_pieces_are_joined_between_two_waits_and_nowhere_else(steps):
    assert asyncio.run(pieces(steps)) == expected(steps)


def test_what_was_gathered_goes_out_before_the_wait_not_behind_it():
    async def main():
        wait = asyncio.get_running_loop().create_future()
        reader = gathered(source([b"a", b"b", "wait", b"c"], wait))
        assert await anext(reader) == b"ab"
        wait.set_result(None)
        assert await anext(reader) == b"c"
        assert await anext(reader, None) is None

    asyncio.run(main())


def test_a_piece_is_bounded_so_that_one_stream_does_not_hold_up_the_others(monkeypatch):
    monkeypatch.setattr(gathering, "_MOST_BYTES", 10)
    monkeypatch.setattr(gathering, "_MOST_PIECES", 4)
    assert asyncio.run(pieces([b"1234"] * 7)) == [b"1234" * 3, b"1234" * 3, b"1234"]
    assert asyncio.run(pieces([b"1"] * 5 + [b""] * 8)) == [b"1111", b"1", b"", b""]


@pytest.mark.parametrize("before", [[], ["turn"]], ids=["at once", "behind a wait"])
def test_what_came_before_a_fault_is_given_and_then_the_fault(before):
    async def main():
        reader = gathered(source([*before, b"a", b"b", ValueError("broken")]))
        assert await anext(reader) == b"ab"
        with pytest.raises(ValueError, match="broken"):
            await anext(reader)

    asyncio.run(main())


def test_a_fault_behind_a_wait_is_raised():
    async def main():
        reader = gathered(source(["turn", ValueError("broken")]))
        with pytest.raises(ValueError, match="broken"):
            await anext(reader)

    asyncio.run(main())


def test_a_cancel_reaches_what_waits_inside():
    inside = []

    async def waits():
        yield b"a"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            inside.append("cancelled")
            raise

    async def main():
        reader = gathered(waits())
        assert await anext(reader) == b"a"
        task = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert inside == ["cancelled"]

    asyncio.run(main())


def test_a_source_that_takes_the_cancel_and_goes_on_is_read_on():
    async def stubborn():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        yield b"after all"

    async def main():
        task = asyncio.ensure_future(anext(gathered(stubborn())))
        await asyncio.sleep(0)
        task.cancel()
        assert await task == b"after all"

    asyncio.run(main())
