"""Which of the offered tools a prompt asks for, and with which arguments: by words in common, not by understanding.

above it   scripted.py
below it   scripted_values.py, scripted_words.py
"""

import re
from typing import Any

import msgspec

from llm_actors.messages import ToolSpec

from .scripted_values import Maker, NoInstanceError, Schema
from .scripted_words import Evidence, name_words, parts, stem, stems, trimmed, words

_SAYS_NOTHING = "and do fetch for from get function in make of run set the to tool use with"
_EMPTY = frozenset(_SAYS_NOTHING.split())
_FORMULAS = frozenset(["expression", "expr", "formula", "equation"])
_FOLLOW_UP = frozenset(["and", "again", "also", "how", "now", "or", "what"])
_BETWEEN = re.compile(r",\s*|\s+(?:to|into|from|in|with|and|for|at|as|by)\s+", re.IGNORECASE)

_NAMED = 100
_ENOUGH = 2
_SHORT = 6


class Wanted(msgspec.Struct, frozen=True):
    """A call to make; `complete`: the text had a value for each argument that must be there."""

    name: str
    arguments: dict[str, Any]
    complete: bool = True


def wanted_calls(prompt: str, tools: list[ToolSpec], last: str | None = None) -> list[Wanted]:
    """The calls for a prompt, in its order; [] when no tool fits. `last`: the tool called last, for `And -40?`."""
    if not tools:
        return []
    pieces = parts(prompt)
    split = _calls_of(pieces, tools) if len(pieces) > 1 else []
    if split:
        return split
    tool = _chosen(prompt, tools)
    if tool is None:
        return _follow_up(prompt, tools, last)
    call = _filled(tool, prompt)
    named = _score(prompt, tool) >= _NAMED
    return [call] if call.complete or named else []


def arguments_that_do_not_fit(spec: ToolSpec) -> dict[str, Any]:
    """Arguments of wrong types, for a tool with parameters; an unknown one for a tool without."""
    fields = spec.input_schema.get("properties", {})
    wrong: dict[str, Any] = {
        name: ["not", "this"] if schema.get("type") != "array" else {"not": "this"} for name, schema in fields.items()
    }
    return wrong or {"no_such_parameter": True}


def _calls_of(pieces: list[str], tools: list[ToolSpec]) -> list[Wanted]:
    """A call for each piece that fits a tool, or none at all when one that is not called by its name stays incomplete.

    A piece that fits none goes to the tool before it: as the rest of its arguments (`add 2 and 3`), or, when short, as one more call.
    """
    groups: list[tuple[ToolSpec, str, bool]] = []
    for place, piece in enumerate(pieces):
        own = _chosen(piece, tools)
        if own is not None:
            groups.append((own, piece, place == 0))
        elif groups:
            tool, text, begins = groups[-1]
            if _goes_on(tool, text, piece, begins=begins):
                groups[-1] = (tool, f"{text}, {piece}", begins)
            elif len(words(piece)) <= _SHORT // 2:
                groups.append((tool, piece, False))
    calls = [_filled(tool, text, begins=begins) for tool, text, begins in groups]
    named = [_score(text, tool) >= _NAMED for tool, text, _ in groups]
    if not all(call.complete or by_name for call, by_name in zip(calls, named, strict=True)):
        return []
    return [call for place, call in enumerate(calls) if call not in calls[:place]]


def _goes_on(tool: ToolSpec, text: str, piece: str, *, begins: bool) -> bool:
    """Whether a piece holds more arguments of the call before it."""
    fields: dict[str, Schema] = tool.input_schema.get("properties", {})
    lists = any(schema.get("type") == "array" for schema in fields.values())
    labelled = any(Evidence(piece).labelled(name) is not None for name in fields)
    return lists or labelled or not _filled(tool, text, begins=begins).complete


def _follow_up(prompt: str, tools: list[ToolSpec], last: str | None) -> list[Wanted]:
    said = words(prompt)
    tool = next((tool for tool in tools if tool.name == last), None)
    if tool is None or not said or (said[0] not in _FOLLOW_UP and len(said) > _SHORT):
        return []
    calls = [_filled(tool, piece) for piece in parts(prompt)]
    return [call for call in calls if call.complete and call.arguments]


def _chosen(text: str, tools: list[ToolSpec]) -> ToolSpec | None:
    """The tool with the most in common with the text, if that is enough; of equals the first."""
    scores = [(_score(text, tool), tool) for tool in tools]
    best, tool = max(scores, key=lambda scored: scored[0])
    return tool if best >= _ENOUGH else None


def _score(text: str, tool: ToolSpec) -> int:
    spelled = r"[\s_]+".join(map(re.escape, tool.name.split("_")))
    if re.search(rf"(?<!\w){re.escape(tool.name)}(?!\w)", text) or (
        "_" in tool.name and re.search(rf"\b{spelled}\b", text, re.IGNORECASE)
    ):
        return _NAMED
    said = stems(text)
    named = {stem(word) for word in name_words(tool.name) if word not in _EMPTY}
    described = _described(tool) - named
    choices = {stem(value) for value in _choices(tool)}
    return 2 * len(said & named) + len(said & described) + len(said & choices)


def _choices(tool: ToolSpec) -> list[str]:
    """The texts that its arguments choose from."""
    fields: dict[str, Schema] = tool.input_schema.get("properties", {})
    return [value for schema in fields.values() for value in schema.get("enum", []) if isinstance(value, str)]


def _described(tool: ToolSpec) -> set[str]:
    """The stems of the description's first paragraph, without the parameters' names: `Say hello to name` is not about names."""
    fields = tool.input_schema.get("properties", {})
    first = (tool.description or "").split("\n\n")[0]
    return stems(first) - {stem(word) for name in fields for word in name_words(name)}


def _filled(tool: ToolSpec, text: str, *, begins: bool = True) -> Wanted:
    fields: dict[str, Schema] = tool.input_schema.get("properties", {})
    required = [name for name in tool.input_schema.get("required", []) if name in fields]
    maker = Maker(tool.input_schema, Evidence(text, begins=begins))
    arguments: dict[str, Any] = {}
    for name, schema in fields.items():
        value = (
            maker.found(schema, name)
            if name in required or maker.evidence.labelled(name) or "enum" in maker.plain(schema)
            else None
        )
        if value is None and name in required:
            value = _list_of(maker, maker.plain(schema))
        if value is not None:
            arguments[name] = value
    missing = [name for name in required if name not in arguments]
    arguments.update(_phrases(tool, text, {name: maker.plain(fields[name]) for name in missing}))
    missing = [name for name in missing if name not in arguments]
    for name in missing:
        try:
            arguments[name] = maker.value(fields[name], name)
        except NoInstanceError:
            arguments[name] = None  # the tool says what it expected
    ordered = {name: arguments[name] for name in fields if name in arguments}
    return Wanted(tool.name, ordered, complete=not missing)


def _list_of(maker: Maker, schema: Schema) -> list[Any] | None:
    """A list from all numbers, quoted texts, or comma-separated words of the text."""
    if schema.get("type") != "array":
        return None
    kind = maker.plain(schema.get("items")).get("type")
    evidence = maker.evidence
    if kind in {"integer", "number"} and evidence.numbers:
        numbers, evidence.numbers = evidence.numbers, []
        return [int(each) for each in numbers] if kind == "integer" else [*numbers]
    if kind == "string":
        texts = evidence.quoted or evidence.names
        evidence.quoted, evidence.names = [], []
        return [*texts] or None
    return None


def _phrases(tool: ToolSpec, text: str, missing: dict[str, Schema]) -> dict[str, str]:
    """For texts that nothing else gave: the middle of the prompt, without the words that named the tool."""
    names = [
        name for name, schema in missing.items() if schema.get("type", "string") == "string" and "enum" not in schema
    ]
    if not names:
        return {}
    formula = re.search(r"[-(]?\d[-+*/^().\d\s]*[\d)]", text)
    if formula and names[0].lower() in _FORMULAS:
        return {names[0]: formula[0].strip()}
    own = {stem(word) for word in name_words(tool.name)} | _described(tool)
    middle = trimmed(text, own)
    if not middle:
        return {}
    pieces = [middle] if len(names) == 1 else _BETWEEN.split(middle)
    return dict(zip(names, pieces, strict=False))
