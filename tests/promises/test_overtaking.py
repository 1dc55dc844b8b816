"""A2 of DESIGN section 1, for the prompts of a conversation: what is asked of the turn that runs does not wait behind those that queue."""

import asyncio

import pytest

import llm_actors as llm


class Held(llm.AsyncModel):
    """Answers what it was asked last; its first answer waits until it is let go."""

    model_id = "held"

    def __init__(self):
        self.asked = []
        self.entered, self.let_go = asyncio.Event(), asyncio.Event()

    async def execute(self, prompt, stream, response, conversation):
        self.asked.append([message.text for message in prompt.messages if message.role == "user"])
        self.entered.set()
        if len(self.asked) == 1:
            await self.let_go.wait()
        yield f"answer to {self.asked[-1][-1]}"


@pytest.mark.parametrize("control", ["cancel", "steer", "deadline", "stop"])
def test_control_mail_overtakes_queued_prompts(control, run):
    """A2: Control mail (cancel, steer, deadline, stop) overtakes queued prompts."""

    async def main():
        model = Held()
        conversation = model.conversation()
        first = conversation.prompt("first", timeout=0.1 if control == "deadline" else None)
        await model.entered.wait()
        queued = [conversation.prompt(f"queued {number}") for number in range(3)]
        if control == "steer":
            steered = conversation.steer("steered")
            model.let_go.set()
            assert await steered.text() == "answer to steered"
            assert not any(response.done for response in queued)
            assert model.asked[1] == ["first", "steered"]
        elif control == "stop":
            assert await conversation.ref.stop(block=False)
            assert [type(response.error) for response in (first, *queued)] == [llm.LoopClosedError] * 4
            assert model.asked == [["first"]]
            return
        else:
            if control == "cancel":
                await first.cancel()
            with pytest.raises(llm.ResponseCancelledError if control == "cancel" else llm.DeadlineExceededError):
                await first.text()
            assert not any(response.done for response in queued)
        assert [await response.text() for response in queued] == [f"answer to queued {number}" for number in range(3)]

    run(main())
