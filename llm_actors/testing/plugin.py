"""Fixtures for pytest. In your conftest.py: `pytest_plugins = ["llm_actors.testing.plugin"]`.

    simulation        a world in virtual time; a test that is an `async def` and asks for it is run in it
    memory_server     a scripted HTTP server in memory; in a simulation its bytes take drawn times
    scripted_server   the same over real sockets, in a process of its own that all tests of the run share
    cassette          real traffic, recorded at the first run, in `cassettes/` beside the test's file

    --simulation-seed=SEED       the seed for all simulations, in place of one made from each test's name
    --record-cassettes           records all cassettes anew

A failing test's report says its seed. Named explicitly, in place of an entry point: pytest then imports nothing of it where it is not used.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .server import ScriptedServer
from .simulation import Simulation

if TYPE_CHECKING:
    from .cassette import Cassette
    from .memory import MemoryServer

_SIMULATION: pytest.StashKey[Simulation] = pytest.StashKey()
_TAIL = 30


def pytest_addoption(parser: pytest.Parser) -> None:
    """Pytest's hook."""
    group = parser.getgroup("llm_actors")
    group.addoption("--simulation-seed", help="the seed of the fixture `simulation`, for all tests")
    group.addoption("--record-cassettes", action="store_true", help="the fixture `cassette` records anew")


@pytest.fixture
def simulation(request: pytest.FixtureRequest) -> Iterator[Simulation]:
    """A `llm_actors.testing.Simulation` around the test, with a seed of its own."""
    given = request.config.getoption("--simulation-seed")
    seed = given if given is not None else zlib.crc32(request.node.nodeid.encode())
    with Simulation(seed) as world:
        request.node.stash[_SIMULATION] = world
        yield world


@pytest.fixture
def memory_server(request: pytest.FixtureRequest) -> MemoryServer:
    """A `MemoryServer`; in a simulation each piece of its bytes is up to 50 ms under way."""
    from .memory import MemoryServer  # noqa: PLC0415 - it imports httpx

    if "simulation" not in request.fixturenames:
        return MemoryServer()
    world: Simulation = request.getfixturevalue("simulation")
    return MemoryServer(delay=lambda: world.random.random() * 0.05)


@pytest.fixture(scope="session")
def _scripted_server_process() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def scripted_server(_scripted_server_process: ScriptedServer) -> Iterator[ScriptedServer]:
    """A `ScriptedServer` without a script."""
    server = _scripted_server_process
    server.forget()
    server.set()
    yield server
    server.forget()


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Iterator[Cassette]:
    """A `Cassette` of this test."""
    from .cassette import Cassette  # noqa: PLC0415 - as above

    where: Path = request.path
    record = True if request.config.getoption("--record-cassettes") else None
    with Cassette(where.parent / "cassettes" / f"{where.stem}.{request.node.name}.json", record=record) as tape:
        yield tape


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs an `async def` that asks for `simulation` in it."""
    world = pyfuncitem.stash.get(_SIMULATION, None)
    if world is None or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames  # noqa: SLF001 - as pytest's own, and every plugin that runs a test
    world.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """Adds the seed, and the end of the trace, to the report of a failure."""
    report = yield
    world = item.stash.get(_SIMULATION, None)
    if world is not None and report.failed and call.when == "call":
        lines = world.trace.encode().decode().splitlines()[-_TAIL:]
        text = f"at {world.now:g} virtual seconds. Again: pytest {item.nodeid!r} --simulation-seed={world.seed}"
        report.sections.append((f"simulation of seed {world.seed}", "\n".join([text, *lines])))
    return report
