"""Which tasks a task holds up: who awaits it, directly or through what asyncio puts in between.

Read from the callbacks that asyncio leaves at what is awaited: of `await task`, `gather`, `wait_for`, `shield`, `wait` for all, a TaskGroup
that waits at its end, and `run_until_complete` (`asyncio.run`), which holds up a thread. What is put together otherwise (`wait` for the
first, `as_completed`, another library's task group, an Event that a task sets) is not followed: then we know nothing and say no.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from typing import Any, TypeAlias

Place: TypeAlias = "int | asyncio.Task[Any] | None"
"""Where somebody is at work: a thread by its number, or a task."""

_OUTER = {
    "gather.<locals>._done_callback": "outer",
    "shield.<locals>._inner_done_callback": "outer",
    "_wait.<locals>._on_completion": "waiter",
}
"""Callbacks of asyncio.tasks, and the variable that holds the future which is awaited in place of theirs."""


def holds_up(task: asyncio.Task[Any], place: Place) -> bool:
    """Whether the code at that place can't go on before this task has ended. Any thread."""
    seen: set[int] = set()
    todo: list[asyncio.Future[Any]] = [task]
    while todo:
        one = todo.pop()
        if one is place:
            return True
        if id(one) in seen or one.done():
            continue
        seen.add(id(one))
        for callback in _callbacks(one):
            if _is_run_until_complete(callback) and getattr(one.get_loop(), "_thread_id", None) == place:
                return True
            todo += _awaiting(callback)
    return False


def _callbacks(future: asyncio.Future[Any]) -> list[Any]:
    return [callback for callback, _ in getattr(future, "_callbacks", None) or ()]


def _is_run_until_complete(callback: Any) -> bool:
    return getattr(callback, "__qualname__", "") == "_run_until_complete_cb"


def _awaiting(callback: Any) -> Iterator[asyncio.Future[Any]]:
    """The task or future that goes on by this callback."""
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):  # its wake-up
        yield owner
    elif isinstance(owner, asyncio.TaskGroup):
        inside: Any = owner
        if inside._exiting and not inside._aborting and inside._parent_task is not None:
            yield inside._parent_task
    elif isinstance(callback, functools.partial):
        if getattr(callback.func, "__name__", "") == "_release_waiter":  # wait_for, up to Python 3.11
            yield callback.args[0]
    elif getattr(callback, "__module__", "") == "asyncio.tasks":
        yield from _from_closure(callback)


def _from_closure(callback: Any) -> Iterator[asyncio.Future[Any]]:
    name = _OUTER.get(callback.__qualname__)
    held = dict(zip(callback.__code__.co_freevars, callback.__closure__ or (), strict=True))
    if name in held and ("return_when" not in held or held["return_when"].cell_contents == asyncio.ALL_COMPLETED):
        yield held[name].cell_contents
