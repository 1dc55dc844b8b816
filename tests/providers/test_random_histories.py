"""The generator of random histories is to be trusted: what it gives is valid, seeded, and has all that it speaks of."""

from random import Random

from llm_actors.chat.history import repair
from llm_actors.messages import Message
from llm_actors.messages.parts import AttachmentPart, ReasoningPart, ToolCallPart, ToolResultPart
from tests.strict import PROVIDERS as STRICT

from .random_histories import PROVIDERS, random_answer, random_history


def test_every_provider_takes_a_random_history_and_repair_leaves_it_alone():
    for seed in range(200):
        messages = random_history(seed, PROVIDERS[seed % len(PROVIDERS)], files=("image",))  # not all take more
        assert repair(messages) == messages
        assert messages[-1].role in ("user", "tool")
        calls = [part for message in messages for part in message.parts if isinstance(part, ToolCallPart)]
        for provider in STRICT.values():
            if all(
                call.tool_call_id for call in calls
            ):  # the codecs make those that are missing; not each validator has its codec
                provider.check(messages)


def test_the_same_seed_gives_the_same_history_and_others_give_others():
    assert random_history(7, "gemini") == random_history(7, "gemini")
    assert len({str(random_history(seed)) for seed in range(50)}) > 45


def test_random_histories_hold_thinking_calls_failures_files_and_interruptions():
    messages = [message for seed in range(300) for message in random_history(seed, "anthropic")]
    parts = [part for message in messages for part in message.parts]
    assert any(isinstance(part, ReasoningPart) and part.redacted for part in parts)
    assert any(isinstance(part, AttachmentPart) for part in parts)
    assert any(isinstance(part, ToolResultPart) and part.exception for part in parts)
    assert any("not been executed" in part.output for part in parts if isinstance(part, ToolResultPart))
    assert any("interrupted" in str(message.provider_metadata) for message in messages)
    assert any(sum(isinstance(part, ToolCallPart) for part in message.parts) > 1 for message in messages)


def test_a_random_answer_is_never_empty():
    for seed in range(200):
        assert random_answer(Random(seed), PROVIDERS[seed % len(PROVIDERS)])
        assert Message("assistant", random_answer(Random(seed), "openai", calls=False)).parts
