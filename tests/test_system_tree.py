"""`system.tree()`: what goes on in a system, as values and as a picture, from anywhere, also past a loop that hangs."""

import asyncio
import contextvars
import gc
import re
import threading
import time

import msgspec
import pytest

import llm_actors as llm
from llm_actors import system_tree
from llm_actors.runtime import running
from tests.chat.speakers import Says, run
from tests.test_shutdown import calls

WAIT = 10.0
hold = time.sleep  # what holds a loop


async def until(reached):
    async with asyncio.timeout(WAIT):
        while not reached():  # noqa: ASYNC110 - what is looked at tells nobody
            await asyncio.sleep(0.001)


def only(tree):
    """The one loop of it."""
    (loop,) = tree.loops
    return loop


def test_a_model_call_is_shown_with_its_round_and_its_model_and_prompts_in_line_with_their_place():
    async def main():
        async with llm.ActorSystem() as system:
            conversation = Says(asyncio.Event()).conversation()
            conversation.name = "support"
            responses = [conversation.prompt(str(number)) for number in range(3)]
            await until(lambda: any(only(system.tree()).conversations))
            await asyncio.sleep(0.05)
            tree = system.tree()
        return tree, conversation.id, [response.id for response in responses]

    tree, named, ids = run(main())
    (conversation,) = only(tree).conversations
    assert (conversation.id, conversation.name, conversation.model, conversation.mail) == (named, "support", "says", 0)
    assert [turn.response for turn in conversation.turns] == ids
    assert [(turn.state, turn.doing) for turn in conversation.turns] == [
        ("calling", "model call round 1 of says"),
        ("queued", "waiting in queue 1"),
        ("queued", "waiting in queue 2"),
    ]
    assert all(0.04 < turn.seconds < WAIT for turn in conversation.turns)
    assert tree.state == "open"


def test_tools_are_shown_by_name_with_their_seconds_and_those_that_wait_for_a_worker():
    release = threading.Event()

    def search():
        release.wait(WAIT)
        return "found"

    async def look_up():
        await asyncio.to_thread(release.wait, WAIT)
        return "looked up"

    async def main():
        async with llm.ActorSystem(tool_workers=2) as system:
            response = calls("search", "look_up", "search").chain("x", tools=[search, look_up])
            await until(lambda: only(system.tree()).tools.running == 2)
            tree = system.tree()
            release.set()
            assert await response.text() == "done found, looked up, found"
            return tree

    loop = only(run(main()))
    (turn,) = loop.conversations[0].turns
    assert turn.state == "tools"
    assert re.fullmatch(r"tools: search \d\.\d s, look_up \d\.\d s, search waits for a worker", turn.doing)
    assert (loop.tools.running, loop.tools.queued, loop.tools.workers) == (2, 1, 1)


def test_every_other_state_has_words_and_a_time():
    never = asyncio.Event

    class Slow(llm.Toolbox):
        async def prepare_async(self):
            await never().wait()

        def tool(self):
            """A tool."""

    async def compact(_):
        await never().wait()

    async def stubborn():
        while True:
            try:
                await never().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0.2)
                raise

    async def main():
        async with llm.ActorSystem() as system:
            Says("a").chain("x", tools=[Slow()])
            long = Says(llm.ContextLengthError("too long"))
            long.conversation(failures={llm.ContextLengthError: llm.Compact(compact)}).prompt("x")
            ending = calls("stubborn").chain("x", tools=[stubborn])
            await until(lambda: only(system.tree()).tools.running == 3)
            ending_task = asyncio.ensure_future(ending.cancel())
            await until(lambda: "stopping" in str(system.tree()))
            tree = system.tree()
            await ending_task
            return tree

    turns = [turn for conversation in only(run(main())).conversations for turn in conversation.turns]
    assert {turn.state: turn.doing for turn in turns} == {
        "preparing": "getting its toolboxes ready",
        "compacting": "making the history shorter",
        "stopping": "stopping what it had begun",
    }
    assert all(turn.seconds >= 0 for turn in turns)


def test_prompts_that_are_answered_together_are_shown_each():
    async def main():
        async with llm.ActorSystem() as system:
            go, never = asyncio.Event(), asyncio.Event()
            model = Says("a", go, "b")
            conversation = model.conversation(when_busy="coalesce")
            conversation.prompt("alone")
            together = [conversation.prompt(str(number)) for number in range(3)]
            await until(lambda: len(model.prompts) == 1)
            model.items = ("a", never)
            go.set()
            await until(lambda: len(model.prompts) == 2)
            tree = system.tree()
            steered = conversation.steer("and this")
            await until(lambda: steered.id in str(system.tree()) or len(model.prompts) == 2)
        return tree, [response.id for response in together]

    tree, ids = run(main())
    (conversation,) = only(tree).conversations
    assert [turn.response for turn in conversation.turns] == ids
    assert {turn.doing for turn in conversation.turns} == {"model call round 1 of says"}


def test_actors_that_live_on_the_systems_loops_are_shown_with_their_mail_and_what_they_do():
    class Counter(llm.Actor):
        async def on_receive(self, message):
            await asyncio.Event().wait()

    class Idle(llm.Actor):
        pass

    async def main():
        async with llm.ActorSystem() as system:
            await Says("a").prompt("x").text()
            idle, busy = Idle.start(), Counter.start()
            for _ in range(3):
                busy.tell("mail")
            waiting = only(system.tree()).actors[1]
            await asyncio.sleep(0.02)
            actors = only(system.tree()).actors
            busy.stop(block=False)
            idle.stop(block=False)
            return waiting, actors

    waiting, (idle, busy) = run(main())
    assert (waiting.state, waiting.mailbox, waiting.doing) == ("waiting", 3, None)
    assert (idle.name.rpartition(".")[2], idle.state, idle.doing, idle.seconds, idle.mailbox) == (
        "Idle",
        "idle",
        None,
        None,
        0,
    )
    assert (busy.state, busy.mailbox) == ("working", 2)
    assert busy.doing.endswith("Counter.on_receive")
    assert busy.seconds > 0


def test_threads_of_models_open_requests_and_abandoned_calls_are_counted():
    release, entered = threading.Event(), threading.Event()

    def hang():
        entered.set()
        release.wait(WAIT)

    async def main():
        async with llm.ActorSystem() as system:
            response = calls("hang").chain("x", tools=[hang])
            await until(entered.is_set)
            await response.cancel()
            tree = system.tree()
            release.set()
            return tree

    tree = run(main())
    loop = only(tree)
    assert [call.tool for call in loop.tools.abandoned] == ["hang"]
    assert re.fullmatch(r"hang \(llm-actors-tool-\d+\), which began \d+\.\d s ago", loop.abandoned[0])
    assert (loop.model_threads, loop.requests) == (0, 0)
    assert f"abandoned: {loop.abandoned[0]}" in str(tree)


def test_it_prints_as_an_indented_picture():
    async def main():
        async with llm.ActorSystem() as system:
            conversation = Says(asyncio.Event()).conversation()
            conversation.name = "support"
            for _ in range(9):
                conversation.prompt("x")
            await until(lambda: any(only(system.tree()).conversations))
            return str(system.tree())

    lines = run(main()).split("\n")
    assert lines[0] == "system, open: 1 loops, 1 conversations at work"
    assert lines[1] == "  the loop of MainThread"
    assert re.fullmatch(r'    conversation \w{26} "support" of says: 9 turns, 0 in its mailbox', lines[2])
    assert re.fullmatch(r"      \w{26}: model call round 1 of says, for 0\.\d s", lines[3])
    assert lines[8] == "      and 4 more"
    assert lines[9] == "    tools: 0 running, 0 in waits, 0 queued; 0 threads, 0 of them idle"
    assert lines[10] == "    0 threads of models, 0 open requests"
    assert len(lines) == 11


def test_it_is_a_value_that_encodes():
    async def main():
        async with llm.ActorSystem() as system:
            Says(asyncio.Event()).prompt("x")
            await until(lambda: any(only(system.tree()).conversations))
            return system.tree()

    tree = run(main())
    assert isinstance(tree, llm.SystemTree)
    assert msgspec.json.decode(msgspec.json.encode(tree))["state"] == "open"
    with pytest.raises(AttributeError):
        tree.state = "shut"  # type: ignore[misc,assignment]


def test_it_says_how_the_system_stands():
    async def main():
        system = llm.ActorSystem()
        states = [system.tree().state]
        with system:
            Says(asyncio.Event()).prompt("x")
            ending = system.shutdown(drain=WAIT)
            states.append(system.tree().state)
            system.shutdown(0)
            await ending
        tree = system.tree()
        return [*states, tree.state, tree.loops]

    assert run(main()) == ["open", "shutting down", "shut down", ()]


# ---- from elsewhere, and past a loop that hangs


def test_from_a_thread_each_loop_says_it_itself():
    async def main():
        async with llm.ActorSystem() as system:
            Says(asyncio.Event()).prompt("x")
            return await asyncio.to_thread(system.tree)

    loop = only(run(main()))
    assert (loop.silent, loop.inside) == (None, None)
    assert len(loop.conversations) == 1


@pytest.mark.parametrize("held_by", ["a handler", "a step of a tool", "something else"])
def test_a_loop_that_does_not_answer_is_said_to_with_what_holds_it(held_by, monkeypatch):
    monkeypatch.setattr(system_tree, "WAIT", 0.05)
    entered, looked = threading.Event(), threading.Event()
    seen = []

    def block():
        entered.set()
        looked.wait(WAIT)

    class Holds(llm.Actor):
        def on_receive(self, message):
            block()

    async def holds():
        block()

    async def main():
        async with llm.ActorSystem(stall_bound=None) as system:

            def look():
                entered.wait(WAIT)
                hold(0.1)
                seen.append(system.tree())
                hold(0.1)
                seen.append(system.tree())
                looked.set()

            Says(asyncio.Event()).prompt("x")
            await asyncio.sleep(0.01)
            looker = threading.Thread(target=look)
            looker.start()
            if held_by == "a handler":
                ref = Holds.start()
                ref.tell("x")
                await asyncio.sleep(0)
                await ref.stop(block=False)
            elif held_by == "a step of a tool":
                assert await calls("holds").chain("x", tools=[holds]).text()
            else:
                block()
            looker.join(WAIT)
            return system.tree()

    after = only(run(main()))
    assert (after.silent, after.inside) == (None, None)
    first, second = map(only, seen)
    assert {
        "a handler": lambda what: what.endswith("Holds.on_receive(str)"),
        "a step of a tool": lambda what: what == "holds",
        "something else": lambda what: what is None,
    }[held_by](first.inside)
    assert first.silent >= 0.05
    assert second.silent >= first.silent + 0.1
    assert "which has not answered for" in str(seen[1])
    assert any(turn.doing.startswith("model call") for view in first.conversations for turn in view.turns)


def test_on_a_running_loop_no_other_loop_is_waited_for():
    entered, looked = threading.Event(), threading.Event()
    system = llm.ActorSystem()

    def elsewhere():
        async def inside():
            with system:
                Says(asyncio.Event()).prompt("x")
                await asyncio.sleep(0.01)
                entered.set()
                looked.wait(WAIT)  # the loop hangs

        asyncio.run(inside())

    async def main():
        with system:
            await Says("a").prompt("x").text()
            await asyncio.to_thread(entered.wait, WAIT)
            began = time.monotonic()
            tree = system.tree()
            took = time.monotonic() - began
            await asyncio.sleep(0.3)
            return tree, took, system.tree()

    thread = threading.Thread(target=contextvars.copy_context().run, args=(elsewhere,))
    thread.start()
    tree, took, later = run(main())
    looked.set()
    thread.join(WAIT)
    assert took < 0.2
    assert [loop.silent for loop in tree.loops] == [None, None]
    assert sorted(loop.silent is not None for loop in later.loops) == [False, True]
    assert [len(loop.conversations) for loop in tree.loops].count(1) == 1


def test_what_changes_while_it_is_looked_at_from_outside_is_looked_at_again(monkeypatch):
    async def main():
        async with llm.ActorSystem() as system:
            await Says("a").prompt("x").text()
            engine = system.engine(running())
            stats, fails = engine.tools.stats, [RuntimeError("changed size")] * 2

            def shaky():
                if fails:
                    raise fails.pop()
                return stats()

            monkeypatch.setattr(engine.tools, "stats", shaky)
            assert system_tree._from_outside(engine).tools is not None
            fails += [RuntimeError("changed size")] * 9
            assert system_tree._from_outside(engine).tools is None
            fails.clear()

    run(main())


def test_a_loop_that_is_closed_is_none_of_it():
    system = llm.ActorSystem()

    async def begin():
        with system:
            return await Says("a").prompt("x").text()

    asyncio_loop = asyncio.new_event_loop()
    asyncio_loop.run_until_complete(begin())
    assert len(system.tree().loops) == 1
    asyncio_loop.close()
    assert system.tree().loops == ()


# ---- counters


def test_counters_are_exact_over_loops_and_after_them():
    system = llm.ActorSystem()

    def fails():
        raise ValueError("no")

    async def main():
        with system:
            assert await calls("fails").chain("x", tools=[fails]).text()
            assert await Says("a", lambda response: response.set_usage(input=3, output=4)).prompt("x").text() == "a"
            failed = Says(ZeroDivisionError()).prompt("x")
            cancelled = Says(asyncio.Event()).prompt("x")
            with pytest.raises(ZeroDivisionError):
                await failed.text()
            await cancelled.cancel()
            waits = Says(asyncio.Event()).conversation()
            waits.prompt("runs")
            waits.prompt("waits")
            await asyncio.sleep(0.01)
            return system.counters()

    during = run(main())
    assert (during.prompts, during.turns_started) == (6, 5)
    assert (during.turns_finished, during.turns_failed, during.turns_cancelled) == (2, 1, 1)
    assert (during.rounds, during.tool_calls, during.tool_errors) == (6, 1, 1)
    assert (during.tokens_in, during.tokens_out) == (3, 4)
    run(main())
    after = system.counters()
    assert after.prompts == 12
    assert 10 <= after.turns_started <= 12  # a turn in line may begin when its loop's end has cut the one before it
    assert after.turns_finished + after.turns_failed + after.turns_cancelled == after.prompts
    assert after.turns_cancelled == 6  # with those that their loops' ends cut


def test_joined_and_steered_prompts_are_counted_each():
    async def main():
        async with llm.ActorSystem() as system:
            go = asyncio.Event()
            model = Says("a", go)
            conversation = model.conversation(when_busy="coalesce")
            first = conversation.prompt("alone")
            together = [conversation.prompt(str(number)) for number in range(3)]
            await until(lambda: model.prompts)
            steered = conversation.steer("too")
            go.set()
            for response in (first, steered, *together):
                await response
            return system.counters()

    counters = run(main())
    assert (counters.prompts, counters.turns_started, counters.turns_finished) == (5, 5, 5)


def test_what_a_loop_counted_stays_when_it_is_gone():
    system = llm.ActorSystem()

    async def main():
        with system:
            return await Says("a").prompt("x").text()

    for _ in range(5):
        asyncio.run(main())
    gc.collect()
    assert len(system.sums._places) <= 1  # folded with their loops
    assert system.counters().turns_finished == 5
