"""What a supervisor decides, without one: tables, and a world in which anything happens at any time."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_actors.runtime.backoff import Backoff
from llm_actors.runtime.child import Child
from llm_actors.runtime.ending import Ending
from llm_actors.runtime.intensity import Intensity
from llm_actors.runtime.supervision import Forget, GiveUp, Start, Stop, Supervision, WakeAt

STOPPED, KILLED, LOOP = Ending("stopped"), Ending("killed"), Ending("loop ended")
FAILED = Ending("failed", KeyError("x"))
CANCELLED = Ending("failed", asyncio.CancelledError())
NO_WAIT = Backoff(first=0.0)


def supervision(strategy="one_for_one", *children, intensity=3, period=5.0, backoff=NO_WAIT):
    made = Supervision(strategy, Intensity(intensity, period), backoff)
    for child, restart in children:
        assert made.add(0.0, child, restart, "up") == []
    return made


def play(made, commands, now=1.0):
    """Carries out what is decided, in a world where all goes well: gives the names of what was done."""
    done = []
    todo = list(commands)
    while todo:
        command = todo.pop(0)
        if isinstance(command, Start):
            done.append(f"+{command.id}")
            todo += made.started(now, command.id)
        elif isinstance(command, Stop):
            done.append(f"-{command.id}")
            todo += made.ended(now, command.id, STOPPED, 0.0)
        elif isinstance(command, Forget):
            done.append(f"~{command.id}")
        elif isinstance(command, WakeAt):
            done.append(f"@{command.when:g}")
        else:
            done.append(type(command).__name__)
    return " ".join(done)


ALL = (("a", "permanent"), ("b", "permanent"), ("c", "permanent"))


@pytest.mark.parametrize(
    ("strategy", "who", "done"),
    [
        ("one_for_one", "b", "+b"),
        ("one_for_all", "b", "-c -a +a +b +c"),
        ("one_for_all", "a", "-c -b +a +b +c"),
        ("rest_for_one", "a", "-c -b +a +b +c"),
        ("rest_for_one", "b", "-c +b +c"),
        ("rest_for_one", "c", "+c"),
    ],
)
def test_the_strategy_says_who_is_stopped_in_reverse_order_and_started_in_order(strategy, who, done):
    made = supervision(strategy, *ALL)
    assert play(made, made.ended(1.0, who, FAILED, 0.0), 1.0) == done
    assert {ward.state for ward in made.wards.values()} == {"up"}


@pytest.mark.parametrize(
    ("restart", "ending", "comes_back"),
    [
        ("permanent", STOPPED, True),
        ("permanent", FAILED, True),
        ("permanent", KILLED, True),
        ("transient", STOPPED, False),
        ("transient", FAILED, True),
        ("transient", KILLED, True),
        ("temporary", STOPPED, False),
        ("temporary", FAILED, False),
        ("temporary", KILLED, False),
        ("permanent", LOOP, False),
        ("transient", LOOP, False),
    ],
)
@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_the_restart_type_says_whether_it_comes_back_and_who_does_not_takes_nobody_along(
    restart, ending, comes_back, strategy
):
    made = supervision(strategy, ("x", restart))
    assert play(made, made.ended(1.0, "x", ending, 0.0)) == ("+x" if comes_back else "~x")
    if not comes_back:
        made = supervision(strategy, ("x", restart), ("other", "permanent"))
        assert play(made, made.ended(1.0, "x", ending, 0.0)) == "~x"


def test_a_temporary_sibling_is_stopped_with_its_group_and_forgotten():
    made = supervision("one_for_all", ("a", "permanent"), ("b", "temporary"), ("c", "transient"))
    assert play(made, made.ended(1.0, "a", FAILED, 0.0)) == "-c -b ~b +a +c"


def test_more_failures_than_the_intensity_within_the_period_and_it_gives_up():
    made = supervision("one_for_one", *ALL, intensity=2, period=10.0)
    assert play(made, made.ended(1.0, "a", FAILED, 0.0)) == "+a"
    assert play(made, made.ended(2.0, "b", FAILED, 0.0), 2.0) == "+b"
    assert play(made, made.ended(11.5, "a", FAILED, 0.0), 11.5) == "+a"  # the first has passed
    assert play(made, made.ended(11.6, "a", FAILED, 0.0), 11.6) == "~a -c ~c -b ~b GiveUp"
    assert made.wards == {}
    assert made.ended(12.0, "a", FAILED, 0.0) == made.woken(13.0) == made.shut(14.0) == []


def test_who_gave_up_says_because_of_whom_and_its_children_may_come_back_with_it():
    made = supervision("one_for_one", ("a", "permanent"), ("t", "temporary"), intensity=0)
    commands = made.ended(1.0, "a", FAILED, 0.0)
    assert commands == [Forget("a", FAILED, for_good=False), Stop("t", for_good=True)]
    assert made.ended(1.0, "t", STOPPED, 0.0) == [Forget("t", STOPPED, for_good=True), GiveUp("a", FAILED)]


def test_the_waits_between_restarts_grow_to_a_cap_and_begin_anew_after_a_quiet_time():
    backoff = Backoff(first=1.0, factor=2.0, cap=5.0, jitter=0.5, quiet=100.0)
    made = supervision("one_for_one", ("a", "permanent"), intensity=100, backoff=backoff)
    now, waits = 0.0, []
    for _ in range(6):
        commands = made.ended(now, "a", FAILED, 0.0)
        if isinstance(commands[0], WakeAt):
            waits.append(commands[0].when - now)
            assert made.woken(now + waits[-1] - 0.5) == [WakeAt(now + waits[-1])]
            now += waits[-1]
            commands = made.woken(now)
        assert play(made, commands, now) == "+a"
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert play(made, made.ended(now + 100.0, "a", FAILED, 0.0), now + 100.0) == "+a"


@given(st.integers(1, 100_000), st.floats(0, 1, exclude_max=True), st.floats(0, 1), st.floats(1, 10))
def test_a_wait_is_within_its_cap_whatever_chance_says(failures, random, jitter, factor):
    backoff = Backoff(first=0.1, factor=factor, cap=30.0, jitter=jitter)
    delay = backoff.delay(failures, random)
    whole = Backoff(first=0.1, factor=factor, cap=30.0, jitter=0.0).delay(failures, random)
    assert 0 <= delay <= whole <= 30.0
    assert delay >= whole * (1 - jitter)


def test_what_was_cancelled_waits_also_the_first_time_since_the_loop_may_be_at_its_end():
    made = supervision("one_for_one", ("a", "permanent"), backoff=Backoff(first=0.1))
    assert made.ended(1.0, "a", CANCELLED, 0.0) == [WakeAt(1.1)]


def test_in_a_group_a_wait_holds_those_started_later_and_alone_it_holds_nobody():
    backoff = Backoff(first=1.0, jitter=0.0)
    made = supervision("rest_for_one", *ALL, intensity=10, backoff=backoff)
    assert play(made, made.ended(0.0, "b", FAILED, 0.0)) == "-c +b +c"
    assert play(made, made.ended(0.1, "b", FAILED, 0.0), 0.1) == "-c @1.1"
    assert play(made, made.ended(0.2, "a", FAILED, 0.0), 0.2) == "+a @1.1"
    assert play(made, made.woken(1.1), 1.1) == "+b +c"
    made = supervision("one_for_one", *ALL, intensity=10, backoff=backoff)
    for _ in range(2):
        commands = made.ended(0.0, "a", FAILED, 0.0)
        assert play(made, commands) in ("+a", "@1")
    assert play(made, made.ended(0.5, "b", FAILED, 0.0), 0.5) == "+b @1"


def test_a_start_that_fails_is_a_failure_of_that_child():
    made = supervision("one_for_all", *ALL, intensity=1)
    commands = made.ended(0.0, "a", FAILED, 0.0)
    assert commands == [Stop("c", for_good=False)]
    assert made.ended(0.0, "c", STOPPED, 0.0) == [Stop("b", for_good=False)]
    assert made.ended(0.0, "b", STOPPED, 0.0) == [Start("a")]
    assert made.started(0.0, "a") == [Start("b")]
    assert play(made, made.ended(0.0, "b", FAILED, 0.0)) == "~b ~c -a ~a GiveUp"


def test_a_child_is_stopped_for_good_or_started_anew_by_request():
    made = supervision("one_for_one", *ALL)
    assert made.stop(0.0, "b") == [Stop("b", for_good=True)]
    assert made.stop(0.0, "b") == []
    assert made.restart(0.0, "b") == []  # it is stopped for good
    assert made.ended(0.0, "b", FAILED, 0.0) == [Forget("b", FAILED, for_good=True)]
    assert play(made, made.restart(0.0, "c")) == "-c +c"
    assert made.wards["c"].failures == 0
    waits = supervision("one_for_one", ("a", "permanent"), backoff=Backoff(first=9.0))
    waits.ended(0.0, "a", CANCELLED, 0.0)
    assert play(waits, waits.restart(1.0, "a"), 1.0) == "+a"
    waits.ended(1.0, "a", CANCELLED, 0.0)
    assert play(waits, waits.stop(1.5, "a")) == "~a"


def test_a_member_that_fails_before_its_turn_to_be_stopped_has_come_to_the_same():
    made = supervision("one_for_all", *ALL, intensity=1)
    assert made.ended(0.0, "a", FAILED, 0.0) == [Stop("c", for_good=False)]
    assert made.ended(0.0, "b", FAILED, 0.0) == []
    assert play(made, made.ended(0.0, "c", KILLED, 0.0)) == "+a +b +c"


def test_shut_stops_all_in_reverse_order_once():
    made = supervision("one_for_one", *ALL, backoff=Backoff(first=9.0))
    made.ended(0.0, "b", CANCELLED, 0.0)
    assert play(made, made.shut(0.0)) == "~b -c ~c -a ~a Over"
    assert made.shut(1.0) == []
    assert play(supervision(), supervision().shut(0.0)) == "Over"


def test_children_that_come_while_all_ends_end_too():
    made = supervision("one_for_one", ("a", "permanent"))
    assert made.shut(0.0) == [Stop("a", for_good=True)]
    assert made.add(0.0, "late", "permanent", "up") == []
    assert play(made, made.ended(0.0, "a", STOPPED, 0.0)) == "~a -late ~late Over"


def test_what_is_no_child_and_no_backoff_is_refused():
    for start in ((), "x", ("x",), (int, (), {}, 1)):
        with pytest.raises(TypeError, match="start is a tuple"):
            Child("x", start)
    for wrong in ({"restart": "often"}, {"kind": "boss"}, {"shutdown": -1}):
        with pytest.raises(ValueError, match=r"restart is one of|shutdown is in seconds"):
            Child("x", (int,), **wrong)
    assert [Child("x", start).called for start in ((int,), (int, ("1",)), (int, (), {"base": 2}))] == [
        (int, (), {}),
        (int, ("1",), {}),
        (int, (), {"base": 2}),
    ]
    for other in ({"first": -1}, {"factor": 0.5}, {"jitter": 2}, {"cap": -1}, {"quiet": -1}):
        with pytest.raises(ValueError, match="seconds are at least 0"):
            Backoff(**other)


class World:
    """Children that take their time, fail when they like, at any moment; and what must hold of how they are treated."""

    def __init__(self, strategy, intensity, children, backoff):
        self.made = Supervision(strategy, Intensity(intensity, 100.0), backoff)
        self.group = strategy != "one_for_one"
        self.now = 0.0
        self.up: dict[str, int] = {}  # and the number of their start
        self.stopping: dict[str, bool] = {}
        self.forgotten: list[str] = []
        self.ends: list[Any] = []
        self.wake: float | None = None
        self.count = 0
        self.failures = 0
        self.not_before: dict[str, float] = {}
        self.starting_fails = False
        for child, restart in children:
            self.up[child] = 0
            self.do(self.made.add(0.0, child, restart, "up"))

    def do(self, commands):
        for command in commands:
            assert not self.ends, "nothing comes after the end"
            getattr(self, f"do_{type(command).__name__}")(command)

    def do_Start(self, command):
        assert command.id not in self.up, "one incarnation at a time"
        assert not self.made.ending
        assert self.now >= self.not_before.get(command.id, 0.0)
        if self.group:
            assert not self.stopping, "first all are stopped"
        if self.starting_fails:
            self.starting_fails = False
            self.fail(command.id)
            return
        self.count += 1
        self.up[command.id] = self.count
        self.do(self.made.started(self.now, command.id))

    def do_Stop(self, command):
        assert command.id in self.up
        assert command.id not in self.stopping
        self.stopping[command.id] = command.for_good

    def do_Forget(self, command):
        assert command.id not in self.up
        assert command.id not in self.forgotten
        self.forgotten.append(command.id)

    def do_WakeAt(self, command):
        assert command.when > self.now
        self.wake = command.when

    def do_GiveUp(self, command):
        assert self.failures == self.made._intensity.intensity + 1
        self.do_Over(command)

    def do_Over(self, command):
        assert not self.up
        self.ends.append(command)

    def fail(self, id, ending=FAILED):
        ward = self.made.wards[id]
        counts = ward.state in ("up", "starting") and not ward.marked and ward.comes_back(ending)
        self.failures += counts
        commands = self.made.ended(self.now, id, ending, 0.5)
        if id in self.made.wards and counts:
            self.not_before[id] = self.made.wards[id].due
        self.do(commands)

    def end(self, id, ending):
        del self.up[id]
        self.stopping.pop(id, None)
        self.fail(id, ending)


CHILDREN = st.lists(st.sampled_from(["permanent", "transient", "temporary"]), min_size=1, max_size=5)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fail", "stop itself", "stopped", "stop", "restart", "time", "bad start", "shut"]),
        st.integers(0, 4),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]), st.integers(0, 6), CHILDREN, STEPS)
def test_whatever_happens_each_child_has_one_incarnation_at_a_time_and_an_end(strategy, intensity, restarts, steps):
    children = [(f"{number}", restart) for number, restart in enumerate(restarts)]
    world = World(strategy, intensity, children, Backoff(first=1.0, jitter=0.5))
    for what, number in steps:
        child = str(number)
        if world.ends:
            break
        if what == "fail" and child in world.up:
            world.end(child, FAILED)
        elif what == "stop itself" and child in world.up:
            world.end(child, STOPPED)
        elif what == "stopped" and world.stopping:
            world.end(next(iter(world.stopping)), STOPPED)
        elif what in ("stop", "restart") and child in world.made.wards and not world.made.ending:
            world.not_before.pop(child, None)
            world.do(getattr(world.made, what)(world.now, child))
        elif what == "time":
            world.now += 0.7
            world.do(world.made.woken(world.now))
        elif what == "bad start":
            world.starting_fails = True
        elif what == "shut" and number == 0:
            world.do(world.made.shut(world.now))
    settle(world)
    if not world.ends:
        assert set(world.up) | set(world.forgotten) == {child for child, _ in children}
        assert not set(world.up) & set(world.forgotten)
        world.do(world.made.shut(world.now))
        settle(world)
    assert len(world.ends) == 1
    assert sorted(world.forgotten) == [child for child, _ in children]


def settle(world):
    """Time goes on and nobody fails any more: all that is decided comes to its end."""
    world.starting_fails = False
    for _ in range(200):
        if world.ends:
            return
        if world.stopping:
            world.end(next(iter(world.stopping)), STOPPED)
        else:
            world.now += 50.0
            world.do(world.made.woken(world.now))
            if {ward.state for ward in world.made.wards.values()} <= {"up"}:
                return
    raise AssertionError({child: ward.state for child, ward in world.made.wards.items()})
