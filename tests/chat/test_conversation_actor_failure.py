"""A defect inside a conversation's actor: no reader hangs, and the conversation goes on with its history."""

import asyncio
import logging

import pytest

import llm_actors as llm
from llm_actors.chat.turn import Turn
from llm_actors.chat.turn_mail import RoundEnded


def test_a_defect_in_an_actor_ends_its_turns_with_that_error_and_the_next_prompt_goes_on(monkeypatch, caplog):
    def defect(self, mail):
        raise KeyError("defect")

    async def main():
        conversation = llm.get_async_model("demo").conversation()
        await conversation.prompt("one").text()
        with monkeypatch.context() as patch:
            patch.setitem(Turn._HANDLERS, RoundEnded, defect)
            running = conversation.prompt("two")
            queued = conversation.prompt("three")
            for response in (running, queued):
                with pytest.raises(KeyError, match="defect"):
                    await asyncio.wait_for(response.text(), 5)
        assert "prompt 2" in await asyncio.wait_for(conversation.prompt("four").text(), 5)

    with caplog.at_level(logging.CRITICAL):
        asyncio.run(main())
