"""Random programs for a tree of supervisors, in time that jumps: failures during restarts, back-off, stops and the shutdown."""

import asyncio
import logging
import selectors
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.errors import MailboxFullError
from llm_actors.runtime import Actor, ActorDeadError, SystemClock, dead_letters, here
from llm_actors.runtime.backoff import Backoff
from llm_actors.runtime.reply import StopReply
from llm_actors.runtime.roster import Roster
from llm_actors.runtime.supervisor_office import root


class JumpingSelector(selectors.DefaultSelector):
    """Where the loop would wait, its time goes on at once."""

    now = 0.0
    rounds = 0

    def select(self, timeout=None):
        self.rounds += 1
        assert self.rounds < 20_000, "it goes round for ever"
        if timeout is not None and timeout > 0:
            self.now += timeout
        assert timeout is not None, "nothing will ever happen"
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self.jumps = JumpingSelector()
        super().__init__(self.jumps)

    def time(self):
        return self.jumps.now


class JumpingClock(SystemClock):
    def __init__(self, loop):
        super().__init__()
        self._loop = loop

    def monotonic(self):
        return self._loop.time()

    def random(self):
        return 0.5


class Doomed(Actor):
    """Does what its messages say. Knows the incarnation before it."""

    mailbox_bound = 20
    moods: list[str]

    def __init__(self, world):
        super().__init__()
        self.world = world
        before = world.present.get(self.actor_urn)
        assert before is None or before._actor_gone, "one at a time"
        if world.moods and world.moods[-1] == "init":
            world.moods.pop()
            raise OSError("init")
        world.present[self.actor_urn] = self

    def on_start(self):
        if self.world.moods and self.world.moods[-1] == "on_start":
            self.world.moods.pop()
            raise OSError("on_start")

    def on_stop(self):
        mood = self.world.moods.pop() if self.world.moods and self.world.moods[-1].startswith("on_stop") else ""
        if mood == "on_stop hangs":
            return asyncio.Event().wait()
        if mood == "on_stop fails":
            raise OSError("on_stop")
        return None

    def on_receive(self, message):
        kind, number = message
        self.world.handled.append((self.actor_urn, number))
        if kind == "fail":
            raise KeyError(number)
        if kind == "cancel":
            raise asyncio.CancelledError
        return asyncio.sleep(number % 3, number) if kind == "slow" else number


class World:
    def __init__(self):
        self.present: dict[str, Any] = {}
        self.moods: list[str] = []
        self.handled: list[tuple[str, int]] = []
        self.buried: list[Any] = []
        self.refused: list[int] = []
        self.told: dict[int, str] = {}
        self.asked: dict[int, Any] = {}


ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["ok", "slow", "fail", "cancel", "ask", "ask slow", "ask fail"]), st.integers(0, 5)),
    st.tuples(st.sampled_from(["stop", "stop now", "kill", "stop_child", "restart_child"]), st.integers(0, 5)),
    st.tuples(st.just("mood"), st.sampled_from(["init", "on_start", "on_stop hangs", "on_stop fails"])),
    st.tuples(st.sampled_from(["turns", "time"]), st.integers(0, 4)),
    st.tuples(st.sampled_from(["kill team", "restart team", "new"]), st.integers(0, 1)),
)
STRATEGIES = st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])
RESTARTS = st.lists(st.sampled_from(["permanent", "permanent", "transient", "temporary"]), min_size=2, max_size=5)


@settings(max_examples=150)
@given(STRATEGIES, st.integers(0, 5), RESTARTS, st.lists(ACTIONS, max_size=30), st.booleans())
def test_whatever_fails_when_all_mail_is_handled_once_or_answered_or_buried_and_all_end(
    strategy, intensity, restarts, actions, orderly
):
    world = World()
    hook = lambda actor, message, reason: world.buried.append(message)  # noqa: E731
    dead_letters.append(hook)
    runner = asyncio.Runner(loop_factory=JumpingLoop)
    logging.disable(logging.CRITICAL)
    try:
        runner.run(play(world, strategy, intensity, restarts, actions, orderly))
    finally:
        runner.close()
        logging.disable(logging.NOTSET)
        dead_letters.remove(hook)
    check(world)


async def play(world, strategy, intensity, restarts, actions, orderly):
    loop = here()
    loop.clock = JumpingClock(loop.asyncio_loop)
    settings_ = {"intensity": intensity, "period": 10.0, "backoff": Backoff(first=1.0, quiet=20.0)}
    top = root(Roster(loop, strategy="one_for_one", **settings_))
    team = top.supervisor(strategy=strategy, name="team", **settings_)
    half = len(restarts) // 2
    refs = [top.start(Doomed, world, name=f"c{n}", restart=restart) for n, restart in enumerate(restarts[:half])]
    refs += [
        team.start(Doomed, world, name=f"c{n + half}", restart=restart) for n, restart in enumerate(restarts[half:])
    ]
    waits: list[Any] = []
    for number, (action, which) in enumerate(actions):
        if action == "mood":
            world.moods.append(which)
        elif action in ("turns", "time"):
            for _ in range(which):
                await asyncio.sleep(0.7 if action == "time" else 0)
        elif action.endswith("team"):
            waits.append(team.kill(block=False) if action == "kill team" else top.restart_child("team"))
        elif action == "new":
            try:
                refs.append((top, team)[which].start(Doomed, world))
            except (OSError, ActorDeadError):
                continue
        else:
            waits += act(world, refs, (top, team), number, action, which % len(refs))
    if orderly:
        waits.append(top.stop(block=False))
    for wait in waits:
        try:
            async with asyncio.timeout(100):
                await wait
        except (ActorDeadError, MailboxFullError):
            continue
        except TimeoutError:  # a last hook that hangs, where nobody but a supervisor would cut it short
            assert isinstance(wait, StopReply)
            assert not orderly
    if orderly:
        await top.monitor()
        for ref in refs:
            await ref.monitor()
            assert not ref.is_alive()
        assert not [one for one in world.present.values() if not one._actor_gone]


def act(world, refs, supervisors, number, action, which):
    ref = refs[which]
    if action in ("stop_child", "restart_child"):
        return [getattr(supervisor, action)(f"c{which}") for supervisor in supervisors]
    if action == "stop":
        return [ref.stop(block=False)]
    if action == "stop now":
        return [ref.stop(block=False, now=True)]
    if action == "kill":
        return [ref.kill(block=False)]
    kind = action.removeprefix("ask ")
    if action.startswith("ask"):
        world.asked[number] = ref.ask((kind, number), block=False)
        return []
    try:
        ref.tell((kind, number))
    except (ActorDeadError, MailboxFullError):
        world.refused.append(number)
    else:
        world.told[number] = ref.actor_urn
    return []


def check(world):
    numbers = [number for _, number in world.handled]
    assert len(numbers) == len(set(numbers)), "nothing is handled twice"
    buried = [message[1] for message in world.buried if isinstance(message, tuple) and isinstance(message[0], str)]
    assert len(buried) == len(set(buried)), "nothing is buried twice"
    assert not set(buried) & set(numbers)
    for number in world.told:
        assert (number in numbers) != (number in buried), f"message {number} vanished"
    for number in world.refused:
        assert number not in numbers
        assert number in buried
    for number, answer in world.asked.items():
        assert answer.done(), f"ask {number} was never answered"
        try:
            value = answer.get(timeout=0)
        except KeyError:
            assert number in numbers
        except ActorDeadError:
            pass
        except MailboxFullError:
            assert number in buried
        else:
            assert value == number
            assert number in numbers
    for urn in {urn for urn, _ in world.handled}:
        mine = [number for at, number in world.handled if at == urn]
        assert mine == sorted(mine), "first in, first out"


def test_the_checker_finds_what_vanished_was_repeated_or_reordered():
    for handled, told, words in (
        ([], {1: "a"}, "vanished"),
        ([("a", 1), ("a", 1)], {}, "twice"),
        ([("a", 2), ("a", 1)], {1: "a", 2: "a"}, "first in"),
    ):
        world = World()
        world.handled, world.told = handled, told
        with pytest.raises(AssertionError, match=words):
            check(world)
