# mypy: disable-error-code="attr-defined"
# (these tests look at the inside, replace parts of it, and collect what they see in mixed lists)

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from llm_actors.runtime import SystemClock, clock, current, here, install, running


class Stopped:
    """A clock that stands still."""

    def monotonic(self):
        return 5.0

    def utcnow(self):
        return datetime(2020, 1, 1, tzinfo=UTC)

    def random(self):
        return 0.5

    def new_id(self):
        return "0" * 26


@pytest.fixture
def _stopped():
    install(Stopped())
    yield
    install(None)


def test_ids_are_ulids_that_sort_by_their_making_and_are_unique_in_all_threads():
    made = []

    def make():
        made.append([current().new_id() for _ in range(2_000)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert all(ids == sorted(ids) for ids in made)
    assert len({id_ for ids in made for id_ in ids}) == 8_000
    assert all(len(id_) == 26 and set(id_) <= set(clock._CROCKFORD) for ids in made for id_ in ids)


def test_an_id_tells_its_time():
    id_ = SystemClock().new_id()
    number = 0
    for char in id_:
        number = number * 32 + clock._CROCKFORD.index(char)
    made = datetime.fromtimestamp((number >> 80) / 1000, UTC)
    assert abs(made - datetime.now(UTC)) < timedelta(seconds=5)


def test_ids_go_on_upward_when_the_systems_time_goes_back(monkeypatch):
    here = SystemClock()
    before = here.new_id()
    monkeypatch.setattr(clock.time, "time_ns", lambda: 0)
    assert before < here.new_id() < here.new_id()
    here.forget()  # a forked child does not go on where its parent stands
    assert here.new_id() < before


def test_time_and_randomness_are_the_systems():
    here = SystemClock()
    assert here.monotonic() <= here.monotonic()
    assert here.utcnow().tzinfo is UTC
    assert 0 <= here.random() < 1


@pytest.mark.usefixtures("_stopped")
def test_an_installed_clock_is_the_default_of_new_loops_and_of_code_outside_of_loops():
    async def main():
        running()
        return current().monotonic(), here().clock.utcnow().year

    assert current().new_id() == "0" * 26
    assert asyncio.run(main()) == (5.0, 2020)
    install(None)
    assert current() is clock.SYSTEM


def test_a_running_loop_has_its_own_clock():
    async def main():
        assert current() is clock.SYSTEM
        here().clock = Stopped()
        return current().random()

    assert asyncio.run(main()) == 0.5
    assert current() is clock.SYSTEM
