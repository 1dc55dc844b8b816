"""What a turn finds at its beginning: the open calls and the system prompt, without a walk back through all that was ever said."""

from hypothesis import given
from hypothesis import strategies as st

from llm_actors.chat.history import (
    STEPS,
    Answered,
    CallRecord,
    History,
    Replaced,
    Returned,
    Said,
    Withdrawn,
    open_calls,
    raw_messages,
)
from llm_actors.messages import Message, Prompt, ToolCallPart, ToolResultPart
from llm_actors.messages.parts import assistant, system, user


class CountedLink:
    """A link that counts how often somebody goes on from it."""

    steps = 0

    def __init__(self, before, entry):
        self._before = before
        self.entry = entry

    @property
    def before(self):
        CountedLink.steps += 1
        return self._before


def grow(history, *entries):
    for entry in entries:
        history.head = CountedLink(history.head, entry)


def steps_of(history):
    CountedLink.steps = 0
    found = history.found_by(Prompt("next"))
    return CountedLink.steps, found


def answer(turn, *messages):
    return Answered(turn, messages or (assistant("yes"),), CallRecord(turn))


def test_a_turn_does_not_walk_through_all_that_was_said_before_it():
    history = History()
    grow(history, Said("0", system("Be brief.")))
    most = 0
    for turn in map(str, range(10_000)):
        grow(history, Said(turn, user("hi")), answer(turn))
        steps, found = steps_of(history)
        most = max(most, steps)
        assert found == ([], "Be brief.")
    assert most <= STEPS + 3


def test_nor_through_turns_that_were_withdrawn():
    history = History()
    grow(history, Said("0", system("Be brief.")), answer("0"))
    most = 0
    for turn in map(str, range(1, 2_000)):
        grow(history, Said(turn, system("Never said")), Said(turn, user("hi")), Withdrawn(turn))
        steps, found = steps_of(history)
        most = max(most, steps)
        assert found == ([], "Be brief.")
    assert most <= STEPS + 4


def test_a_fork_walks_no_further_than_its_origin_has_to():
    history = History()
    grow(history, Said("0", system("Be brief.")))
    for turn in map(str, range(1_000)):
        grow(history, Said(turn, user("hi")), answer(turn))
    steps_of(history)
    steps, found = steps_of(history.fork())
    assert steps <= STEPS + 3
    assert found == ([], "Be brief.")


def _turn(draw, name):
    """The entries of one turn, as a turn leaves them behind."""
    calls = [ToolCallPart("tool", {}, f"{name}{number}") for number in range(draw(st.integers(0, 2)))]
    results = [Returned(name, ToolResultPart("tool", "done", call.tool_call_id)) for call in calls]
    entries = [Said(name, system(f"system of {name}"))] if draw(st.booleans()) else []
    entries += [Said(name, user("hi"))]
    kind = draw(st.sampled_from(["text", "calls", "open", "silent", "withdrawn", "replaced"]))
    if kind == "withdrawn":
        return [*entries, Withdrawn(name)]
    if kind == "replaced":
        return [Replaced(name, (system("new"), user("a"), Message("assistant", [*calls]))), *entries]
    if kind in ("calls", "open") and calls:
        left = results if kind == "calls" else results[1:]
        return [*entries, answer(name, Message("assistant", [*calls])), *left]
    return [*entries, Answered(name, () if kind == "silent" else (assistant("yes"),), CallRecord(name))]


@given(st.data())
def test_what_it_finds_is_what_the_whole_history_says(data):
    grown = History()
    for number in range(data.draw(st.integers(0, 60))):
        for entry in _turn(data.draw, f"t{number}"):
            grown.append(entry)
        said = Prompt("next")
        assert grown.found_by(said) == _found_in_all(grown)


def _found_in_all(history):
    """The same by the way that looks at everything."""
    said = raw_messages(history.entries())
    return open_calls(said), next((message.text for message in reversed(said) if message.role == "system"), "")
