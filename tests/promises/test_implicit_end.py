"""DESIGN section 3, "Implicit end" and "Loops": whole programs, with warnings as errors, that end without saying so.

Each runs in a process of its own under `-X dev -W error` and must leave nothing on standard error.
"""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.complaints import complaints

HEAD = """
import asyncio, contextlib, gc, logging, os, signal, sys, threading, time
import llm_actors as llm
logging.basicConfig(level=logging.WARNING)  # to standard error, where nothing may appear
BASE = sys.argv[1]
pair = llm.endpoint("m", wire="openai-chat", base_url=BASE, key="k")
model, sync_model = pair.async_model, pair.model
"""


def start(program, server):
    code = textwrap.dedent(HEAD) + textwrap.dedent(program)
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code, server.base_url]
    # Without what would have coverage measured there: it has warnings of its own.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=plain)


def outcome(program, server):
    """What the program printed; it ends by itself, well, and quietly."""
    with start(program, server) as process:
        return end_of(process)


def interrupted(program, server, *, after):
    """What it prints once it has been interrupted, behind this line."""
    with start(program, server) as process:
        assert process.stdout.readline() == f"{after}\n"
        process.send_signal(signal.SIGINT)
        return end_of(process)


def end_of(process):
    try:
        said, complained = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert (process.returncode, complaints(complained)) == (0, "")
    return said.split()


def stalled():
    from llm_actors.testing import Answer, Send, Stall, chunk, head

    delta = b'data: {"choices": [{"index": 0, "delta": {"content": "half"}}]}\n\n'
    return Answer([Send(head()), Send(chunk(delta)), Stall()])


def test_a_prompt_that_nobody_waits_for_is_cancelled_with_its_loop(server):
    """A prompt still running when the loop ends is cancelled with it, observed, without a warning on stderr."""
    server.play(stalled())
    said = outcome(
        """
        async def main():
            seen = []
            llm.actor_system.default_system.observers.append(lambda record: seen.append(type(record).__name__))
            response = model.prompt("hi")
            async for event in response.events():
                break
            return response, seen
        response, seen = asyncio.run(main())
        print(type(response.error).__name__, response.done, response.partial, "TurnFinished" in seen, seen[-1])
        """,
        server,
    )
    assert said == ["LoopClosedError", "True", "half", "True", "EngineEnded"]
    assert server.wait_until_idle()[0].closed_early


def test_a_prompt_posted_in_the_last_moment_ends_with_the_loop(server):
    """The same for one that the conversation has not looked at yet, and for those that wait in line."""
    said = outcome(
        """
        async def main():
            conversation = model.conversation()
            return [conversation.prompt(f"p{number}") for number in range(3)]
        for response in asyncio.run(main()):
            try:
                asyncio.run(response.text())
            except llm.LoopClosedError:
                print("closed")
        """,
        server,
    )
    assert said == ["closed"] * 3
    assert server.wait_until_idle() == []


def test_clients_tasks_and_sockets_are_gone_before_asyncio_run_returns(server):
    """Clients, tasks and sockets are gone before `asyncio.run` returns, without a warning under `-X dev -W error`."""
    said = outcome(
        """
        async def main():
            conversation = model.conversation()
            await asyncio.gather(*(model.prompt(f"hi {n}").text() for n in range(5)))
            print(await conversation.prompt("x").text())
        def is_socket(name):
            try:
                return "socket" in os.readlink(f"/proc/self/fd/{name}")
            except FileNotFoundError:  # that of the listing itself
                return False
        asyncio.run(main())
        print(sum(map(is_socket, os.listdir("/proc/self/fd"))), threading.active_count())
        gc.collect()
        """,
        server,
    )
    assert said == ["echo:", "x", "0", "1"]


def test_two_runs_one_after_the_other_share_a_conversation(server):
    """Works with several event loops in one process, one after the other (`asyncio.run` twice)."""
    said = outcome(
        """
        conversation = model.conversation()
        print(asyncio.run(conversation.prompt("one").text()))
        async def again():
            return await conversation.prompt("two").text()
        print(asyncio.run(again()))
        print(len(conversation.responses))
        """,
        server,
    )
    assert said == ["echo:", "one", "echo:", "two", "2"]


def test_two_loops_at_once_in_threads(server):
    """... and at once (in threads)."""
    said = outcome(
        """
        conversation = model.conversation()
        async def ask(number):
            return await conversation.prompt(f"p{number}").text()
        texts = []
        def run(number):
            try:
                texts.append(asyncio.run(ask(number)))
            except llm.LoopClosedError:  # the loop that did the work ended first
                texts.append(f"echo: p{number}")
        threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join(30)
        print(*sorted(texts))
        """,
        server,
    )
    assert said == ["echo:", "p0", "echo:", "p1", "echo:", "p2", "echo:", "p3"]


def test_sync_code_needs_no_end(server):
    """... and with none (sync callers share one background loop thread): no hanging interpreter."""
    server.play(stalled())
    said = outcome(
        """
        next(iter(sync_model.prompt("never ends")))
        print(sync_model.prompt("hi").text())
        print(sum(thread.name.startswith("llm-actors") for thread in threading.enumerate()) <= 1)
        """,
        server,
    )
    assert said == ["echo:", "hi", "True"]
    assert server.wait_until_idle()[0].closed_early


def test_a_stuck_sync_tool_does_not_hold_the_interpreter(server):
    """S1: threads stuck in a user's code are daemon ... and don't hold the interpreter."""
    said = outcome(
        """
        entered = threading.Event()
        def hang() -> str:
            entered.set()
            threading.Event().wait()
        async def main():
            response = model.chain("call hang {}", tools=[hang])
            await asyncio.to_thread(entered.wait, 30)
            return response
        print(type(asyncio.run(main()).error).__name__)
        """,
        server,
    )
    assert said == ["LoopClosedError"]


def test_a_callback_that_suspends_is_awaited_by_the_implicit_end(server):
    """One that suspends runs on beside it, is awaited by shutdown and by the implicit end (up to 5 s)."""
    said = outcome(
        """
        async def callback(response):
            await asyncio.sleep(0.2)
            print("called", await response.text())
        async def main():
            response = model.prompt("hi")
            await response.on_done(callback)
            print(await response.text())
        asyncio.run(main())
        print("end")
        """,
        server,
    )
    assert said == ["echo:", "hi", "called", "echo:", "hi", "end"]


def test_ctrl_c_ends_a_program_that_streams(server):
    """No "Task was destroyed", no unclosed transport, no hanging interpreter, also on Ctrl-C."""
    server.play(stalled())
    said = interrupted(
        """
        async def main():
            async for text in model.prompt("hi"):
                print(text, flush=True)
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        """,
        server,
        after="half",
    )
    assert said == ["interrupted"]
    assert server.wait_until_idle()[0].closed_early


def test_ctrl_c_ends_a_blocking_program(server):
    """A thread interrupted (Ctrl-C) while it waits cancels the turn; the interpreter does not hang."""
    server.play(stalled())
    said = interrupted(
        """
        response = sync_model.prompt("hi")
        def tell():  # an interrupt in the loop's body would only stop reading
            while not response._log.wanted:
                time.sleep(0.001)
            print("waits", flush=True)
        try:
            for text in response:
                threading.Thread(target=tell).start()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        try:
            response.text()
        except llm.ResponseCancelledError:
            print(response.partial)
        """,
        server,
        after="waits",
    )
    assert said == ["interrupted", "half"]


def test_a_loop_closed_without_its_shutdown_is_noticed_at_the_next_touch(server):
    """A loop closed without it is noticed at the next touch."""
    said = outcome(
        """
        demo = llm.get_async_model("demo")
        conversation = demo.conversation()
        loop = asyncio.new_event_loop()
        async def begin():
            response = conversation.prompt("hi", pace=0.05)
            async with contextlib.aclosing(response.events()) as events:
                await anext(events)
            return response
        response = loop.run_until_complete(begin())
        loop.close()
        async def touch():
            try:
                await response.text()
            except llm.LoopClosedError:
                print("closed", response.done)
            return await conversation.prompt("again").text()
        print("again" in asyncio.run(touch()), len(conversation.responses))
        """,
        server,
    )
    assert said == ["closed", "True", "True", "1"]


def test_waiters_on_another_loop_are_told_when_the_loop_that_does_the_work_ends(server):
    """When its loop ends, turns in flight end as LoopClosedError, for who waits elsewhere too."""
    server.play(stalled())
    said = outcome(
        """
        ready, waiting = threading.Event(), threading.Event()
        held = []
        async def work():
            response = model.prompt("hi")
            async for _ in response:
                break
            held.append(response)
            ready.set()
            await asyncio.to_thread(waiting.wait, 30)
        async def wait():
            asyncio.get_running_loop().call_later(0.1, waiting.set)
            try:
                await held[0].text()
            except llm.LoopClosedError:
                print("told", held[0].partial)
        worker = threading.Thread(target=lambda: asyncio.run(work()))
        worker.start()
        ready.wait(30)
        asyncio.run(wait())
        worker.join(30)
        """,
        server,
    )
    assert said == ["told", "half"]


@pytest.mark.parametrize("runner", ["Runner", "TaskGroup", "wait_for"])
def test_under_every_way_to_run_a_loop(server, runner):
    """The default system of a loop ends with it ...: asyncio.run, Runner ... call it."""
    programs = {
        "Runner": """
            with asyncio.Runner() as runner:
                async def main(): return await model.prompt("hi").text()
                print(runner.run(main()))
                print(runner.run(main()))
        """,
        "TaskGroup": """
            async def main():
                try:
                    async with asyncio.TaskGroup() as group:
                        waiting = group.create_task(model.prompt("call x").text())
                        await asyncio.sleep(0)
                        raise ValueError
                except* ValueError:
                    print("echo: hi", waiting.cancelled() and "echo: hi")
            asyncio.run(main())
        """,
        "wait_for": """
            async def main():
                for _ in range(2):
                    print(await asyncio.wait_for(model.prompt("hi").text(), 5))
            asyncio.run(main())
        """,
    }
    assert outcome(programs[runner], server) == ["echo:", "hi"] * 2


def test_a_forked_child_starts_afresh(server):
    """After fork the child starts with fresh loops and systems; the parent's responses raise there."""
    server.play(stalled())
    said = outcome(
        """
        response = sync_model.prompt("the parent's")
        next(iter(response))
        conversation = sync_model.conversation()
        conversation.prompt("before").text()
        child = os.fork()
        if child == 0:
            try:
                response.text()
            except llm.LoopClosedError:
                print("closed", flush=True)
            print(conversation.prompt("in the child").text(), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(conversation.prompt("in the parent").text())
        response.cancel()
        """,
        server,
    )
    assert said == ["closed", *["echo:", "in", "the", "child"], *["echo:", "in", "the", "parent"]]


def test_prompts_that_wait_behind_one_that_is_cancelled_with_its_loop_do_not_begin_any_more(server):
    said = outcome(
        """
        class Slow(llm.AsyncModel):
            model_id = "slow"
            calls = 0

            async def execute(self, prompt, stream, response, conversation):
                Slow.calls += 1
                yield "half"
                await asyncio.sleep(20)

        async def main():
            conversation = Slow().conversation()
            responses = [conversation.prompt(str(number)) for number in range(5)]
            async for _ in responses[0]:
                break
            return responses

        responses = asyncio.run(main())
        print(Slow.calls, *{type(response.error).__name__ for response in responses})
        """,
        server,
    )
    assert said == ["1", "LoopClosedError"]
