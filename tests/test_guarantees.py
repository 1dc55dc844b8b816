"""What the README promises has tests that carry the same words: each word of a promise stands in the docstring of a test of it.

A promise is a line `- **C1** Prompts sent to ...`; a test of it has a docstring `C1: Prompts sent to ...`, where `...` leaves words out.
"""

import ast
import re

import pytest

from tests.house.source import REPOSITORY, parsed

_LINE = re.compile(r"^- \*\*([ACTS]\d)\*\* (.+)$", re.MULTILINE)
_QUOTE = re.compile(r"([ACTS]\d): (.+)", re.DOTALL)


def promises(readme: str) -> dict[str, str]:
    """The promises by their labels."""
    return {label: _flat(text) for label, text in _LINE.findall(readme)}


def quoted(source: str) -> list[tuple[str, str]]:
    """What the tests of a file quote, as (label, words that stand together in one sentence)."""
    found: list[tuple[str, str]] = []
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            match = _QUOTE.match(ast.get_docstring(node) or "")
            if match:
                found += [
                    (match[1], words) for part in re.split(r"\.\.\.|(?<=\.)\s", match[2]) if (words := _flat(part))
                ]
    return found


def without_test(promise: str, quotes: list[str]) -> str:
    """The words of a promise that no quote covers, put in brackets; empty when all are covered."""
    covered = [False] * len(promise)
    for quote in quotes:
        at = promise.lower().find(quote.lower())
        while at >= 0:
            covered[at : at + len(quote)] = [True] * len(quote)
            at = promise.lower().find(quote.lower(), at + 1)
    missing = [place for place, done in enumerate(covered) if not done and promise[place].isalnum()]
    return promise[missing[0] : missing[-1] + 1] if missing else ""


def _flat(text: str) -> str:
    return " ".join(text.split()).strip(" .:;,")


README = promises((REPOSITORY / "README.md").read_text("utf-8"))
QUOTES = [
    quote for path in sorted((REPOSITORY / "tests").rglob("test_*.py")) for quote in quoted(path.read_text("utf-8"))
]


def test_the_readme_promises_something_of_actors_conversations_tools_and_the_service():
    assert {label[0] for label in README} == set("ACTS")


@pytest.mark.parametrize("label", README)
def test_each_word_of_a_promise_stands_in_a_test_of_it(label):
    missing = without_test(README[label], [quote for of, quote in QUOTES if of == label])
    assert not missing, f"{label}: no test carries these words: {missing}"


def test_a_promise_without_a_test_is_told_and_a_test_in_other_words_does_not_count():
    found = promises("- **C1** In order, all of them.\n- **C2** Valid.\n")
    assert without_test(found["C2"], []) == "Valid"
    assert without_test(found["C1"], ["In order"]) == "all of them"
    assert without_test(found["C1"], ["in order", "all of them"]) == ""
    assert quoted('def test_it():\n    """C1: In order, ... all of\n    them."""\n') == [
        ("C1", "In order"),
        ("C1", "all of them"),
    ]
