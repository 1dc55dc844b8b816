"""The HTTP libraries and what they read at their first use, brought in off the loop.

Importing one, what it imports itself for its first connection, and reading 150 CA certificates take 50 to 200 ms: on a loop that would be a
stall for everybody else. A program that makes no request does not pay for it at all, and only https for the certificates (22 ms).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import ssl
from contextlib import suppress
from typing import Any

from llm_actors.runtime import Future
from llm_actors.runtime.computed import call_in_thread

_HTTPX = ("httpx", "httpcore")
# What httpcore (1.0) imports as late as that. Should another release do without one of them, so do we.
_LATER = ("anyio.streams.tls", "anyio._backends._asyncio")
_CERTIFICATES = "certificates"

_AIOHTTP = "aiohttp"
_OLDEST, _TOO_NEW = (3, 10), (4, 0)

_loaded: set[str] = set()
_unfit: set[str] = set()
_loading: dict[tuple[int, tuple[str, ...]], Future[None]] = {}
"""By the number of the process: a forked copy has no thread that goes on with it."""


def uses_fast() -> bool:
    """Whether clients that are made now use the extra `fast`: where it is installed, unless the environment has LLM_ACTORS_FAST=0."""
    return os.environ.get("LLM_ACTORS_FAST") != "0" and _fast_installed() and _AIOHTTP not in _unfit


@functools.cache
def _fast_installed() -> bool:
    return importlib.util.find_spec(_AIOHTTP) is not None


@functools.cache
def ssl_context() -> ssl.SSLContext:
    """One for the process, since each takes 20 ms. httpx's own rule (certifi, or SSL_CERT_FILE and SSL_CERT_DIR) decides what is in it."""
    import httpx  # noqa: PLC0415 - see above

    return httpx.create_ssl_context()


def parts(url: str, *, by_httpx: bool = False) -> tuple[str, ...]:
    """What a request to this URL needs: of our own clients, or `by_httpx`."""
    names = (_AIOHTTP,) if uses_fast() and not by_httpx else (*_HTTPX, *_LATER)
    return (*names, _CERTIFICATES) if by_httpx or url[:6].lower() == "https:" else names


async def load(needed: tuple[str, ...]) -> None:
    """Returns when a request can be made without a stall: at once, but for the process's first. Any loop. Raises what the import raises."""
    if _loaded.issuperset(needed):
        return
    key = (os.getpid(), needed)
    mine: Future[None] = Future()
    answer = _loading.setdefault(key, mine)
    if answer is mine:
        try:
            call_in_thread(functools.partial(_load, key), answer, "llm_actors import of httpx")
        except RuntimeError:  # no more threads, as at the interpreter's exit: then a stall it is
            _load(key)
            answer.set(None)
    await answer


def _load(key: tuple[int, tuple[str, ...]]) -> None:
    try:
        for name in key[1]:
            if name == _CERTIFICATES:
                ssl_context()
                continue
            with suppress(*([ImportError] if name in _LATER else [])):
                module = importlib.import_module(name)
                # Somebody else's, of another age than the extra asks for: then the default stack it is.
                if name == _AIOHTTP and not _OLDEST <= _version(module) < _TOO_NEW:
                    _unfit.add(name)
        _loaded.update(key[1])
    finally:
        _loading.pop(key, None)


def _version(module: Any) -> tuple[int, int]:
    major, minor, *_ = str(module.__version__).split(".")
    return int(major), int(minor)
