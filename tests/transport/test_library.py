"""What httpx needs at its first use does not hold up the loop."""

import asyncio
import json
import subprocess
import sys

import pytest

from llm_actors.testing import Answer, ScriptedServer, Send, chunk, head
from llm_actors.transport import library
from tests.complaints import complaints

FIRST_REQUEST = """
import asyncio, json, sys, threading, time
from tests.transport.line_wire import Bench
from llm_actors.testing import Answer, Send, chunk, head
from llm_actors.transport.fetch import fetch

on_the_loop = []

class Watcher:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            on_the_loop.append(name)

async def main(kind, base_url):
    bench = Bench(base_url)
    worst, last = 0.0, time.thread_time()

    def beat():
        nonlocal worst, last, handle
        now = time.thread_time()
        worst, last = max(worst, now - last), now
        handle = loop.call_soon(beat)

    loop = asyncio.get_running_loop()
    sys.meta_path.insert(0, Watcher())
    handle = loop.call_soon(beat)
    if kind == "call":
        ending = [type(over).__name__ for _, over in await asyncio.gather(*[bench.call() for _ in range(3)])]
    else:
        ending = (await fetch(bench.clients, base_url + "/a", limit=100))[1].decode()
    handle.cancel()
    print(json.dumps([ending, worst, on_the_loop, "httpx" in sys.modules]))

assert "httpx" not in sys.modules
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(("kind", "ending"), [("call", ["RoundResult"] * 3), ("fetch", "one\n= done\n")])
def test_the_first_request_of_a_process_imports_httpx_beside_the_loop(kind, ending):
    answer = Answer([Send(head() + chunk(b"one\n= done\n") + chunk(b""))], times=0)
    with ScriptedServer(answer) as server:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", FIRST_REQUEST, kind, server.base_url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    how, longest, on_the_loop, imported = json.loads(done.stdout)
    assert how == ending
    assert imported
    assert not {name.partition(".")[0] for name in on_the_loop} & {
        "httpx",
        "httpcore",
        "anyio",
        "certifi",
        "ssl",
        "h11",
    }
    # Seconds of the loop's own thread, so that a busy machine does not count: of some 200 that the work takes, in milliseconds.
    assert longest < 0.05


ALL = library.parts("https://127.0.0.1")


@pytest.fixture
def nothing_loaded(monkeypatch):
    library.ssl_context.cache_clear()
    monkeypatch.setattr(library, "_loading", {})
    monkeypatch.setattr(library, "_loaded", set())


def test_all_who_come_first_wait_for_one_import(nothing_loaded, monkeypatch):
    threads = []
    monkeypatch.setattr(library, "call_in_thread", lambda call, answer, name: threads.append((call, answer)))

    async def main():
        waiting = [asyncio.create_task(library.load(ALL)) for _ in range(3)]
        await asyncio.sleep(0)
        [(call, answer)] = threads
        call()
        answer.set(None)
        await asyncio.gather(*waiting)
        await library.load(ALL)

    asyncio.run(main())
    assert len(threads) == 1
    assert library._loading == {}


def test_where_no_thread_can_be_started_the_loop_does_it(nothing_loaded, monkeypatch):
    def refused(call, answer, name):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(library, "call_in_thread", refused)
    asyncio.run(library.load(ALL))
    assert library.ssl_context.cache_info().currsize == 1


def test_a_failed_import_is_told_and_tried_again(nothing_loaded, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)  # as Python marks a module that can't be imported
    for _ in range(2):
        with pytest.raises(ImportError):
            asyncio.run(library.load(ALL))
    monkeypatch.undo()
    asyncio.run(library.load(ALL))
