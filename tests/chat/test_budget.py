"""The arithmetic of budgets: what is refused, what is set aside, what is spent."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llm_actors as llm
from llm_actors.chat.budget import NONE, UNITS, Asked, Budget, Price, Spent, reserve, settle, used_by
from llm_actors.messages import Usage

CHEAP = Price(input=0.15, output=0.6, cached_input=0.075)


def asked(input_tokens=10, output_tokens=20, *, exact=True, price=None):
    return Asked("m", input_tokens, output_tokens, exact, price)


# ---- prices


def test_a_price_is_for_a_million_tokens_and_exact():
    assert Price(2.5, 10.0).units(1_000_000, 0) == round(2.5 * UNITS)
    assert Price(2.5, 10.0).units(0, 3) == 30 * UNITS // 10**6
    assert CHEAP.units(1_000, 0, 400) * 10**6 == UNITS * (600 * 15 + 400 * 7.5) // 100
    assert Price(2.0, 4.0).units(10, 0, 10) == Price(2.0, 4.0).units(10, 0)  # without a price of its own
    assert Spent(1, 5, 7, UNITS // 4).cost == 0.25
    assert Spent(1, 5, 7).tokens == 12


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=30))
def test_sums_of_money_have_no_rounding(calls):
    price = Price(0.1, 0.7)
    total = sum(price.units(*call) for call in calls)
    assert Fraction(total, UNITS) == sum(
        (Fraction(read, 10**7) + Fraction(7 * written, 10**7) for read, written in calls), Fraction(0)
    )


@pytest.mark.parametrize("wrong", [(-1, 1), (1, -1), (1, 1, -1), (math.nan, 1)])
def test_a_negative_price_is_refused(wrong):
    with pytest.raises(ValueError, match="at least 0"):
        Price(*wrong)


# ---- limits


@pytest.mark.parametrize("kind", ["requests", "tokens", "input_tokens", "output_tokens", "cost"])
def test_a_limit_is_a_number_of_at_least_zero(kind):
    with pytest.raises(ValueError, match="at least 0"):
        Budget(**{kind: -1})
    for wrong in ("1", True, [1], *([1.5] * (kind != "cost"))):
        with pytest.raises(TypeError, match="number"):
            Budget(**{kind: wrong})
    assert Budget(**{kind: 7}).left == {kind: 7}


def test_a_budget_is_named_after_the_first_that_it_is_given_to():
    budget = Budget(requests=1)
    assert "unnamed" in repr(budget)
    assert budget.named("group 'a'").named("group 'b'").name == "group 'a'"
    assert Budget(name="mine").named("group 'a'").name == "mine"
    assert repr(budget) == "<Budget group 'a': requests=1>"
    assert "no limits" in repr(Budget())


@pytest.mark.parametrize(
    ("limits", "kind", "figures"),
    [
        ({"requests": 2}, "requests", (2, 1, 1, 1)),
        ({"tokens": 75}, "tokens", (75, 30, 30, 30)),
        ({"input_tokens": 25}, "input_tokens", (25, 10, 10, 10)),
        ({"output_tokens": 50}, "output_tokens", (50, 20, 20, 20)),
        ({"cost": 0.00006}, "cost", (0.00006, 0.00003, 0.00003, 0.00003)),
        ({"requests": 99, "tokens": 75}, "tokens", (75, 30, 30, 30)),
    ],
)
def test_what_there_is_no_room_for_is_refused_with_the_figures(limits, kind, figures):
    budget = Budget(**limits).named("group 'g'")
    ask = asked(price=Price(1.0, 1.0))
    first = reserve([budget], ask)
    settle([budget], first, first)
    reserve([budget], ask)
    with pytest.raises(llm.BudgetExceeded) as caught:
        reserve([budget], ask)
    error = caught.value
    assert (error.kind, error.budget) == (kind, "group 'g'")
    assert (error.limit, error.spent, error.reserved, error.asked) == figures
    assert isinstance(error, llm.TurnError)
    what = kind.replace("_", " ")
    assert str(error) == (
        f"the budget of group 'g' has no room for another model call: {what}: limit {figures[0]:,}, spent {figures[1]:,}, "
        f"reserved {figures[2]:,}, asked {figures[3]:,}; nothing was sent"
    )
    assert budget.reserved == first


def test_a_call_that_one_of_several_budgets_refuses_is_set_aside_in_none():
    outer, inner = Budget(requests=5), Budget(tokens=29)
    with pytest.raises(llm.BudgetExceeded):
        reserve([outer, inner], asked())
    assert outer.reserved == inner.reserved == NONE


def test_money_needs_a_price():
    with pytest.raises(llm.NoPriceError, match=r"'m' has no price.*Price"):
        reserve([Budget(cost=5.0)], asked())
    assert reserve([Budget(tokens=100)], asked()).units == 0


def test_an_answer_that_nothing_limits_takes_the_room_there_is():
    budget = Budget(tokens=100)
    assert reserve([budget], asked(10, 1_000, exact=False)).output_tokens == 90
    with pytest.raises(llm.BudgetExceeded):
        reserve([budget], asked(10, 1_000, exact=False))
    with pytest.raises(llm.BudgetExceeded):
        reserve([Budget(tokens=100)], asked(10, 1_000, exact=True))
    assert reserve([Budget(output_tokens=7), Budget(tokens=100)], asked(10, 50, exact=False)).output_tokens == 7
    rich = Budget(cost=1.0)
    assert reserve([rich], asked(0, 1_000, exact=False, price=Price(1.0, 10_000.0))).output_tokens == 100
    assert rich.left == {"cost": 0.0}
    assert reserve([Budget(cost=1.0)], asked(0, 1_000, exact=False, price=Price(1.0, 0.0))).output_tokens == 1_000
    with pytest.raises(llm.BudgetExceeded):  # not one token
        reserve([Budget(tokens=10)], asked(10, 1_000, exact=False))


# ---- what a call came to


@pytest.mark.parametrize(
    ("usage", "arrived", "answered", "expected"),
    [
        (Usage(3, 4), 99, True, (3, 4)),  # what the provider says counts
        (Usage(None, 4), 99, True, (10, 4)),
        (Usage(3, None), 99, True, (3, 99)),
        (None, 99, True, (10, 99)),  # a model that does not say: as estimated
        (None, 5, False, (10, 5)),  # cut: the prompt was read, and so much written
        (None, 0, True, (10, 0)),  # cancelled before anything came
        (None, 0, False, (0, 0)),  # refused: a request, and no tokens
    ],
)
def test_a_call_is_settled_by_its_usage_else_by_what_is_known(usage, arrived, answered, expected):
    price = Price(1.0, 2.0)
    used = used_by(asked(price=price), usage, arrived=arrived, answered=answered)
    assert used == Spent(1, expected[0], expected[1], price.units(*expected))


@pytest.mark.parametrize(
    "details",
    [
        {"prompt_tokens_details": {"cached_tokens": 400}},
        {"input_tokens_details": {"cached_tokens": 400}},
        {"cache_read_input_tokens": 400},
        {"cached_tokens": 400},
    ],
)
def test_input_from_a_cache_has_its_price(details):
    used = used_by(asked(price=CHEAP), Usage(1_000, 0, details), arrived=0, answered=True)
    assert used.units == CHEAP.units(1_000, 0, 400)
    less = used_by(asked(price=CHEAP), Usage(100, 0, details), arrived=0, answered=True)
    assert less.units == CHEAP.units(100, 0, 100)  # no more than was read
    assert used_by(asked(price=CHEAP), Usage(100, 0, {"x": 1}), arrived=0, answered=True).units == CHEAP.units(100, 0)


def test_what_a_call_uses_beyond_its_estimate_is_spent_and_the_next_is_refused():
    budget = Budget(tokens=50)
    settle([budget], reserve([budget], asked()), Spent(1, 10, 60))
    assert budget.left == {"tokens": -20}
    with pytest.raises(llm.BudgetExceeded):
        reserve([budget], asked(0, 1))


# ---- under random interleavings

limits = st.fixed_dictionaries(
    {},
    optional={
        "requests": st.integers(0, 12),
        "tokens": st.integers(0, 400),
        "input_tokens": st.integers(0, 300),
        "output_tokens": st.integers(0, 300),
        "cost": st.floats(0, 0.001),
    },
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle"]),
        st.sets(st.integers(0, 3), min_size=1),
        st.integers(0, 60),
        st.integers(1, 60),
        st.booleans(),
        st.floats(0, 1),
    ),
    max_size=60,
)


@given(st.lists(limits, min_size=4, max_size=4), steps)
def test_what_is_reserved_and_spent_is_never_above_a_limit_whatever_the_order(given_limits, plan):
    budgets = [Budget(**each) for each in given_limits]
    price = Price(3.0, 9.0)
    under_way = []
    spent = [NONE] * 4
    for action, places, read, written, exact, part in plan:
        if action == "settle":
            if under_way:
                chain, amount = under_way.pop(int(part * (len(under_way) - 1)))
                used = asked(price=price).used(int(amount.input_tokens * part), int(amount.output_tokens * part))
                settle([budgets[place] for place in chain], amount, used)
                for place in chain:
                    spent[place] = spent[place].plus(used)
            continue
        chain = sorted(places)
        try:
            amount = reserve([budgets[place] for place in chain], asked(read, written, exact=exact, price=price))
        except llm.BudgetExceeded:
            pass
        else:
            under_way.append((chain, amount))
        for place, budget in enumerate(budgets):
            held = NONE
            for chain_, amount_ in under_way:
                if place in chain_:
                    held = held.plus(amount_)
            assert budget.reserved == held
            assert budget.spent == spent[place]
            for kind, limit in budget.limits.items():
                assert budget.spent.of(kind) + budget.reserved.of(kind) <= limit
    for chain, amount in under_way:
        settle([budgets[place] for place in chain], amount, amount)
    assert all(budget.reserved == NONE for budget in budgets)
