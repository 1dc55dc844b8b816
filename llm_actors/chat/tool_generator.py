"""A tool that is a generator: what it yields is progress, told while it runs.

    yield "half of it"          progress: a str, or a value that has a JSON form
    yield ToolOutput(result)    the result, and the end, as by `return`: the same in `def` and `async def`
    return result               the same, where Python allows it: in a plain `def`
    neither                     the result is the list of what it yielded, so that nothing of it is lost

It is closed in any case, where it ran: `finally` blocks run before the call counts as ended.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, TypeAlias

from llm_actors.messages import ToolOutput

Report: TypeAlias = Callable[[Any], bool]
"""Is told each progress, where the generator runs; False when nobody wants more of it."""

PROGRESS_LIMIT = 65_536
"""Bytes of one progress text; more is cut, and marked."""


def call_through(report: Report, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a plain function gives; of a generator the result, when it has run to its end, here in this thread."""
    value = function(*args, **kwargs)
    if inspect.isawaitable(value):  # also a coroutine of the old kind, which is a generator
        return value
    return _run(value, report) if inspect.isgenerator(value) else value


async def await_through(report: Report, make: Callable[[], Any]) -> Any:
    """The same for what is awaited, or iterated asynchronously. Its loop only."""
    value = make()
    if inspect.isawaitable(value):
        value = await value
    return await _run_async(value, report) if inspect.isasyncgen(value) else value


def goes_on(value: Any) -> bool:
    """Whether a plain function has only made it, and the loop has to carry it on: an awaitable, an async generator."""
    return inspect.isawaitable(value) or inspect.isasyncgen(value)


def _run(generator: Generator[Any, Any, Any], report: Report) -> Any:
    told: list[Any] = []
    try:
        while True:
            try:
                item = next(generator)
            except StopIteration as end:
                return told or None if end.value is None else end.value
            if isinstance(item, ToolOutput):
                return item
            told.append(item)
            if not report(item):
                return None
    finally:
        generator.close()


async def _run_async(generator: AsyncGenerator[Any, Any], report: Report) -> Any:
    told: list[Any] = []
    try:
        async for item in generator:
            if isinstance(item, ToolOutput):
                return item
            told.append(item)
            if not report(item):
                return None
            await _Others()
        return told or None
    finally:
        await generator.aclose()


class _Others:
    """One round of the loop for everybody else: a `yield` does not suspend a task, and a cancel must get in between two."""

    def __await__(self) -> Generator[None, None, None]:
        yield
