"""A turn with two parallel tools, a sync and an async one, hooks on: ended at every place of its mail and its commands, in every way.

First the turn alone, then the whole conversation on a real loop. Each time the next prompt's request has to pass the strict validator of
each provider (tests/strict).
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from typing import Any

import pytest

import llm_actors as llm
from llm_actors.chat import turn_mail as m
from llm_actors.chat.conversation_actor import CancelMail, ConversationActor
from llm_actors.chat.conversation_work import ConversationWork, TurnMail
from llm_actors.chat.history import Returned, open_calls
from llm_actors.chat.restart_mail import RestartMail
from llm_actors.chat.script_model import script_pair
from llm_actors.messages import ModelRequest, Prompt, RoundResult, StreamEvent, ToolCall
from llm_actors.providers.protocol import Script, ScriptStep
from tests.chat.test_turn import check_valid
from tests.chat.turn_driver import Driver, call
from tests.strict import check_all, check_next


def crash(driver: Driver) -> None:
    """What the actor tells a turn when it fails: all of it has ended."""
    error = llm.ConversationCrashedError("defect")
    driver.mail(m.Cancel(1.0, error)).mail(m.RoundStopped(1.0, driver.turn.round))
    for job in (0, 1, m.PREPARE, m.COMPACT):
        driver.mail(m.JobStopped(1.0, job))
    while driver.turn.keeping:
        driver.mail(m.Appended(1.0))
    driver.open.clear()


ENDS: dict[str, Callable[[Driver], object]] = {
    "cancel": lambda driver: driver.mail(m.Cancel(1.0, llm.ResponseCancelledError("stop"))),
    "deadline": lambda driver: driver.mail(m.Woken(1e9)),
    "replace": lambda driver: driver.mail(m.Cancel(1.0, llm.ResponseCancelledError("replaced by a newer prompt"))),
    "crash": crash,
}


def steps(driver: Driver, last: bool) -> Iterator[str]:
    """The mail of a whole turn, one at a time: the oldest or the newest open command is answered first."""
    for _ in count():
        if not driver.open:
            return
        command = driver.open.pop(-1 if last else 0)
        if isinstance(command, m.Append):
            driver.mail(m.Appended(1.0))
        elif isinstance(command, m.Prepare):
            driver.mail(m.Prepared(1.0, driver.turn.plan.tools))
        elif isinstance(command, m.Send):
            driver.open.append(command)
            driver.answered("let me see", call(1), call(2)) if command.round == 1 else driver.answered("done")
        elif isinstance(command, m.RunTool):
            driver.open.append(command)
            driver.tool_returned(command.call + 1)
        elif isinstance(command, m.CallHook):
            driver.mail(m.HookDone(1.0, command.call, command.stage))
        yield type(command).__name__


def turn(hooks: bool, instant: bool) -> Driver:
    plan = {"before_call": hooks, "after_call": hooks, "toolboxes": True, "deadline": 1e8}
    return Driver(instant=instant, **plan).begin()


def check_next_prompt(driver: Driver) -> None:
    """The next prompt's request, as the wire would carry it."""
    following = Driver(Prompt("next"), history=driver.history, id="turn-2").begin()
    assert following.kinds() == ["Send"]
    messages = following.history.messages()
    assert messages[-1].text == "next"
    check_all(messages)
    following.answered("answer")
    check_next(following.history.messages())


@pytest.mark.parametrize("end", sorted(ENDS))
@pytest.mark.parametrize("last", [False, True], ids=["oldest", "newest"])
@pytest.mark.parametrize("instant", [True, False], ids=["memory", "journal"])
@pytest.mark.parametrize("hooks", [True, False], ids=["hooks", "plain"])
def test_the_turn_alone(end: str, last: bool, instant: bool, hooks: bool) -> None:
    whole = turn(hooks, instant)
    length = len(list(steps(whole, last)))
    assert whole.finished == [None]
    assert length >= (9 if hooks else 5)
    for place in range(length + 1):
        for late in (False, True):
            driver = turn(hooks, instant)
            path = steps(driver, last)
            for _ in range(place):
                next(path, None)
            ENDS[end](driver)
            settle(driver, late=late)
            assert len(driver.finished) == 1, (place, driver.turn.state)
            assert driver.turn.state == "over"
            check_valid(driver.history)
            kept = [entry.part.tool_call_id for entry in driver.history.entries() if isinstance(entry, Returned)]
            assert kept in ([], ["call-1", "call-2"], ["call-2", "call-1"]), (place, kept)
            assert open_calls(driver.history.messages()) == []
            check_next_prompt(driver)


def settle(driver: Driver, *, late: bool) -> None:
    """Answers what is still open; `late`: what was stopped answers first, as if it had just ended by itself."""
    for command in list(driver.open) if late else ():
        check_valid(driver.history)
        if isinstance(command, m.Send):
            driver.mail(m.RoundEnded(1.0, command.round, RoundResult(), [llm.assistant("late")]))
        elif isinstance(command, m.RunTool):
            driver.mail(m.ToolDone(1.0, command.call, llm.ToolResult("tool", "late", tool_call_id="call-9")))
    driver.settle(lambda length: length - 1 if late else 0)
    check_valid(driver.history)


# ---- the conversation


def play(request: ModelRequest) -> Script:
    """Two calls, then an answer. Every request has passed the validator."""
    check_all(request.messages)
    texts = [message.text for message in request.messages if message.role == "user"]
    if texts[-1] != "go":
        return Script([ScriptStep(0, [f"echo: {texts[-1]}"])], RoundResult(stop_reason="stop"))
    if request.messages[-1].role == "tool":
        return Script([ScriptStep(0, ["do"]), ScriptStep(0.0001, ["ne"])], RoundResult(stop_reason="stop"))
    calls = [ToolCall("slow", {}, "call-1"), ToolCall("quick", {}, "call-2")]
    named = [StreamEvent("tool_call_name", c.name, tool_call_id=c.tool_call_id, tool_name=c.name) for c in calls]
    return Script([ScriptStep(0, ["let me see"]), ScriptStep(0.0001, [*named])], RoundResult(tool_calls=calls))


def slow() -> str:
    return "slow"


async def quick() -> str:
    await asyncio.sleep(0)
    return "quick"


async def hook(*_: object) -> None:
    await asyncio.sleep(0)


class Box(llm.Toolbox):
    async def prepare_async(self) -> None:
        await asyncio.sleep(0)


async def scene(when_busy: Any = "queue") -> tuple[llm.AsyncConversation, llm.AsyncResponse, list[str]]:
    model = script_pair("script", play)[1]
    conversation = model.conversation(
        tools=[slow, quick, Box()], before_call=hook, after_call=hook, when_busy=when_busy
    )
    response = conversation.chain("go", timeout=1000)
    called: list[str] = []
    await response.on_done(lambda response: called.append(response.id))
    return conversation, response, called


def end_by(
    kind: str, actor: ConversationActor, conversation: llm.AsyncConversation, response: str
) -> list[llm.AsyncResponse]:
    """Gives what takes its place."""
    if kind == "cancel":
        actor.cancel(CancelMail(response, llm.ResponseCancelledError("here")))
    elif kind == "deadline":
        actor._feed(response, m.Woken(1e12))
    elif kind == "restart":
        actor._take(RestartMail(RuntimeError("here")))
    else:
        return [conversation.prompt("replacing")]
    return []


async def outcome(response: llm.AsyncResponse) -> BaseException | None:
    try:
        await asyncio.wait_for(response.text(), 30)
    except llm.LLMError as error:
        return error
    return None


class Place:
    """Counts what happens to one response, and says when the place has come."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.seen = 0
        self.response = ""

    def reached(self, response: str) -> bool:
        if response != self.response:
            return False
        self.seen += 1
        return self.seen == self.number + 1

    @property
    def passed(self) -> bool:
        return self.seen > self.number


@pytest.mark.parametrize("kind", ["cancel", "deadline", "replace", "restart"])
def test_the_conversation_ended_after_every_mail_of_its_turn(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    take = ConversationActor._take
    expected = {"deadline": llm.DeadlineExceededError, "restart": llm.ConversationCrashedError}

    async def ended_at(place: Place) -> bool:
        def counted(actor: ConversationActor, message: Any) -> Any:
            value = take(actor, message)
            if isinstance(message, TurnMail) and place.reached(message.response):
                after.extend(end_by(kind, actor, conversation, message.response))
            return value

        after: list[llm.AsyncResponse] = []

        monkeypatch.setattr(ConversationActor, "_take", counted)
        conversation, response, called = await scene("replace" if kind == "replace" else "queue")
        place.response = response.id
        error = await outcome(response)
        for replacing in after:
            assert await asyncio.wait_for(replacing.text(), 30) == "echo: replacing"
        said = conversation.messages()
        assert error is None or isinstance(error, expected.get(kind, llm.ResponseCancelledError)), error
        assert called == ([response.id] if error is None else [])
        assert await asyncio.wait_for(conversation.prompt("next").text(), 30) == "echo: next"
        assert conversation.messages()[: len(said)] == said
        check_valid(conversation._history)
        return place.passed

    assert places(ended_at) >= 9


def test_the_conversation_whose_actor_fails_at_every_command_of_its_turn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")
    commands = dict(ConversationWork._DO)

    def breaking(do: Any, place: Place) -> Any:
        def counted(actor: Any, live: Any, command: Any) -> Any:
            if place.reached(live.log.id):
                raise KeyError("defect")
            return do(actor, live, command)

        return counted

    async def failed_at(place: Place) -> bool:
        broken = {kind: breaking(do, place) for kind, do in commands.items()}
        monkeypatch.setattr(ConversationWork, "_DO", broken)
        conversation, response, called = await scene()
        place.response = response.id
        queued = conversation.prompt("queued")
        error = await outcome(response)
        assert isinstance(error, llm.ConversationCrashedError) or called == [response.id] or not place.passed
        assert await asyncio.wait_for(queued.text(), 30) == "echo: queued"
        assert await asyncio.wait_for(conversation.prompt("next").text(), 30) == "echo: next"
        check_valid(conversation._history)
        return place.passed

    assert places(failed_at) >= 25


def places(ended_at: Callable[[Place], Coroutine[Any, Any, bool]]) -> int:
    """Ends a turn at each place until there is none; gives how many there were."""

    async def main() -> int:
        for number in count():
            if not await ended_at(Place(number)):
                return number
        raise AssertionError

    return asyncio.run(main())
