"""A JSON schema with ends to its strings and lists, for models that are held to it by a grammar and might never come to one by themselves.

above it   openai_chat_request.py
below it   nothing
"""

from typing import Any

_SAID_OTHERWISE = frozenset({"maxLength", "enum", "const", "pattern", "format"})
_HOLD_SCHEMAS = ("properties", "$defs", "definitions")
_ARE_SCHEMAS = ("items", "additionalProperties", "anyOf", "oneOf", "allOf", "prefixItems")


def bounded(schema: Any, characters: int, items: int) -> Any:
    """A copy in which a string without a bound has at most so many characters, and a list without one so many items; else the same."""
    if isinstance(schema, list):
        return [bounded(each, characters, items) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = dict(schema)
    for word in _HOLD_SCHEMAS:
        if isinstance(made.get(word), dict):
            made[word] = {name: bounded(each, characters, items) for name, each in made[word].items()}
    for word in _ARE_SCHEMAS:
        if word in made:
            made[word] = bounded(made[word], characters, items)
    kinds = made.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "string" in kinds and not _SAID_OTHERWISE & made.keys():
        made["maxLength"] = max(characters, made.get("minLength", 0))
    if "array" in kinds and "maxItems" not in made:
        made["maxItems"] = max(items, made.get("minItems", 0))
    return made
