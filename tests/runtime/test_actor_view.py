"""Supervisors and their children as one sees them: a tree, with who works, who waits and who is not there."""

import asyncio
import logging
import re
import threading

import pytest

import llm_actors as llm
from llm_actors.runtime import ThreadingActor

from .test_supervisor import vacancy

WAIT = 10.0


class Works(llm.Actor):
    def __init__(self, begun, goes_on):
        super().__init__()
        self.begun, self.goes_on = begun, goes_on

    async def on_receive(self, message):
        if isinstance(message, BaseException):
            raise message
        self.begun.set()
        await self.goes_on.wait()


class InThread(ThreadingActor):
    use_daemon_thread = True

    def __init__(self, begun, goes_on):
        super().__init__()
        self.begun, self.goes_on = begun, goes_on

    def on_receive(self, message):
        self.begun.set()
        assert self.goes_on.wait(WAIT)


@pytest.fixture(autouse=True)
def _quiet(caplog):
    with caplog.at_level(logging.CRITICAL):
        yield


def actors(system):
    (loop,) = system.tree().loops
    return loop.actors


def test_children_are_shown_below_their_supervisors_with_their_ids_and_what_they_do(run):
    async def main():
        async with llm.ActorSystem() as system:
            begun, goes_on, in_thread, thread_goes_on = (
                asyncio.Event(),
                asyncio.Event(),
                threading.Event(),
                threading.Event(),
            )
            own = Works.start(begun, goes_on)
            team = system.supervisor(name="team")
            works = team.start(Works, begun, goes_on, name="works")
            thread = team.start(InThread, in_thread, thread_goes_on, name="thread")
            (unsupervised, boss) = actors(system)
            (view,) = boss.children
            assert (unsupervised.urn, boss.name, view.child) == (own.actor_urn, "Supervisor", "team")
            assert [(child.child, child.state) for child in view.children] == [("works", "idle"), ("thread", "idle")]
            for ref in (works, thread):
                ref.tell("work")
                ref.tell("more")
            await begun.wait()
            assert await asyncio.to_thread(in_thread.wait, WAIT)
            one, two = actors(system)[1].children[0].children
            assert (one.name, one.urn, one.state, one.mailbox) == ("Works", works.actor_urn, "working", 1)
            assert (one.doing, two.doing) == ("Works.on_receive", "InThread.on_receive(str)")
            assert (two.urn, two.state, two.mailbox, two.seconds) == (thread.actor_urn, "working", 1, None)
            lines = str(system.tree()).split("\n")
            assert [line.strip().split()[0] for line in lines if "actor " in line] == [
                "actor",
                "actor",
                "team:",
                "works:",
                "thread:",
            ]
            goes_on.set()
            thread_goes_on.set()

    run(main())


def test_one_that_is_being_restarted_is_shown_with_its_mail_and_how_often(run):
    async def main():
        async with llm.ActorSystem(backoff=llm.Backoff(first=60.0)) as system:
            begun, goes_on = asyncio.Event(), asyncio.Event()
            ref = system.start(Works, begun, goes_on, name="it")
            await vacancy(ref)
            ref.tell("waits")
            (child,) = actors(system)[0].children
            assert (child.child, child.name, child.urn) == ("it", "Works", ref.actor_urn)
            assert (child.state, child.mailbox, child.doing, child.restarts) == ("restarting", 1, None, 0)
            assert await system.restart_child("it")
            await begun.wait()
            (child,) = actors(system)[0].children
            assert (child.state, child.mailbox, child.restarts) == ("working", 0, 1)
            assert re.search(
                r"it: actor Works \(.+\), working, restarted 1 times, 0 in its mailbox: .+, for ", str(child)
            )
            goes_on.set()

    run(main())


def test_a_supervised_conversation_is_one_of_them(run):
    async def main():
        async with llm.ActorSystem() as system:
            conversation = llm.get_async_model("demo").conversation()
            system.supervise(conversation, name="talks")
            await conversation.prompt("hi").text()
            (child,) = actors(system)[0].children
            assert (child.child, child.name, child.state) == ("talks", "ConversationActor", "idle")

    run(main())


@pytest.fixture
def run():
    def bounded(main):
        async def inside():
            async with asyncio.timeout(WAIT):
                return await main

        return asyncio.run(inside())

    return bounded
