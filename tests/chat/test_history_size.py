"""How much of a window a history takes."""

import pytest

import llm_actors as llm
from llm_actors.chat.history import Answered, CallRecord, History, Replaced, Returned, Said, Withdrawn
from llm_actors.chat.history_size import FILE, FRAME, counted, estimate, grown, size
from llm_actors.messages import Message, ToolCallPart, ToolResultPart, Usage
from llm_actors.messages.parts import ReasoningPart, assistant, user

FOUR = "abcd"


def answered(usage=None, text=FOUR):
    return Answered("1", (assistant(text),), CallRecord("r", usage=usage))


@pytest.mark.parametrize(
    ("parts", "tokens"),
    [
        ([], 0),
        ([llm.TextPart(FOUR)], 1),
        ([llm.TextPart(FOUR * 2 + "x")], 3),
        ([ReasoningPart(FOUR), llm.TextPart(FOUR)], 2),
        ([ToolCallPart("tool", {"a": 1})], 3),
        ([ToolResultPart("tool", FOUR)], 2),
        ([ToolResultPart("tool", FOUR, attachments=[llm.Attachment(url="x")])], 2 + FILE),
        ([llm.AttachmentPart(llm.Attachment(url="x"))], FILE),
    ],
    ids=str,
)
def test_a_token_is_taken_for_four_characters(parts, tokens):
    assert estimate([Message("user", parts)]) == FRAME + tokens


def test_what_the_provider_counted_holds_where_it_tells_both_numbers():
    assert counted(Usage(10, 5)) == 15
    assert [counted(usage) for usage in (None, Usage(), Usage(input=1), Usage(output=1))] == [None] * 4


def test_it_grows_by_what_is_said_and_is_known_again_after_a_call_that_was_counted():
    assert grown(100, [Said("1", user(FOUR))]) == 100 + FRAME + 1
    assert grown(100, [Returned("1", ToolResultPart("tool", FOUR))]) == 100 + FRAME + 2
    assert grown(100, [answered()]) == 100 + FRAME + 1
    assert grown(100, [answered(Usage(30, 7)), Said("2", user(FOUR))]) == 37 + FRAME + 1
    assert grown(100, [Replaced("1", (user(FOUR),))]) == FRAME + 1
    assert grown(100, [Withdrawn("1")]) == 100


def test_the_size_of_a_history_looks_back_to_the_last_call_that_was_counted():
    history = History()
    assert size(history) == 0
    for entry in (Said("1", user("x" * 4000)), answered(Usage(50, 5)), Said("2", user(FOUR))):
        history.append(entry)
    assert size(history) == 55 + FRAME + 1
    history.append(Withdrawn("2"))
    assert size(history) == 55
    history.append(Replaced("3", (user(FOUR), assistant(FOUR)), compacted=True))
    history.append(Said("3", user(FOUR)))
    assert size(history) == 3 * (FRAME + 1)
