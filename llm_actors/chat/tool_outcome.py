"""What a call of a user's code came to, and how it is called so that nothing it raises goes further."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, Literal

from msgspec import Struct

Kind = Literal["value", "error", "stopped", "timeout"]


_OURS = frozenset({__name__, f"{__package__}.tool_generator"})


class Outcome(Struct, frozen=True):
    """How a call ended. `error` is set for "error" and for "timeout" (a TimeoutError that names the tool), `value` for "value"."""

    kind: Kind
    value: Any = None
    error: BaseException | None = None


def called(context: Context, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
    """Calls it in that context. Whatever it raises is its outcome: SystemExit ends neither a worker nor the process (T4). Any thread."""
    try:
        return Outcome("value", context.run(function, *args, **kwargs))
    except BaseException as error:  # noqa: BLE001 - T4, see above
        return Outcome("error", error=_from_users_code(error))


async def awaited(make: Callable[[], Awaitable[Any]]) -> Outcome:
    """Makes the awaitable and awaits it. Whatever it raises is its outcome, as with `called()`; so the task around it never fails."""
    try:
        return Outcome("value", await make())
    except BaseException as error:  # noqa: BLE001 - T4; who cancelled the task knows that he did
        return Outcome("error", error=_from_users_code(error))


def discard(value: object) -> None:
    """Lets go of an outcome that nobody gets: a coroutine that never began is closed, or Python would warn that it was never awaited."""
    if inspect.iscoroutine(value) and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
        value.close()


def is_async(function: Callable[..., Any]) -> bool:
    """Whether it runs on the loop: an `async def`, or an object whose class has an `async def __call__`; also in a functools.partial."""
    call = type(function).__call__
    return any(
        kind(made) for kind in (inspect.iscoroutinefunction, inspect.isasyncgenfunction) for made in (function, call)
    )


def _from_users_code(error: BaseException) -> BaseException:
    # Our own frames hold the arguments: an error that lives on in a history must not keep them.
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_globals.get("__name__") in _OURS:
        traceback = traceback.tb_next
    return error.with_traceback(traceback)
