"""A JSON schema as Anthropic's structured outputs take it.

above it   anthropic_request.py
below it   nothing

They are held to a part of JSON Schema: objects are closed, and bounds of numbers, strings and most lists are no words of it (a 400).
What can't be said so is told the model in the description, as the vendor's SDKs do it:
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

import json
from typing import Any

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
)
_KEPT = ("type", "enum", "const", "$ref", "description", "title", "required", "default")
_HOLD_SCHEMAS = ("properties", "$defs", "definitions")
_HOLD_LISTS = ("anyOf", "allOf")


def supported(schema: Any) -> Any:
    """A copy within the words that are taken; the other ones stand in its descriptions."""
    if not isinstance(schema, dict):
        return schema
    left = {name: value for name, value in schema.items() if name != "$schema"}
    made: dict[str, Any] = {word: left.pop(word) for word in _KEPT if word in left}
    if "oneOf" in left and "anyOf" not in left:
        left["anyOf"] = left.pop("oneOf")
    _take_inner(left, made)
    if left.get("minItems") in (0, 1):
        made["minItems"] = left.pop("minItems")
    if left.get("format") in _FORMATS:
        made["format"] = left.pop("format")
    kinds = made.get("type")
    if "properties" in made or kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
        left.pop("additionalProperties", None)
        made.setdefault("properties", {})
        made["additionalProperties"] = False
    if left:
        told = ", ".join([f"{word}: {json.dumps(value, ensure_ascii=False)}" for word, value in left.items()])
        made["description"] = "\n\n".join([text for text in (made.get("description"), f"{{{told}}}") if text])
    return made


def _take_inner(left: dict[str, Any], made: dict[str, Any]) -> None:
    """Moves the schemas inside of this one, each within the words that are taken."""
    for word in _HOLD_SCHEMAS:
        if isinstance(left.get(word), dict):
            made[word] = {name: supported(each) for name, each in left.pop(word).items()}
    for word in _HOLD_LISTS:
        if isinstance(left.get(word), list):
            made[word] = [supported(each) for each in left.pop(word)]
    if "items" in left:
        made["items"] = supported(left.pop("items"))
