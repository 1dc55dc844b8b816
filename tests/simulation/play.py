"""Plays a program in a simulation, with all checks, and says what came of it."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

import llm_actors as llm
from llm_actors.testing import Simulation

from . import stage
from .hands import AsyncHands, SyncHands, drive
from .invariants import check_end, check_nothing_is_left, check_turn
from .program import Program, User
from .seen import Broken
from .taps import observer, tapped
from .world import World

QUIET = 400.0
"""Virtual seconds after which everything has come to rest: hanging tools have returned, idle threads have been dismissed."""


class Outcome(msgspec.Struct):
    """What came of a program. `promise`: the one that was broken, None when all were kept."""

    program: Program
    promise: str | None = None
    what: str = ""
    trace: bytes = b""
    responses: int = 0
    seconds: float = 0.0


def play(program: Program, *, keep_trace: bool = False) -> Outcome:
    """Plays it. Raises nothing that a program could cause."""
    system = llm.ActorSystem(
        tool_workers=program.workers,
        tool_timeout=program.tool_timeout,
        chain_limit=program.chain_limit,
        mailbox=program.mailbox,
    )
    simulation = Simulation(program.seed, system=system, max_time=5000, max_turns=200_000)
    outcome = Outcome(program)
    worlds: list[World] = []
    try:
        with _silence(), simulation:
            _play(program, simulation, worlds)
        for fault in simulation.faults:
            if not _is_fair(program, fault):
                raise Broken("A4", f"nobody could be given {fault.get('exception')!r}: {fault['message']}")
    except Broken as broken:
        outcome.promise, outcome.what = broken.promise, broken.what
    except llm.SimulationError as error:
        outcome.promise, outcome.what = "A3", str(error)
    except Exception as error:  # what users of a program do not expect is a defect too
        outcome.promise, outcome.what = "API", "".join(traceback.format_exception(error)[-3:])
    for world in worlds:
        if world.failure is not None:
            outcome.promise, outcome.what = world.failure.promise, world.failure.what
        outcome.responses, outcome.seconds = len(world.seen), simulation.now
    if keep_trace:
        outcome.trace = simulation.trace.encode()
    return outcome


def _play(program: Program, simulation: Simulation, worlds: list[World]) -> None:
    world = World(program, simulation)
    worlds.append(world)
    stage.enter(world)
    simulation.system.observers.append(observer(world))
    with tapped(world):
        simulation.virtual.on_turn = lambda: check_turn(world)
        try:
            simulation.run(_main(world))
            if program.ends is not None:
                simulation._end()
                check_end(world)
        finally:
            simulation.virtual.on_turn = None


def _is_fair(program: Program, fault: dict[str, Any]) -> bool:
    """asyncio can't close a generator that runs: what begins in the very moment of the loop's end may be one, and be closed by us."""
    return program.ends is not None and "generator is already running" in repr(fault.get("exception"))


async def _main(world: World) -> None:
    world.open()
    users = [asyncio.ensure_future(_user(world, user)) for user in world.program.users]
    if world.program.ends is not None:
        await asyncio.wait(users, timeout=world.program.ends)
        for user in users:
            if user.done():
                user.result()
        return
    await asyncio.gather(*users)
    await asyncio.sleep(QUIET)
    check_end(world)
    check_nothing_is_left(world)


async def _user(world: World, user: User) -> None:
    if user.thread:
        await asyncio.to_thread(lambda: drive(_steps(world, user, SyncHands())))
    else:
        await _steps(world, user, AsyncHands())


async def _steps(world: World, user: User, hands: Any) -> None:
    for step in user.steps:
        if step.wait:
            await hands.sleep(step.wait)
        await step.action.perform(world, hands)


@contextmanager
def _silence() -> Iterator[None]:
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
