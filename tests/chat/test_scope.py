"""What a prompt inherits, as values: which deadline counts, what holds together, what is handed on."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.chat.arguments import moment
from llm_actors.chat.scope import NOTHING, Deadline, Scope, after, at, earliest
from llm_actors.observe import Sender

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
deadlines = st.none() | st.builds(Deadline, st.floats(-1e6, 1e6), st.just("deadline"), st.sampled_from(["", "a", "b"]))


class Named:
    def __init__(self, name):
        self.name = name


GROUPS = [Named("one"), Named("two"), Named("three")]
scopes = st.builds(
    Scope,
    deadline=deadlines,
    groups=st.lists(st.sampled_from(GROUPS), unique=True).map(tuple),
    priority=st.none() | st.integers(-3, 3),
    tenant=st.none() | st.sampled_from(["t", "u"]),
    trace=st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12")),
)


def test_a_timeout_counts_from_now_and_infinity_is_none():
    assert after(3.0, 100.0) == Deadline(103.0, "timeout of 3.0 seconds")
    assert after(None, 100.0) is None
    assert after(math.inf, 100.0) is None


def test_a_deadline_is_a_point_on_the_monotonic_clock_or_a_datetime_placed_on_it():
    assert at(None, 100.0, NOON) is None
    assert at(math.inf, 100.0, NOON) is None
    assert at(107.0, 100.0, NOON) == Deadline(107.0, "deadline")
    found = at(NOON + timedelta(seconds=5), 100.0, NOON, "conversation c")
    assert found == Deadline(105.0, "deadline of 2026-01-01T12:00:05+00:00", "conversation c")
    assert at(NOON - timedelta(seconds=5), 100.0, NOON).when == 95.0


@pytest.mark.parametrize(
    ("deadline", "text"),
    [
        (after(3, 0.0), "within its timeout of 3 seconds"),
        (after(3, 0.0, "group 'g'"), "within the timeout of 3 seconds of group 'g'"),
        (at(3.0, 0.0, NOON), "before its deadline"),
        (at(NOON, 0.0, NOON, "conversation c"), "before the deadline of 2026-01-01T12:00:00+00:00 of conversation c"),
    ],
)
def test_a_deadline_says_which_it_is(deadline, text):
    assert str(deadline) == text


def test_what_is_no_deadline_is_refused():
    with pytest.raises(ValueError, match="aware"):
        moment("deadline", datetime(2026, 1, 1))  # noqa: DTZ001 - that is the fault
    with pytest.raises(ValueError, match="nan"):
        moment("deadline", math.nan)
    for wrong in ("soon", True, timedelta(seconds=1)):
        with pytest.raises(TypeError, match="monotonic"):
            moment("deadline", wrong)
    for right in (None, NOON, -5.0, math.inf):
        assert moment("deadline", right) == right


def test_what_is_no_budget_is_refused():
    with pytest.raises(TypeError, match=r"llm.Budget\(requests=10\)"):
        NOTHING.under(10, "the prompt")


@given(scopes, scopes)
def test_of_two_scopes_the_earlier_deadline_counts_groups_all_hold_and_of_the_rest_the_nearer(inner, outer):
    both = inner.within(outer)
    whens = [each.deadline.when for each in (inner, outer) if each.deadline]
    assert (both.deadline.when if both.deadline else None) == min(whens, default=None)
    assert both.groups[: len(outer.groups)] == outer.groups
    assert set(both.groups) == {*inner.groups, *outer.groups}
    assert len(both.groups) == len(set(both.groups))
    assert both.priority == (outer.priority if inner.priority is None else inner.priority)
    assert both.tenant == (inner.tenant or outer.tenant)
    assert both.trace == {**outer.trace, **inner.trace}


@given(scopes, scopes, scopes)
def test_it_does_not_matter_in_which_order_three_scopes_are_put_together(one, two, three):
    left, right = one.within(two).within(three), one.within(two.within(three))
    assert (left.deadline and left.deadline.when) == (right.deadline and right.deadline.when)
    assert (left.groups, left.priority, left.tenant) == (right.groups, right.priority, right.tenant)
    assert left.trace == right.trace


@given(scopes)
def test_nothing_changes_nothing(scope):
    assert NOTHING.within(scope) is scope or scope is NOTHING
    assert scope.within(NOTHING) is scope
    assert scope.within(None) is scope
    assert scope.until(None) is scope


@given(deadlines, deadlines)
def test_the_earlier_of_two_deadlines(one, other):
    found = earliest(one, other)
    assert found in (one, other)
    assert all(found.when <= each.when for each in (one, other) if each)


def test_a_turn_hands_its_scope_on_with_its_own_name_on_its_own_deadline():
    scope = Scope(deadline=after(3, 0.0), tenant="t").passed_on("c", "r")
    assert scope.deadline == after(3, 0.0, "response r in conversation c")
    assert scope.sender == Sender("c", "r")
    assert scope.tenant == "t"
    assert scope.called("call-1").sender == Sender("c", "r", "call-1")
    assert scope.called("call-1").passed_on("c2", "r2").deadline == scope.deadline
    assert scope.called("call-1").passed_on("c2", "r2").sender == Sender("c2", "r2")
    assert NOTHING.called("call-1") is NOTHING


def test_one_turn_can_be_under_two_scopes_that_differ_in_their_deadlines_only():
    budget, other = Named("b"), Named("b")
    scope = Scope(budgets=(budget,), tenant="t", priority=1)
    assert scope.shares_with(Scope(budgets=(budget,), tenant="t", priority=1, deadline=after(1, 0.0)))
    assert not scope.shares_with(Scope(budgets=(other,), tenant="t", priority=1))
    assert not scope.shares_with(Scope(budgets=(budget,), tenant="u", priority=1))
    assert not scope.shares_with(Scope(budgets=(budget,), tenant="t"))


def test_the_group_of_a_scope_is_the_innermost():
    assert Scope(groups=tuple(GROUPS)).group == "three"
    assert NOTHING.group is None
