"""Whole interpreters, under `-X dev -W error`: when a loop or a program ends, nothing of ours is left, and nothing is said on stderr."""

# mypy: disable-error-code="union-attr"
# (these tests look at the inside, replace parts of it, and collect what they see in mixed lists)

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.complaints import complaints

HEAD = """
import asyncio, os, signal, sys, threading, time
from llm_actors.runtime import *

class Echo(Actor):
    def on_receive(self, message):
        return message

class Slow(Actor):
    async def on_receive(self, message):
        print("at work", flush=True)
        await asyncio.sleep(100)

    def on_failure(self, *error):
        print("ended by", error[0].__name__, flush=True)

"""


def program(text, *, interrupt_at=None, status=0, quiet=True):
    """What it printed; with `interrupt_at` it gets Ctrl-C when it prints that line. `quiet=False`: asyncio may complain."""
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", HEAD + textwrap.dedent(text)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    lines = []
    try:
        if interrupt_at is not None:
            for line in process.stdout:
                lines.append(line.strip())
                if line.strip() == interrupt_at:
                    process.send_signal(signal.SIGINT)
                    break
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    if interrupt_at is not None:
        assert err.rstrip().endswith("KeyboardInterrupt"), err
        for sign in ("never awaited", "was destroyed", "unclosed", "never retrieved", "Exception ignored", "Warning"):
            assert sign not in err, err
    elif quiet:
        assert complaints(err) == ""
    assert process.returncode == status, (process.returncode, err)
    return lines + out.split("\n")[:-1]


def test_importing_makes_no_thread_and_no_task():
    assert program("print(threading.active_count(), is_background(object()))") == ["1 False"]


def test_starting_many_actors_outside_of_any_loop_makes_no_thread():
    text = """
    refs = [Echo.start() for _ in range(100_000)]
    print(threading.active_count())
    print(refs[5].ask("x"), threading.active_count())
    """
    assert program(text) == ["1", "x 2"]


def test_a_program_that_never_stops_its_actors_ends():
    assert program("ref = Echo.start(); print(ref.ask('x'))") == ["x"]


def test_asyncio_run_twice_with_actors_work_in_flight_and_queued_mail():
    text = """
    async def main():
        slow = Slow.start()
        answers = [slow.ask(n, block=False) for n in range(3)]
        slow.tell("more")
        echo = Echo.start()
        echo.tell("x")
        here().spawn(asyncio.sleep(100), name="spawned")
        await asyncio.sleep(0.01)
        return answers

    for _ in range(2):
        answers = asyncio.run(main())
        for answer in answers:
            try:
                answer.get(timeout=0)
            except ActorDeadError:
                print("dead")
    print(len(ActorRegistry.get_all()), threading.active_count())
    """
    once = ["at work", "ended by CancelledError", "dead", "dead", "dead"]
    assert program(text) == [*once, *once, "0 1"]


def test_hooks_at_the_end_of_a_loop_run_and_are_waited_for():
    text = """
    class Tidy(Echo):
        async def on_stop(self):
            await asyncio.sleep(0.01)
            print("tidy", flush=True)

    async def late():
        await asyncio.sleep(0.01)
        print("end callback", flush=True)

    async def main():
        Tidy.start()
        here().on_end(late)
        here().on_end(lambda: print("first", flush=True))

    asyncio.run(main())
    """
    assert program(text) == ["first", "end callback", "tidy"]


@pytest.mark.parametrize("where", ["asyncio.run", "background"])
def test_ctrl_c_with_a_coroutine_handler_in_flight(where):
    text = """
    async def main():
        await Slow.start().ask("x", block=False)

    if {on_a_loop}:
        asyncio.run(main())
    else:
        Slow.start().ask("x")
    """.format(on_a_loop=where == "asyncio.run")
    assert program(text, interrupt_at="at work", status=-signal.SIGINT) == ["at work", "ended by CancelledError"]


def test_ctrl_c_in_a_blocking_wait_leaves_the_future_clean_and_the_program_goes_on():
    text = """
    ref = Slow.start()
    answer = ref.ask("x", block=False)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        answer.get()
    except KeyboardInterrupt:
        print("interrupted", answer._waiters)
    print(Echo.start().ask("y"), ref.kill())
    """
    assert program(text) == ["at work", "interrupted ()", "y True"]


def test_work_that_refuses_to_be_cancelled_does_not_hold_the_interpreter():
    text = """
    from llm_actors.runtime import background_thread, loop

    background_thread.GRACE = loop.GRACE = 0.2

    class Stubborn(Actor):
        async def on_receive(self, message):
            print("at work", flush=True)
            while True:
                try:
                    await asyncio.sleep(100)
                except asyncio.CancelledError:
                    print("no", flush=True)

    answer = Stubborn.start().ask("x", block=False)
    try:
        answer.get(timeout=0.2)
    except Timeout:
        print("going")
    import atexit
    atexit.unregister(loop._end_background)
    loop._end_background()
    try:
        answer.get(timeout=0)
    except ActorDeadError:
        print("answered", loop._background.is_alive())
    try:
        background()
    except Exception as error:
        print(type(error).__name__)
    """
    lines = program(text, quiet=False)
    assert "no" in lines
    assert [line for line in lines if line != "no"] == ["at work", "going", "answered False", "LoopClosedError"]


def test_a_forked_child_starts_fresh():
    text = """
    ref = Echo.start()
    pending = Future(background())
    nobodys = Future()
    print(ref.ask("parent"), flush=True)
    child = os.fork()
    if child == 0:
        for future in (pending, nobodys):
            try:
                future.get(timeout=5)
            except Exception as error:
                print(type(error).__name__)
        try:
            ref.tell("x")
        except ActorDeadError:
            print("dead")
        print(Echo.start().ask("child"), threading.active_count(), background().closed)
        async def main():
            return await Echo.start().ask("child's loop", block=False)

        print(asyncio.run(main()), flush=True)
        sys.exit(0)
    print(os.waitpid(child, 0)[1], ref.ask("still"))
    """
    assert program(text) == [
        "parent",
        "LoopClosedError",
        "LoopClosedError",
        "dead",
        "child 2 False",
        "child's loop",
        "0 still",
    ]


def test_non_daemon_threads_may_use_the_background_loop_until_they_end():
    text = """
    ref = Echo.start()
    print(ref.ask("early"))  # since Python 3.12 no thread can be started once the main thread has ended
    def late():
        threading.main_thread().join()
        print(ref.ask("late"))
    threading.Thread(target=late).start()
    """
    assert program(text) == ["early", "late"]


def test_supervised_actors_end_with_their_loop_in_reverse_order_and_are_not_restarted():
    text = """
    from llm_actors.runtime.roster import Roster
    from llm_actors.runtime.supervisor_office import root

    class Child(Slow):
        def __init__(self, name):
            super().__init__()
            print("made", name)
            self.name = name

        def on_stop(self):
            print("stopped", self.name)

        def on_failure(self, *error):
            pass

    class Thread(ThreadingActor):
        def on_stop(self):
            print("thread stopped")

    async def main():
        top = root(Roster(here()))
        team = top.supervisor()
        refs = [top.start(Child, "a"), team.start(Child, "b"), team.start(Child, "busy")]
        top.start(Thread)
        refs[-1].tell("work")
        await asyncio.sleep(0.05)
        refs[-1].tell("waits")

    asyncio.run(main())
    print(threading.active_count())
    """
    lines = program(text)
    assert lines[:4] == ["made a", "made b", "made busy", "at work"]
    assert sorted(lines[4:]) == ["1", "stopped a", "stopped b", "thread stopped"]


def test_a_script_that_ends_without_stopping_its_supervised_actors_and_readers_ends():
    text = """
    from llm_actors.runtime.roster import Roster
    from llm_actors.runtime.supervisor_office import root
    from llm_actors.runtime.topic import Topic

    topic = Topic("t")
    topic.subscribe(print)
    reader = topic.subscribe()
    ref = root(Roster(background())).start(Echo)
    watch = ref.monitor()
    topic.publish("hello")
    print(ref.ask("x"), next(reader), watch.done())
    time.sleep(0.1)
    """
    assert sorted(program(text)) == ["hello", "x hello False"]
