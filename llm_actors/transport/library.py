"""httpx and what it reads at its first use, brought in off the loop.

Importing it, what it imports itself for its first client and its first connection, and reading 150 CA certificates take 100 to 200 ms: on a
loop that would be a stall for everybody else. A program that makes no request does not pay for it at all.
"""

from __future__ import annotations

import functools
import importlib
import os
import ssl
from contextlib import suppress

from llm_actors.runtime import Future
from llm_actors.runtime.computed import call_in_thread

from . import fast

# What httpx (0.28) and httpcore (1.0) import as late as that. Should another release do without one of them, so do we.
_LATER = ("httpcore", "anyio.streams.tls", "anyio._backends._asyncio")
_LATER_FAST = ("aiohttp", "httpx_aiohttp")

_loading: dict[int, Future[None]] = {}  # by the number of the process: a forked copy has no thread that goes on with it


def uses_fast() -> bool:
    """Whether clients that are made now use the extra `fast`: where it is installed, unless the environment has LLM_ACTORS_FAST=0."""
    return os.environ.get("LLM_ACTORS_FAST") != "0" and fast.installed()


@functools.cache
def ssl_context() -> ssl.SSLContext:
    """One for the process, since each takes 20 ms. httpx's own rule (certifi, or SSL_CERT_FILE and SSL_CERT_DIR) decides what is in it."""
    import httpx  # noqa: PLC0415 - see above

    return httpx.create_ssl_context()


async def load() -> None:
    """Returns when a request can be made without a stall: at once, but for the process's first. Any loop. Raises what the import raises."""
    if ssl_context.cache_info().currsize:
        return
    mine: Future[None] = Future()
    answer = _loading.setdefault(os.getpid(), mine)
    if answer is mine:
        try:
            call_in_thread(_load, answer, "llm_actors import of httpx")
        except RuntimeError:  # no more threads, as at the interpreter's exit: then a stall it is
            _load()
            answer.set(None)
    await answer


def _load() -> None:
    try:
        for name in _LATER_FAST if uses_fast() else _LATER:
            with suppress(ImportError):
                importlib.import_module(name)
        ssl_context()
    finally:
        _loading.pop(os.getpid(), None)
