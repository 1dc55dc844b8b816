"""A conversation that began on any provider goes on on each of the others, and back: validators take what all codecs write."""

import json

import msgspec
import pytest

from llm_actors.messages import AttachmentPart, Message, TextPart, ToolCallPart, ToolResultPart
from tests.strict import PROVIDERS, check_all

from . import random_histories
from .random_histories import random_history

SEEDS = range(150)


def with_bytes(messages: list[Message]) -> list[Message]:
    """As the library gives them to a provider that fetches nothing itself."""

    def resolved(part):
        if isinstance(part, AttachmentPart) and part.attachment is not None and part.attachment.content is None:
            return AttachmentPart(msgspec.structs.replace(part.attachment, url=None, content=b"\xff\xd8\xff"))
        return part

    return [Message(each.role, [resolved(part) for part in each.parts], each.provider_metadata) for each in messages]


@pytest.mark.parametrize("began", random_histories.PROVIDERS)
def test_a_history_of_one_provider_is_taken_by_all(began):
    for seed in SEEDS:
        check_all(with_bytes(random_history(seed, began, providers=(began,), files=("image",))))


def test_a_history_that_wandered_over_all_of_them_is_taken_by_all():
    for seed in SEEDS:
        check_all(with_bytes(random_history(seed, files=("image", "image url"))))


@pytest.mark.parametrize("to", PROVIDERS)
def test_what_only_one_understands_goes_to_nobody_else_and_what_was_said_goes_to_all(to):
    for seed in SEEDS:
        messages = with_bytes(random_history(seed, files=("image",)))
        body = PROVIDERS[to].body_of(messages)
        sent = body.decode() if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False)
        plain = json.loads(sent)
        own = {"gemini": "gemini", "anthropic": "anthropic", "openai responses": "openai"}.get(to)
        for part in (part for message in messages for part in message.parts):
            for provider, metadata in (part.provider_metadata or {}).items():
                secrets = [value for value in metadata.values() if isinstance(value, str) and len(value) > 12]
                if provider != own:
                    assert not [secret for secret in secrets if secret in sent], (seed, provider)
        said = set(_strings(plain))
        for message in messages:
            for part in message.parts:
                if isinstance(part, ToolCallPart):
                    assert any(part.name == text for text in said), seed
                elif isinstance(part, TextPart) and message.role != "system" and part.text.strip():
                    assert any(part.text.strip() in text for text in said), (seed, part.text)
                elif isinstance(part, ToolResultPart) and part.output.strip():
                    assert any(part.output.strip() in text for text in said), (seed, part.output)


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
