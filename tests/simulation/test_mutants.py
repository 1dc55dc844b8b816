"""The checker is checked: defects put into the library are found, and shrunk to programs that a person reads in a minute."""

import pytest

from .hunt import catch_all, hunt
from .mutants import MUTANTS
from .play import play
from .shrink import kind_of, shown, shrink

LIMIT = 10_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_mutant_is_caught():
    assert len(MUTANTS) >= 20
    caught = {name: seed for name, seed, _, _ in catch_all(LIMIT, processes=2)}
    assert set(caught) == set(MUTANTS)
    assert [name for name, seed in caught.items() if seed is None] == []


@pytest.mark.parametrize("name", ["a_result_is_kept_twice", "a_steer_that_came_too_late_is_lost"])
def test_what_is_caught_is_shrunk_to_a_few_lines_that_still_fail(name, monkeypatch):
    MUTANTS[name](monkeypatch)
    found = hunt(0, LIMIT)
    assert found.outcome is not None
    short = shrink(found.outcome, plays=1500)
    assert kind_of(short) == kind_of(found.outcome)
    assert short.program.size() < 500
    assert sum(len(user.steps) for user in short.program.users) <= 4
    text = shown(short)
    assert f"{short.promise}: " in text
    assert "--program" in text
    assert '{"record":' in text


def test_without_a_mutant_the_shrunk_program_is_clean():
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS["a_result_is_kept_twice"](patch)
        short = shrink(hunt(0, LIMIT).outcome, plays=300)
    assert play(short.program).promise is None
