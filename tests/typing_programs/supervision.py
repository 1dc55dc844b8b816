"""What a user's type checker sees of actors of one's own, supervisors, monitors and topics."""

from typing import Any, assert_type

import llm_actors as llm
from llm_actors.runtime import ActorRef, Future, ThreadingActor
from llm_actors.runtime.subscriber import Reader


class Greeter(llm.Actor):
    def __init__(self, greeting: str, *, loud: bool = False) -> None:
        super().__init__()
        self.greeting = greeting
        self.loud = loud

    async def on_receive(self, message: Any) -> Any:
        return f"{self.greeting}, {message}"


class Worker(ThreadingActor):
    def on_receive(self, message: Any) -> Any:
        return message


async def supervise(system: llm.ActorSystem, conversation: llm.AsyncConversation) -> None:
    ref = system.start(Greeter, "hello", loud=True, name="greeter", restart="transient", shutdown=1.0)
    assert_type(ref, ActorRef[Greeter])
    assert_type(ref.ask("world", block=False), Future[Any])
    assert_type(system.start(Worker), ActorRef[Any])
    team = system.supervisor(strategy="rest_for_one", intensity=5, period=60.0, backoff=llm.Backoff(cap=10.0))
    assert_type(team, llm.SupervisorRef)
    assert_type(team.start(Greeter, "hi"), ActorRef[Greeter])
    team.start_child(llm.Child("data", (Greeter, ("hi",), {"loud": True}), restart="temporary"))
    assert_type(await team.children(), list[llm.ChildStatus])
    assert_type(await team.stop_child("data"), bool)
    assert_type(await team.restart_child("data"), bool)
    assert_type(team.supervisor(), llm.SupervisorRef)
    assert_type(system.supervise(conversation), None)
    assert_type(conversation.child(), llm.Child)


async def watch(
    system: llm.ActorSystem, ref: ActorRef[Greeter], conversation: llm.AsyncConversation, watcher: ActorRef[Greeter]
) -> None:
    assert_type(system.monitor(ref, watcher), llm.Monitor)
    assert_type(ref.monitor(), llm.Monitor)
    monitor = conversation.monitor(watcher)
    assert_type(monitor.demonitor(), bool)
    down = await monitor
    assert_type(down, llm.Down)
    assert_type(down.error, BaseException | None)
    assert_type(monitor.get(timeout=1.0), llm.Down)


async def talk(system: llm.ActorSystem, ref: ActorRef[Greeter], conversation: llm.AsyncConversation) -> None:
    topic = system.topic("news")
    assert_type(topic, llm.Topic)
    assert_type(topic.publish("x", sender=conversation), None)
    assert_type(topic.subscribe(ref, when_full="wait"), None)
    assert_type(topic.subscribe(conversation, answers=topic), None)
    assert_type(topic.unsubscribe(ref), bool)
    with topic.subscribe(bound=10) as reader:
        assert_type(reader, Reader)
        async for message in reader:
            assert_type(message, Any)
    conversation.prompt("hi").publish(topic)
    assert_type(system.dead_letters, int)
