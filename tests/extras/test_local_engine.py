"""The engine's life: started at first use, shared, restarted, ended; against the real child with the real weights."""

import asyncio
import json
import os
import signal
import socket
import threading
from pathlib import Path

import httpx
import pytest

from llm_actors.errors import EngineError
from llm_actors.extras.local_engine import _lease, engine_of
from llm_actors.extras.local_process import EngineProcess
from tests.extras.processes import Watched, alive, run, start

pytestmark = pytest.mark.real

STORY = {"messages": [{"role": "user", "content": "Tell me a long story."}], "stream": True}


def _client(key):
    return httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {key.reveal()}"}, timeout=10)


async def _answer(engine):
    """One small answer; the engine's slot is held meanwhile."""
    url, key = await engine.acquire()
    try:
        async with _client(key) as client:
            body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}
            response = await client.post(f"{url}/chat/completions", json=body)
            return response.json()["choices"][0]["message"]["content"]
    finally:
        engine.release()


def _of_process(pid, name):
    return Path(f"/proc/{pid}/{name}").read_bytes()


async def _until(holds):
    """Lets the loop run until it holds; tasks get there in a few steps, without waiting for anything outside."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came to hold")


class HandClock:
    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


def test_it_starts_at_first_use_is_shared_and_ends_when_stopped(make_engine):
    engine = make_engine()

    async def main():
        assert engine.pid is None
        first, second = await asyncio.gather(engine.acquire(), engine.acquire())
        assert first == second
        assert first[0].startswith("http://127.0.0.1:")
        assert engine.died() is None
        child = Watched(engine.pid)
        engine.release()
        engine.release()
        assert await _answer(engine)
        return child

    child = asyncio.run(main())
    engine.stop()
    assert child.gone(within=0)
    assert engine.pid is None
    assert not [thread for thread in threading.enumerate() if "local engine" in thread.name]


def test_loops_in_several_threads_share_one_child(make_engine):
    engine, pids, answers = make_engine(slots=2), set(), []

    async def main():
        answers.append(await _answer(engine))
        pids.add(engine.pid)

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(answers) == 3
    assert len(pids) == 1


@pytest.mark.parametrize("signal_name", ["SIGKILL", "SIGSEGV"])
def test_a_child_killed_in_mid_stream_is_a_typed_error_and_the_next_call_starts_another(make_engine, signal_name):
    engine = make_engine()

    async def main():
        url, key = await engine.acquire()
        first = engine.pid
        with pytest.raises(httpx.HTTPError):
            async with _client(key) as client, client.stream("POST", f"{url}/chat/completions", json=STORY) as response:
                async for _ in response.aiter_raw():
                    os.kill(engine.pid, getattr(signal, signal_name))
        process = (_lease.get() or pytest.fail("no lease"))[1]  # the engine has let go of it
        assert process.gone.wait(5)
        error = engine.died()
        assert isinstance(error, EngineError)
        assert signal_name in str(error)
        assert key.reveal() not in str(error)
        engine.release()
        assert await _answer(engine)
        assert engine.pid != first

    asyncio.run(main())


def test_each_call_hears_of_the_death_of_its_own_child(make_engine):
    engine = make_engine()
    broken, restarted = asyncio.Event(), asyncio.Event()

    async def victim():
        await engine.acquire()
        process = engine._process
        os.kill(engine.pid, signal.SIGKILL)
        assert process.gone.wait(5)
        assert engine.died() is not None
        broken.set()
        await asyncio.wait_for(restarted.wait(), 10)
        assert engine.died() is not None
        engine.release()

    async def next_caller():
        await asyncio.wait_for(broken.wait(), 10)
        await engine.acquire()
        assert engine.died() is None
        restarted.set()
        engine.release()

    async def main():
        await asyncio.gather(victim(), next_caller())

    asyncio.run(main())


def test_a_child_that_fails_again_and_again_is_given_up_for_a_while(make_engine, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")
    clock = HandClock()
    engine = make_engine(model=broken, alias="broken", clock=clock)

    async def main():
        for _ in range(4):
            with pytest.raises(EngineError, match=r"did not load .*broken\.gguf"):
                await engine.acquire()
        with pytest.raises(EngineError, match="failed 4 times within 60 s and is not started again for another 60 s"):
            await engine.acquire()
        clock.now += 61
        with pytest.raises(EngineError, match="invalid magic"):
            await engine.acquire()
        assert engine.slots.taken == 0

    asyncio.run(main())


def test_a_file_that_is_not_there_is_named_and_starts_nothing(make_engine, tmp_path):
    engine = make_engine(model=tmp_path / "none.gguf", alias="none")
    assert engine.died() is None
    with pytest.raises(EngineError, match=r"there is no file .*none\.gguf"):
        asyncio.run(engine.acquire())
    assert engine.died() is None


def test_a_port_that_is_taken_is_a_typed_error(make_engine):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=f"port {port} of 127.0.0.1 is taken"):
            asyncio.run(make_engine(port=port).acquire())


def test_callers_beyond_the_slots_wait_in_line_and_a_cancelled_one_leaves_no_trace(make_engine):
    engine = make_engine(slots=1)

    async def main():
        await engine.acquire()
        given_up, waiting = asyncio.create_task(engine.acquire()), asyncio.create_task(engine.acquire())
        await _until(lambda: engine.slots.waiting == 2)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert not waiting.done()
        engine.release()
        await asyncio.wait_for(waiting, 10)
        engine.release()
        assert (engine.slots.taken, engine.slots.waiting) == (0, 0)

    asyncio.run(main())


def test_a_caller_cancelled_while_it_loads_leaves_no_trace_and_the_load_goes_on(make_engine):
    engine = make_engine()

    async def main():
        task = asyncio.create_task(engine.acquire())
        await _until(lambda: engine._process is not None)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        process = engine._process
        assert engine.slots.taken == 0
        await engine.acquire()
        assert engine._process is process
        engine.release()

    asyncio.run(main())


def test_it_is_ended_when_idle_but_not_while_it_is_used(make_engine):
    engine = make_engine(idle=0.2)

    async def main():
        await engine.acquire()
        child = Watched(engine.pid)
        assert not child.gone(within=0.5)
        engine.release()
        assert child.gone(within=5)
        await engine.acquire()
        assert engine.pid is not None
        engine.release()

    asyncio.run(main())


def test_a_stop_fails_the_call_in_flight_with_its_reason(make_engine):
    engine = make_engine(idle=None)

    async def main():
        await engine.acquire()
        engine.stop()
        assert "it was stopped" in str(engine.died())
        engine.release()

    asyncio.run(main())


def test_a_stop_while_it_starts_leaves_no_child(make_engine):
    engine = make_engine()

    async def main():
        task = asyncio.create_task(engine.acquire())
        await _until(lambda: engine._process is not None)
        await asyncio.to_thread(engine.stop)
        with pytest.raises(EngineError, match="it was stopped"):
            await task

    asyncio.run(main())
    assert engine.pid is None


def test_one_that_does_not_load_in_time_is_ended(make_engine, tmp_path, monkeypatch):
    hanging = "import threading\ndef __getattr__(name):\n    threading.Event().wait(60)\n"
    (tmp_path / "xllamacpp.py").write_text(hanging, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    engine = make_engine(load_timeout=0.5)
    with pytest.raises(EngineError, match=r"it did not load within 0\.5 s"):
        asyncio.run(engine.acquire())


def test_a_terminal_s_interrupt_does_not_reach_it(make_engine):
    engine = make_engine()

    async def main():
        await engine.acquire()
        assert os.getpgid(engine.pid) != os.getpgid(0)
        os.kill(engine.pid, signal.SIGINT)
        assert await _answer(engine)
        engine.release()

    asyncio.run(main())


def test_the_key_is_neither_in_the_command_line_nor_in_the_environment_nor_in_a_repr(make_engine):
    engine = make_engine()

    async def main():
        _, key = await engine.acquire()
        for name in ("cmdline", "environ"):
            assert key.reveal().encode() not in _of_process(engine.pid, name)
        assert key.reveal() not in repr(engine)
        engine.release()

    asyncio.run(main())


def test_while_the_interpreter_shuts_down_the_error_is_typed(make_engine, monkeypatch):
    engine = make_engine()

    def refuse(process):
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(EngineProcess, "start", refuse)
    with pytest.raises(EngineError, match=r"can't be started any more: .*at interpreter shutdown"):
        asyncio.run(engine.acquire())
    assert engine.slots.taken == 0


def test_one_engine_for_one_file_and_settings(gguf):
    assert engine_of(gguf, "a") is engine_of(gguf.parent / "." / gguf.name, "a")
    assert engine_of(gguf, "a") is not engine_of(gguf, "a", template="other")


SPEAKS = """
async def main():
    url, key = await engine.acquire()
    print(engine.pid, url, flush=True)
    engine.release()
"""


def test_an_exit_leaves_nothing_behind(gguf):
    pid = run(SPEAKS + "asyncio.run(main())", gguf).split()[0]
    assert not alive(pid)


def test_the_child_ends_by_itself_when_its_parent_is_killed(gguf):
    with start(SPEAKS + "asyncio.run(main()); sys.stdin.read()", gguf) as parent:
        child = Watched(parent.stdout.readline().split()[0])
        parent.kill()
        assert child.gone(within=5)


def test_the_child_ends_when_its_parent_is_killed_while_a_forked_copy_lives_on(gguf):
    with start(SPEAKS + "asyncio.run(main()); os.fork(); sys.stdin.read()", gguf) as parent:
        child = Watched(parent.stdout.readline().split()[0])
        parent.kill()
        assert child.gone(within=5)


def test_two_processes_at_once_have_an_engine_each(gguf):
    text = SPEAKS + "asyncio.run(main()); sys.stdin.read()"
    with start(text, gguf) as one, start(text, gguf) as two:
        told = [process.stdout.readline().split() for process in (one, two)]
        assert told[0][0] != told[1][0]
        assert told[0][1] != told[1][1]
        for process in (one, two):
            process.communicate(timeout=10)
            assert process.returncode == 0


def test_a_forked_copy_starts_its_own_and_leaves_the_parent_s_alone(gguf):
    text = (
        SPEAKS
        + """
asyncio.run(main())
ours = engine.pid
copy = os.fork()
if copy == 0:
    assert engine.pid is None
    asyncio.run(main())
    engine.stop()
    os._exit(0)
assert os.waitpid(copy, 0)[1] == 0
asyncio.run(main())
assert engine.pid == ours
"""
    )
    first, second, third = (line.split()[0] for line in run(text, gguf).splitlines())
    assert first == third != second


def test_it_starts_whatever_the_working_folder_is(gguf, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "xllamacpp.py").write_text("raise SystemExit('not this one')", encoding="utf-8")
    (folder / "json.py").write_text("raise SystemExit('nor this one')", encoding="utf-8")
    text = SPEAKS + "os.chdir(sys.argv[2]); asyncio.run(main()); engine.stop()\n"
    gone = "import shutil; shutil.rmtree(sys.argv[2]); asyncio.run(main())"
    assert len(run(text + gone, gguf, folder).splitlines()) == 2


def test_what_it_says_is_kept_in_bounds(make_engine):
    engine = make_engine()

    async def main():
        await engine.acquire()
        process = engine._process
        for number in range(1000):
            process._heard(f"0.00.008.893 E line {number}")
        assert len(process._tail) == 40
        os.kill(engine.pid, signal.SIGKILL)
        assert process.gone.wait(5)
        assert json.dumps(process.error).endswith('| line 999"')
        engine.release()

    asyncio.run(main())
