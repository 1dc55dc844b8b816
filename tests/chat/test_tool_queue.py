"""The order of what waits, against a model that is a sorted list."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.chat.tool_queue import ToolQueue


def job(number) -> Any:
    """All that a queue sees of one."""
    return SimpleNamespace(number=number)


@given(st.lists(st.tuples(st.sampled_from(["push", "pop", "remove"]), st.integers(0, 60))))
def test_the_lowest_number_comes_first_whatever_was_taken_out_between(steps):
    queue, model, seen = ToolQueue(), list[int](), set[int]()
    for step, number in steps:
        if step == "push" and number not in seen:
            seen.add(number)
            queue.push(job(number))
            model.append(number)
        elif step == "remove":
            queue.remove(job(number))
            model = [other for other in model if other != number]
        elif step == "pop" and model:
            assert queue.pop().number == min(model)
            model.remove(min(model))
        assert len(queue) == len(model)
        assert sorted(one.number for one in queue) == sorted(model)
    if not model:
        with pytest.raises(IndexError):
            queue.pop()


def test_a_queue_whose_calls_are_all_stopped_keeps_none_of_them():
    queue = ToolQueue()
    jobs = [job(number) for number in range(10_000)]
    for one in jobs:
        queue.push(one)
    for one in jobs:
        queue.remove(one)
    assert len(queue._heap) <= 16
