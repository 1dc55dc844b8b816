"""What has arrived: numbers that stay, and what a restart takes back."""

import random

from hypothesis import given
from hypothesis import strategies as st

from llm_actors.chat.arrivals import BATCH, Arrivals
from llm_actors.messages import StreamEvent

RESTART = StreamEvent("restart", "overloaded")
ROUND = StreamEvent("round", "2")


def taken(*items, folded=False):
    arrivals = Arrivals()
    for item in items:
        arrivals.take([item])
    if folded:
        arrivals.fold(None)
    return arrivals


def test_what_came_before_a_restart_of_the_first_round_is_no_text():
    for folded in (False, True):
        assert taken("Paris is", " in", RESTART, "Rome", folded=folded).text_so_far() == "Rome"
        assert taken("a", RESTART, "b", RESTART, folded=folded).text_so_far() == ""


def test_a_restart_takes_back_its_own_round_and_no_other():
    for folded in (False, True):
        arrivals = taken("one", ROUND, "two", RESTART, "three", folded=folded)
        assert arrivals.text_so_far() == "one three"
        assert taken("one ", ROUND, "two", RESTART, "three", folded=folded).text_so_far() == "one three"
        assert taken("a", RESTART, "b", ROUND, "c", RESTART, "d", folded=folded).text_so_far() == "b d"
        # The round is counted again: what begins again may say so.
        assert taken("a", ROUND, "b", RESTART, ROUND, "c", folded=folded).text_so_far() == "a c"


def test_the_numbers_of_what_was_taken_back_stay():
    items = ["a", "b", RESTART, "c"]
    for folded in (False, True):
        arrivals = taken(*items, folded=folded)
        assert list(arrivals.since(0)) == items
        assert list(arrivals.kept(arrivals.since(0), 0)) == [RESTART, "c"]
        assert list(arrivals.kept(arrivals.since(1), 1)) == [RESTART, "c"]
        assert list(arrivals.kept(arrivals.since(3), 3)) == ["c"]


def test_the_round_under_way_begins_behind_its_round_or_restart_event():
    arrivals = taken("a")
    assert arrivals.kept_from == 0
    arrivals.take([RESTART, "b"])
    assert arrivals.kept_from == 2
    arrivals.take([ROUND, "c"])
    assert arrivals.kept_from == 4


def test_a_reader_takes_a_bounded_number_of_items_at_once():
    for folded in (False, True):
        arrivals = taken(*map(str, range(3 * BATCH)), folded=folded)
        seen = []
        while items := arrivals.batch(len(seen)):
            assert len(items) == BATCH
            seen += items
        assert seen == [str(number) for number in range(3 * BATCH)]
        assert arrivals.batch(10**30) == []


words = st.sampled_from(
    ["a", "b ", " c", "", "\n", RESTART, ROUND, StreamEvent("reasoning", "hm"), StreamEvent("text", "t")]
)


@given(st.lists(words, max_size=12), st.randoms(use_true_random=False))
def test_text_is_what_the_rounds_last_attempts_said_however_it_came(items, chance: random.Random):
    rounds = [[]]
    for item in items:
        if item is ROUND:
            rounds.append([])
        elif item is RESTART:
            rounds[-1] = []
        else:
            rounds[-1].append(item if isinstance(item, str) else item.chunk if item.type == "text" else "")
    said = "".join("".join(texts) for texts in rounds)
    arrivals, todo = Arrivals(), list(items)
    while todo:
        size = chance.randint(1, len(todo))
        arrivals.take(todo[:size])
        todo = todo[size:]
    whole = arrivals.text_so_far()
    assert [letter for letter in whole if not letter.isspace()] == [letter for letter in said if not letter.isspace()]
    arrivals.fold(None)
    assert arrivals.text_so_far() == whole
