"""Mail whose sender hears only of its failure, and mail that an actor handles at once."""

import asyncio
from types import SimpleNamespace

from llm_actors.runtime import Actor, running
from llm_actors.runtime.at_once import handle_at_once
from llm_actors.runtime.told import tell


class Noting(Actor):
    registered = False

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_receive(self, message):
        self.seen.append(message)
        if isinstance(message, Exception):
            raise message
        if callable(message):
            message(self)


def test_who_sent_a_message_hears_of_its_failure_and_of_nothing_else():
    async def main():
        actor, wrong = Noting.start_on(running()), ValueError("wrong")
        failed = []
        sender = SimpleNamespace(not_taken=failed.append)
        for message in ("fine", wrong, "fine again"):
            tell(actor, message, sender)
        await actor.actor_ref.ask("last", block=False)
        assert failed == [wrong]
        assert actor.seen == ["fine", wrong, "fine again", "last"]
        await actor.actor_ref.stop(block=False)
        tell(actor, "too late", sender)
        assert [type(error).__name__ for error in failed] == ["ValueError", "ActorDeadError"]

    asyncio.run(main())


def test_a_message_is_handled_at_once_where_nothing_waits_and_nothing_is_at_work():
    async def main():
        actor = Noting.start_on(running())
        assert handle_at_once(actor, "now")
        assert actor.seen == ["now"]
        assert not actor._actor_awake
        assert running().busy == {}

    asyncio.run(main())


def test_it_does_not_overtake_what_waits_nor_interrupt_what_is_at_work():
    async def main():
        actor, taken = Noting.start_on(running()), []
        ref = actor.actor_ref

        def nested(actor):
            taken.append(handle_at_once(actor, "inside"))
            ref.tell("behind")

        ref.tell("first")
        taken.append(handle_at_once(actor, "second"))
        await ref.ask("third", block=False)
        assert handle_at_once(actor, nested)
        await ref.ask("last", block=False)
        assert taken == [False, False]
        assert actor.seen == ["first", "third", nested, "behind", "last"]

    asyncio.run(main())


def test_from_another_thread_or_to_a_dead_actor_it_has_to_be_sent():
    async def main():
        actor = Noting.start_on(running())
        assert not await asyncio.to_thread(handle_at_once, actor, "elsewhere")
        await actor.actor_ref.stop(block=False)
        assert not handle_at_once(actor, "too late")
        assert actor.seen == []

    asyncio.run(main())


def test_what_it_raises_ends_the_actor_as_mail_that_nobody_asked_for_does():
    async def main():
        actor = Noting.start_on(running())
        assert handle_at_once(actor, ValueError("wrong"))
        assert not actor.actor_ref.is_alive()

    asyncio.run(main())
