"""Programs that are told by a real signal to shut their system down: the first drains, the second cancels at once."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

import llm_actors as llm
from tests.chat.speakers import Says, run
from tests.complaints import complaints

WAIT = 10.0

HEAD = """
import asyncio, os, signal, sys, threading
import llm_actors as llm

class Slow(llm.AsyncModel):
    model_id = "slow"
    async def execute(self, prompt, stream, response, conversation):
        yield "begun"
        await asyncio.sleep(float(prompt.prompt))
        yield ", ended"

class SlowInAThread(llm.Model):
    model_id = "slow"
    def execute(self, prompt, stream, response, conversation):
        yield "begun"
        for _ in range(int(float(prompt.prompt) * 100)):
            if llm.cancelled():
                return
            threading.Event().wait(0.01)
        yield ", ended"

def told(report):
    print(report.finished, report.cancelled, report.clean, flush=True)

"""


def start(program):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    plain["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", HEAD + textwrap.dedent(program)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=plain)


def played(program, *signals, code=0):
    """What the program says when it gets these signals, each at a line `ready`."""
    with start(program) as process:
        try:
            for number in signals:
                assert process.stdout.readline() == "ready\n"
                process.send_signal(number)
            said, complained = process.communicate(timeout=30)
        finally:
            process.kill()
    assert complaints(complained) == ""
    assert process.returncode == code
    return said.split("\n")[:-1]


ASYNC = """
async def main():
    system = llm.ActorSystem()
    with system, system.shutdown_on_signal(drain=20) as signals:
        responses = [Slow().prompt("{seconds}") for _ in range(3)]
        async for _ in responses[0]:
            break
        print("ready", flush=True)
        {again}
        told(await signals.report)
        for response in responses:
            try:
                print(await response.text())
            except llm.SystemShutdownError:
                print("cut", response.partial)
        print(*signals.received)
    print(signal.getsignal(signal.SIGTERM).name, signal.getsignal(signal.SIGINT) == before)
before = None
async def first():
    global before
    before = signal.getsignal(signal.SIGINT)  # that of asyncio.run
    await main()
asyncio.run(first())
print(signal.getsignal(signal.SIGINT).__name__)
"""

SYNC = """
system = llm.ActorSystem(drain=20)
with system, system.shutdown_on_signal(signal.SIGTERM, signal.SIGINT) as signals:
    responses = [SlowInAThread().prompt("{seconds}") for _ in range(3)]
    next(iter(responses[0]))
    print("ready", flush=True)
    {again}
    told(signals.report.get())
    for response in responses:
        try:
            print(response.text())
        except llm.SystemShutdownError:
            print("cut", response.partial)
    print(*signals.received)
print(signal.getsignal(signal.SIGTERM).name, signal.getsignal(signal.SIGINT).__name__)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_lets_turns_finish_in_an_async_program(number):
    said = played(ASYNC.format(seconds=0.5, again=""), number)
    assert said[:5] == ["3 0 True", *["begun, ended"] * 3, number.name]
    assert said[5:] == ["SIG_DFL True", "default_int_handler"]  # as they were


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_lets_turns_finish_in_a_program_without_a_loop(number):
    said = played(SYNC.format(seconds=0.5, again=""), number)
    assert said[:5] == ["3 0 True", *["begun, ended"] * 3, number.name]
    assert said[5:] == ["SIG_DFL default_int_handler"]


def test_the_second_signal_cancels_at_once_in_an_async_program():
    again = """while not signals.received: await asyncio.sleep(0.001)
        print("ready", flush=True)"""
    said = played(ASYNC.format(seconds=30, again=again), signal.SIGTERM, signal.SIGINT)
    assert said[:5] == ["0 3 True", *["cut begun"] * 3, "SIGTERM SIGINT"]


def test_the_second_signal_cancels_at_once_in_a_program_without_a_loop():
    again = """while not signals.received: signal.sigtimedwait([], 0.001)
    print("ready", flush=True)"""
    said = played(SYNC.format(seconds=30, again=again), signal.SIGINT, signal.SIGTERM)
    assert said[:5] == ["0 3 True", *["cut begun"] * 3, "SIGINT SIGTERM"]


def test_a_third_signal_does_what_it_always_did():
    program = """
    async def main():
        system = llm.ActorSystem()
        signals = system.shutdown_on_signal(drain=20)
        with system:
            response = Slow().prompt("30")
            async for _ in response:
                break
            for count in range(3):
                print("ready", flush=True)
                while len(signals.received) == count:
                    await asyncio.sleep(0.001)
    asyncio.run(main())
    """
    assert played(program, signal.SIGINT, signal.SIGTERM, signal.SIGTERM, code=-signal.SIGTERM) == []


def test_a_signal_after_the_end_of_a_program_without_a_loop_is_not_swallowed():
    program = """
    system = llm.ActorSystem()
    signals = system.shutdown_on_signal(signal.SIGTERM)
    print("ready", flush=True)
    assert signals.report.get().clean
    print("ready", flush=True)
    threading.Event().wait(20)
    """
    assert played(program, signal.SIGTERM, signal.SIGTERM, code=-signal.SIGTERM) == []


def test_a_service_that_serves_until_it_is_told_to_stop():
    program = """
    async def main():
        async with llm.ActorSystem(drain=20) as system:
            signals = system.shutdown_on_signal(signal.SIGTERM)
            print("ready", flush=True)
            print(await signals.report == await system.shutdown(), signal.getsignal(signal.SIGTERM).name)
    asyncio.run(main())
    """
    assert played(program, signal.SIGTERM) == ["True SIG_DFL"]


# ---- handlers, without signals


def test_handlers_of_the_program_come_back():
    async def main():
        asyncio_loop = asyncio.get_running_loop()
        came = []
        asyncio_loop.add_signal_handler(signal.SIGUSR1, came.append, "on the loop")
        signal.signal(signal.SIGUSR2, lambda *_: came.append("Python's own"))
        system = llm.ActorSystem()
        with system.shutdown_on_signal(signal.SIGUSR1, signal.SIGUSR2) as signals:
            pass
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.raise_signal(number)
        await asyncio.sleep(0.01)
        assert sorted(came) == ["Python's own", "on the loop"]
        assert signals.received == []
        signals.restore()  # again: nothing
        assert asyncio_loop.remove_signal_handler(signal.SIGUSR1)
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)

    run(main())


def test_where_the_loop_takes_no_signals_pythons_own_handler_wakes_it(monkeypatch):
    async def main():
        asyncio_loop = asyncio.get_running_loop()

        def none(*_):
            raise NotImplementedError

        monkeypatch.setattr(asyncio_loop, "add_signal_handler", none)
        async with llm.ActorSystem() as system:
            response = Says(asyncio.Event()).prompt("hi")
            with system.shutdown_on_signal(signal.SIGUSR1) as signals:
                signal.raise_signal(signal.SIGUSR1)
                assert (await signals.report).cancelled == 1
            assert isinstance(response.error, llm.SystemShutdownError)
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL

    run(main())


def test_handlers_come_back_also_when_the_loop_is_gone():
    system = llm.ActorSystem()

    async def main():
        return system.shutdown_on_signal(signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, before := lambda *_: None)
    asyncio.run(main()).restore()
    assert signal.getsignal(signal.SIGUSR1) is before
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)


@pytest.mark.parametrize("on_a_loop", [False, True])
def test_signals_are_taken_in_the_main_thread_only(on_a_loop):
    errors = []

    def elsewhere():
        async def main():
            llm.ActorSystem().shutdown_on_signal()

        with contextlib.suppress(ValueError):
            try:
                asyncio.run(main()) if on_a_loop else llm.ActorSystem().shutdown_on_signal()
            except ValueError as error:
                errors.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(WAIT)
    assert ["main thread" in error for error in errors] == [True]


def test_a_signal_that_nobody_can_take_is_refused_and_those_before_it_given_back():
    before = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(ValueError, match="can't be taken"):
        llm.ActorSystem().shutdown_on_signal(signal.SIGUSR1, signal.SIGKILL)
    assert signal.getsignal(signal.SIGUSR1) == before
