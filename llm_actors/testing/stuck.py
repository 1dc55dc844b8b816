"""What waits when nothing can happen any more: tasks, threads, conversations, each with the line of code it stands at."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from llm_actors.loop_engine import LoopEngine
from llm_actors.runtime.loop import Loop

from .step_threads import StepThreads

_OURS = str(Path(__file__).parents[1])
_THEIRS = (_OURS, str(Path(asyncio.__file__).parent))
_LIMIT = 20


def what_waits(loop: Loop, threads: StepThreads) -> str:
    """One line for each, with the innermost line of code that is not this library's or asyncio's."""
    lines = [
        *(f"task {task.get_name()!r} at {_place(_frames_of(task.get_coro()))}" for task in _tasks(loop)),
        *(f"thread {strand.name!r} at {_place(_frames_of_thread(strand.ident))}" for strand in threads.waiting()),
        *(f"actor {actor}" for actor in loop.busy),
    ]
    for engine in loop.services.values():
        if isinstance(engine, LoopEngine):
            lines += [f"conversation {line}" for line in _conversations(engine)]
    shown = [*lines[:_LIMIT], f"... and {len(lines) - _LIMIT} more"] if len(lines) > _LIMIT else lines
    return "".join(f"\n    {line}" for line in shown)


def _tasks(loop: Loop) -> list[asyncio.Task[Any]]:
    return sorted(asyncio.all_tasks(loop.asyncio_loop), key=hash)


def _conversations(engine: LoopEngine) -> Iterator[str]:
    for actor in engine.ending.busy:
        for live in actor._lives.values():  # noqa: SLF001 - as above
            yield f"{actor._id}: response {live.log.id} is {live.turn.state}"  # noqa: SLF001 - as above


def _frames_of(coroutine: Any) -> list[FrameType]:
    frames: list[FrameType] = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            frame = getattr(coroutine, "ag_frame", None)
        if frame is not None:
            frames.append(frame)
        for name in ("cr_await", "gi_yieldfrom", "ag_await"):
            if hasattr(coroutine, name):
                coroutine = getattr(coroutine, name)
                break
        else:
            break
    return frames


def _frames_of_thread(ident: int | None) -> list[FrameType]:
    frames: list[FrameType] = []
    frame = sys._current_frames().get(ident or 0)  # noqa: SLF001 - the documented way to see a thread's stack
    while frame is not None:
        frames.insert(0, frame)
        frame = frame.f_back
    return frames


def _place(frames: list[FrameType]) -> str:
    users = [frame for frame in frames if not frame.f_code.co_filename.startswith(_THEIRS)]
    users = [frame for frame in users if not frame.f_code.co_filename.endswith("threading.py")]
    if not users and not frames:
        return "its end"
    frame = (users or frames)[-1]
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
