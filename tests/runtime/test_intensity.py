"""Restart intensity: how many failures in which time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.runtime.intensity import Intensity


def test_so_many_failures_within_the_period_may_be_followed_by_a_restart_one_more_may_not():
    limit = Intensity(2, 10)
    assert [limit.failed(now) for now in (0, 1, 2)] == [True, True, False]


def test_failures_older_than_the_period_do_not_count():
    limit = Intensity(1, 10)
    assert [limit.failed(now) for now in (0, 10, 20, 25)] == [True, True, True, False]


def test_with_intensity_0_none_may():
    assert not Intensity(0, 10).failed(0)


@pytest.mark.parametrize(("intensity", "period"), [(-1, 1), (1, 0)])
def test_impossible_limits_are_named(intensity, period):
    with pytest.raises(ValueError, match="intensity"):
        Intensity(intensity, period)


@given(st.lists(st.floats(0.01, 5), max_size=30), st.integers(0, 4))
def test_never_more_restarts_than_the_intensity_in_any_period(steps, intensity):
    limit, now, restarts = Intensity(intensity, 5.0), 0.0, []
    for step in steps:
        now += step
        if limit.failed(now):
            restarts.append(now)
        else:
            restarts.clear()
        assert len([when for when in restarts if now - when < 5.0]) <= intensity
