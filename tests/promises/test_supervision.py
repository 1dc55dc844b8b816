"""Failing actors come back, mailboxes are bounded, and nothing vanishes silently."""

# mypy: disable-error-code="override"

import asyncio
import logging

import pytest

import llm_actors as llm
from llm_actors.observe import ChildEnded, ChildRestarted, DeadLetter, SupervisorGaveUp
from llm_actors.runtime import ActorDeadError, ThreadingActor, drop_newest, drop_oldest


class Clerk(llm.Actor):
    """Keeps what it was told; a failure on purpose is an exception that it is told."""

    def __init__(self, name="clerk"):
        super().__init__()
        self.name = name
        self.papers = []

    def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        self.papers.append(message)
        return list(self.papers)


class ThreadClerk(ThreadingActor):
    use_daemon_thread = True

    def __init__(self, name="clerk"):
        super().__init__()
        self.name = name
        self.papers = []

    on_receive = Clerk.on_receive


@pytest.fixture(autouse=True)
def _quiet(caplog):
    with caplog.at_level(logging.CRITICAL):
        yield


def of(kind, seen):
    return [record for record in seen if isinstance(record, kind)]


@pytest.mark.parametrize("kind", [Clerk, ThreadClerk])
@pytest.mark.parametrize(
    ("strategy", "kept"),
    [("one_for_one", [1, 0, 1]), ("one_for_all", [0, 0, 0]), ("rest_for_one", [1, 0, 0])],
)
def test_a6_a_failing_actor_is_restarted_by_its_supervisor_with_the_declared_strategy(kind, strategy, kept, run):
    """A6: A failing actor is restarted by its supervisor with the declared strategy"""

    async def main():
        async with llm.ActorSystem(strategy=strategy) as system:
            refs = [system.start(kind, name, name=name) for name in ("a", "b", "c")]
            for ref in refs:
                assert await ref.ask("paper", block=False) == ["paper"]
            refs[1].tell(KeyError("on purpose"))
            assert await refs[1].ask("after", block=False) == ["after"]
            assert len(await system.children()) == 3
            papers = [await ref.ask("now", block=False) for ref in (refs[0], refs[2])]
            assert [len(papers[0]) - 1, 0, len(papers[1]) - 1] == kept

    run(main())


def test_a6_with_the_declared_intensity_and_then_it_is_told_to_who_supervises_it(run):
    """A6: A failing actor is restarted by its supervisor with the declared strategy and intensity;"""
    seen = []

    async def main():
        async with llm.ActorSystem(intensity=2, period=60.0, observers=[seen.append]) as system:
            team = system.supervisor(intensity=1, period=60.0, name="team")
            ref = team.start(Clerk, name="clerk")
            watch = system.monitor(ref)
            for _ in range(5):
                ref.tell(
                    KeyError("again")
                )  # two take the team down, once; four, twice; the fifth is one failure of the third
            assert await ref.ask("alive", block=False) == ["alive"]
            assert [child.restarts for child in await system.children()] == [2]
            assert not watch.done()
            ref.tell(KeyError("again"))  # now the root gives up
            down = await watch
            assert (down.ref, down.reason, type(down.error)) == (ref, "failed", llm.TooManyRestartsError)
            assert not team.is_alive()
            # The next start makes another root.
            assert await system.start(Clerk, name="clerk").ask("new", block=False) == ["new"]

    run(main(), seconds=30)
    assert [record.supervisor for record in of(SupervisorGaveUp, seen)] == ["team", "team", "team", "root"]
    assert [record.child for record in of(SupervisorGaveUp, seen)] == ["clerk", "clerk", "clerk", "team"]
    assert of(ChildEnded, seen)[0].child == "clerk of team"
    assert of(ChildRestarted, seen)


@pytest.mark.parametrize("kind", [Clerk, ThreadClerk])
def test_a6_mail_it_cant_take_becomes_a_dead_letter_with_a_reason(kind, run):
    """A6: mail it can't take becomes a dead letter with a reason. Nothing vanishes silently."""
    seen = []

    async def main():
        async with llm.ActorSystem(observers=[seen.append], intensity=0) as system:
            ref = system.start(kind)
            ref.tell(KeyError("the one that fails"))
            ref.tell("told")
            asked = ref.ask("asked", block=False)
            with pytest.raises(ActorDeadError, match="is not restarted"):
                await asked
            with pytest.raises(ActorDeadError):
                ref.tell("late")
            assert system.dead_letters == 3

    run(main())
    letters = of(DeadLetter, seen)
    assert [letter.message for letter in letters] == ["str", "str", "str"]
    assert all("has ended (failed) and is not restarted" in letter.reason for letter in letters[:2])
    assert letters[2].reason


def test_a6_each_message_is_handled_once_or_answered_or_a_dead_letter_whatever_fails_when(run):
    """A6: Nothing vanishes silently."""
    letters = []

    async def main():
        def note(record):
            if isinstance(record, DeadLetter):
                letters.append(record)

        async with llm.ActorSystem(observers=[note], intensity=1000, backoff=llm.Backoff(cap=0.001)) as system:
            handled = []

            class Fails(Clerk):
                async def on_receive(self, message):
                    await asyncio.sleep(0)
                    if message % 7 == 3:
                        raise KeyError(message)
                    handled.append(message)
                    return message

            ref = system.start(Fails)
            asked = {}
            for number in range(301):
                if number % 3 == 0:
                    asked[number] = ref.ask(number, block=False)
                else:
                    ref.tell(number)
                if number % 10 == 0:
                    await asyncio.sleep(0)
            for number, answer in asked.items():
                if number % 7 == 3:
                    with pytest.raises(KeyError):
                        await answer
                else:
                    assert await answer == number
            assert handled == [number for number in range(301) if number % 7 != 3]

    run(main())
    assert letters == []


@pytest.mark.parametrize(
    ("policy", "handled", "dead"),
    [(None, [0, 1], []), (drop_oldest, [2, 3], [0, 1]), (drop_newest, [0, 1], [2, 3])],
)
def test_a7_mailboxes_are_bounded_with_a_declared_policy_when_full(policy, handled, dead, run):
    """A7: Mailboxes are bounded, with a declared policy when full."""
    seen = []

    class Small(Clerk):
        mailbox_bound = 2

    if policy is not None:
        Small.when_full = policy

    async def main():
        async with llm.ActorSystem(observers=[seen.append]) as system:
            for ref in (system.start(Small), system.start(Small)):
                refused = 0
                for number in range(4):
                    try:
                        ref.tell(number)
                    except llm.MailboxFullError:
                        refused += 1
                ref.tell("control mail is never refused", control=True)
                assert refused == (2 if policy is None else 0)
                for _ in range(5):
                    await asyncio.sleep(0)
                assert (await ref.ask("?", block=False))[1:-1] == handled
            assert system.dead_letters == 4

    run(main())
    assert all("full" in letter.reason or "bound" in letter.reason for letter in of(DeadLetter, seen))


def test_a7_a_conversation_too(server, pair, run):
    """A7: Mailboxes are bounded, with a declared policy when full."""

    async def main():
        with llm.ActorSystem(mailbox=2):
            conversation = pair.async_model.conversation()
            sent = [conversation.prompt("x") for _ in range(2)]
            with pytest.raises(llm.MailboxFullError):
                conversation.prompt("too many")
            for response in sent:
                await response.text()
            rejects = pair.async_model.conversation(when_busy="reject")
            rejects.prompt("x")
            with pytest.raises(llm.ConversationBusyError):
                rejects.prompt("y")

    run(main())


def test_in_sync_code_actors_are_supervised_on_the_background_loop():
    with llm.ActorSystem() as system:
        ref = system.start(Clerk)
        assert ref.ask("a", timeout=10) == ["a"]
        ref.tell(KeyError("x"))
        assert ref.ask("b", timeout=10) == ["b"]
        (child,) = system.children().get(timeout=10)
        assert child.restarts == 1
        assert system.stop_child(child.id).get(timeout=10) is True
        assert system.monitor(ref).get(timeout=10).reason == "stopped"


def test_the_system_is_the_one_that_the_childrens_code_uses_also_after_a_restart(run):
    class Asks(Clerk):
        async def on_receive(self, message):
            if isinstance(message, BaseException):
                raise message
            return llm.runtime.system_context.get(None)

    class AsksInThread(ThreadClerk):
        def on_receive(self, message):
            if isinstance(message, BaseException):
                raise message
            return llm.runtime.system_context.get(None)

    async def main():
        async with llm.ActorSystem() as system:
            for kind in (Asks, AsksInThread):
                for ref in (system.start(kind), system.supervisor().start(kind)):
                    ref.tell(KeyError())
                    assert await ref.ask("?", block=False) is system

    run(main())


def test_actors_of_a_system_are_stopped_in_reverse_order_when_it_is_left_and_when_its_loop_ends(run):
    log = []

    class Logs(Clerk):
        async def on_stop(self):
            await asyncio.sleep(0)
            log.append(self.name)

    async def leave():
        async with llm.ActorSystem() as system:
            for name in "abc":
                await system.start(Logs, name).ask("?", block=False)

    async def end():
        system = llm.ActorSystem()
        for name in "abc":
            await system.start(Logs, name).ask("?", block=False)

    for main in (leave, end):
        run(main())
        assert log == ["c", "b", "a"]
        del log[:]
