"""Hooks around tool calls, by name."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import llm_actors as llm


def _odd(call: Any) -> bool:
    return sum(call.arguments["n"].encode()) % 3 == 0


def before(kind: str) -> Any:
    """A before_call hook, or None."""

    def plain(tool, call):
        time.sleep(0.01)

    async def asynchronous(tool, call):
        await asyncio.sleep(0.01)

    def refuses(tool, call):
        if _odd(call):
            raise llm.CancelToolCall("no")

    def raises(tool, call):
        if _odd(call):
            raise llm.LLMError("the hook")

    async def pauses(tool, call):
        if _odd(call):
            raise llm.PauseChain("the hook")

    return {"plain": plain, "async": asynchronous, "refuses": refuses, "raises": raises, "pauses": pauses}.get(kind)


def after(kind: str) -> Any:
    """An after_call hook, or None."""

    def plain(tool, call, result):
        time.sleep(0.01)

    async def asynchronous(tool, call, result):
        await asyncio.sleep(0.01)

    def raises(tool, call, result):
        if _odd(call):
            raise llm.LLMError("the hook")

    return {"plain": plain, "async": asynchronous, "raises": raises, "refuses": plain}.get(kind)
