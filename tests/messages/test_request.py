"""Usage adds up over the rounds of a chain."""

import pytest

from llm_actors.messages import Usage


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        (Usage(1, 2), Usage(3, 4), Usage(4, 6)),
        (Usage(), Usage(3, None), Usage(3, None)),
        (Usage(1, None), Usage(), Usage(1, None)),
        (Usage(1, 1, {"a": 1}), Usage(1, 1), Usage(2, 2, {"a": 1})),
        (
            Usage(1, 1, {"a": 1, "n": {"x": 1}, "tier": "slow"}),
            Usage(1, 1, {"b": 2, "n": {"x": 2, "y": 3}, "tier": "fast"}),
            Usage(2, 2, {"a": 1, "n": {"x": 3, "y": 3}, "tier": "fast", "b": 2}),
        ),
    ],
)
def test_usage_adds_numbers_name_by_name(left, right, total):
    assert left + right == total
