"""What is done with the conversations: one coroutine for each kind of work, and how often it is done (`WORK`)."""

import asyncio
from typing import Any

import llm_actors as llm

from .echo import FAULTS, GOOD, Asked
from .world import TOOLS, Talk, World


async def good(world: World, talk: Talk) -> None:
    """A prompt and its answer, read in one way or another."""
    asked = world.ask(talk, world.random.choice(GOOD))
    response = talk.conversation.prompt(asked.text, stream=world.random.random() < 0.8)
    way = world.random.choice(("text", "iterate", "events", "twice"))
    if way == "iterate":
        text = "".join([chunk async for chunk in response])
    elif way == "events":
        text = "".join([event.chunk async for event in response.events() if event.type == "text"])
        await response
    elif way == "twice":
        first, text = [str(each) for each in await asyncio.gather(response.text(), response.text())]
        world.check_text(asked, first)
    else:
        text = await response.text()
    world.check_text(asked, text)
    world.check_history(talk, asked, asked.answer)


async def queued(world: World, talk: Talk) -> None:
    """Three prompts at once: each is answered, in their order."""
    three = [world.ask(talk, "ok") for _ in range(3)]
    responses = [talk.conversation.prompt(asked.text) for asked in three]
    for asked, response in zip(three, responses, strict=True):
        world.check_text(asked, await response.text())
        world.check_history(talk, asked, asked.answer)


async def faulty(world: World, talk: Talk) -> None:
    """The server does wrong: the same error each time, and what came is the beginning of the right answer."""
    asked = world.ask(talk, world.random.choice(FAULTS))
    response = talk.conversation.prompt(asked.text)
    errors: list[Exception] = []
    for _ in range(2):
        try:
            await response.text()
        except llm.ModelError as error:
            errors.append(error)
    if len(errors) != 2 or errors[0] is not errors[1]:
        world.complain(f"{asked.text!r} ended with {errors}")
    world.counts[f"faults: {asked.how}"] += 1
    world.check_partial(asked, response)
    world.check_valid(talk.conversation.messages())


async def chained(world: World, talk: Talk) -> None:
    """A chain with tools of all kinds, also those that hang."""
    many = world.random.randint(1, 4)
    names = world.random.choices(list(TOOLS), weights=(6, 6, 2, 1, 1), k=many)
    asked = world.ask(talk, "ok", tools=tuple(names))
    response = talk.conversation.chain(asked.text, tools=list(TOOLS.values()))
    world.check_text(asked, await response.text())
    world.counts["tool calls"] += many
    world.check_results(talk, asked)
    world.check_history(talk, asked, asked.answer)


async def cancelled(world: World, talk: Talk) -> None:
    """Cancelled at some moment: when that has returned nothing more comes."""
    tools = ("awaited", "quick", "hangs") if world.random.random() < 0.3 else ()
    asked = world.ask(talk, "slow", 20, tools)
    response = talk.conversation.chain(asked.text, tools=list(TOOLS.values()))
    await asyncio.sleep(world.random.random() * 0.5)
    await response.cancel()
    before = response.partial
    try:
        world.check_text(asked, await response.text())
    except llm.ResponseCancelledError:
        world.counts["cancels in time"] += 1
        world.check_partial(asked, response)
    await asyncio.sleep(world.random.random() * 0.1)
    if response.partial != before:
        world.complain(f"{asked.text!r} went on after its cancel")
    world.check_valid(talk.conversation.messages())


async def left(world: World, talk: Talk) -> None:
    """The task that reads is cancelled, and with it the turn."""
    asked = world.ask(talk, "slow", 20)
    response = talk.conversation.prompt(asked.text)
    reader = asyncio.ensure_future(response.text())
    await asyncio.sleep(world.random.random() * 0.3)
    reader.cancel()
    await asyncio.wait([reader])
    try:
        world.check_text(asked, await response.text())
    except llm.ResponseCancelledError:
        world.check_partial(asked, response)


async def dropped(world: World, talk: Talk) -> None:
    """Nobody reads to the end: that changes nothing."""
    asked = world.ask(talk, "slow", 5)
    async for _ in talk.conversation.prompt(asked.text):
        break
    behind = world.ask(talk, "ok")
    world.check_text(behind, await talk.conversation.prompt(behind.text).text())
    world.check_history(talk, asked, asked.answer)


async def late(world: World, talk: Talk) -> None:
    """A deadline that is too short, mostly."""
    asked = world.ask(talk, world.random.choice(("slow", "slow", "stall", "silent")), 20)
    response = talk.conversation.prompt(asked.text, timeout=0.05 + world.random.random() * 0.5)
    try:
        world.check_text(asked, await response.text())
    except llm.DeadlineExceededError:
        world.counts["deadlines that came"] += 1
        world.check_partial(asked, response)
    world.check_valid(talk.conversation.messages())


async def steered(world: World, talk: Talk) -> None:
    """A message is put into a running turn, which answers it too."""
    asked, more = world.ask(talk, "slow", 12), world.ask(talk, "ok")
    response = talk.conversation.prompt(asked.text)
    await asyncio.sleep(world.random.random() * 0.2)
    steer = talk.conversation.steer(more.text)
    world.check_text(more, await steer.text())
    text = await response.text()
    if text != asked.answer:  # else the turn had ended before, and the message was a prompt of its own
        world.check_text(asked, text, asked.answer + more.answer)
    world.check_history(talk, more, more.answer)


async def forked(world: World, talk: Talk) -> None:
    """A fork goes on by itself, whatever its conversation does meanwhile."""
    fork = world.fork(talk)
    both = [(each, world.ask(each, "ok")) for each in (fork, talk)]
    responses = [each.conversation.prompt(asked.text) for each, asked in both]
    for (each, asked), response in zip(both, responses, strict=True):
        world.check_text(asked, await response.text())
        world.check_history(each, asked, asked.answer)


async def grouped(world: World, _: Talk) -> None:
    """Three conversations in a group, some of which have too little time."""
    hurried = world.random.random() < 0.4
    answers: list[tuple[Asked, Any]] = []
    try:
        async with llm.Group(timeout=0.2 if hurried else None) as group:
            for _number in range(3):
                talk = world.new_talk(group=group)
                asked = world.ask(talk, "slow" if hurried else "ok", 25)
                answers.append((asked, talk.conversation.prompt(asked.text)))
    except llm.DeadlineExceededError:
        world.counts["groups cut short"] += 1
    for asked, response in answers:
        try:
            world.check_text(asked, await response.text())
        except (llm.DeadlineExceededError, llm.ResponseCancelledError):
            world.check_partial(asked, response)
            if not hurried:
                raise


async def closed(world: World, talk: Talk) -> None:
    """Closed in mid-turn: the turn is cancelled, and nothing more is taken."""
    asked = world.ask(talk, "slow", 20)
    response = talk.conversation.prompt(asked.text)
    await asyncio.sleep(world.random.random() * 0.3)
    await talk.conversation.close()
    try:
        world.check_text(asked, await response.text())
        world.counts["closed too late"] += 1  # the answer was there already
    except llm.ResponseCancelledError:
        world.check_partial(asked, response)
    world.check_valid(talk.conversation.messages())
    talk.left = 0


async def in_thread(world: World, _: Talk) -> None:
    """The sync API, in a thread: its work is done on the background loop."""
    talk = world.sync_talk()
    asked = world.ask(talk, "ok")
    tooled = world.ask(talk, "ok", tools=("quick", "awaited"))

    def program() -> tuple[str, str]:
        with talk.conversation as conversation:
            return conversation.prompt(asked.text).text(), conversation.chain(
                tooled.text, tools=list(TOOLS.values())
            ).text()

    first, second = await asyncio.to_thread(program)
    world.check_text(asked, first)
    world.check_text(tooled, second)
    world.check_results(talk, tooled)


WORK = {
    good: 34,
    queued: 6,
    faulty: 14,
    chained: 12,
    cancelled: 9,
    left: 3,
    dropped: 3,
    late: 5,
    steered: 4,
    forked: 4,
    grouped: 2,
    closed: 2,
    in_thread: 2,
}
ALONE = (steered, closed, dropped)
"""Work that nobody else may come between."""
EVERY = "all kinds of work"


async def do(world: World, kind: Any, talk: Talk) -> None:
    """One piece of work; whatever it did not expect is a complaint."""
    talk.busy += 1
    talk.alone = kind in ALONE
    try:
        async with asyncio.timeout(60):
            await kind(world, talk)
        world.counts[kind.__name__] += 1
    except llm.ModelTimeoutError:
        world.late += 1
    except Exception as error:
        world.complain(f"{kind.__name__} with {talk.root}: {type(error).__name__}: {error}")
    finally:
        talk.busy -= 1
        talk.alone = False
        talk.left -= 1


def choose(world: World) -> tuple[Any, Talk | None]:
    """What is done next, and with which conversation; None where all that were looked at are taken."""
    [kind] = world.random.choices(list(WORK), weights=list(WORK.values()))
    for _ in range(20):
        at = world.random.randrange(len(world.talks))
        talk = world.talks[at]
        if talk.left <= 0 and not talk.busy:
            talk = world.talks[at] = world.new_talk()  # the old one is just let go of, which ends it
            world.counts["conversations replaced"] += 1
        if talk.left > 0 and not talk.alone and (kind not in ALONE or not talk.busy):
            return kind, talk
    return kind, None
