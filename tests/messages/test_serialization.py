"""The types of what is written down, held against what is written."""

import json
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

import llm_actors as llm
from llm_actors.messages import serialization
from llm_actors.messages.parts import AttachmentPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

FILES = sorted((Path(__file__).parents[1] / "chat" / "peer_files").glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_peers_files_are_of_these_types(file):
    plain = json.loads(file.read_text(encoding="utf-8"))
    assert set(plain) <= set(serialization.ResponseDict.__annotations__)
    assert set(plain["prompt"]) <= set(serialization.PromptDict.__annotations__)
    msgspec.convert(plain.get("usage", {}), serialization.UsageDict)
    for message in (*plain["prompt"]["messages"], *plain["messages"]):
        assert set(message) <= set(serialization.MessageDict.__annotations__)


FULL: Any = [
    (TextPart("a", {"x": 1}), serialization.TextPartDict),
    (ReasoningPart("a", True, {"x": 1}), serialization.ReasoningPartDict),
    (ToolCallPart("a", {}, "c", True, {"x": 1}), serialization.ToolCallPartDict),
    (
        ToolResultPart("a", "b", "c", True, "ValueError: x", [llm.Attachment(url="u")], {"x": 1}),
        serialization.ToolResultPartDict,
    ),
    (AttachmentPart(llm.Attachment("t", "p", "u", b"c"), {"x": 1}), serialization.AttachmentPartDict),
]


@pytest.mark.parametrize(("part", "kind"), FULL, ids=lambda value: getattr(value, "__name__", ""))
def test_a_part_with_everything_has_the_keys_of_its_type_in_their_order(part, kind):
    plain = part.to_dict()
    assert list(plain) == list(kind.__annotations__)
    assert msgspec.convert(plain, kind) == plain
    assert get_args(get_type_hints(kind)["type"]) == (plain["type"],)
    assert llm.Part.from_dict(plain) == part


def test_an_attachment_has_the_keys_of_its_type_in_their_order():
    plain = AttachmentPart(llm.Attachment("t", "p", "u", b"c")).to_dict()["attachment"]
    assert list(plain) == list(serialization.AttachmentDict.__annotations__)
    assert AttachmentPart(llm.Attachment("", "", "u", b"")).to_dict()["attachment"] == {"url": "u"}
    assert AttachmentPart().to_dict() == {"type": "attachment"}
