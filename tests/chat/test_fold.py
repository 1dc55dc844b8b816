"""The fold: the same items under the same numbers, in bytes."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from llm_actors.chat.fold import Fold
from llm_actors.messages import StreamEvent

items = st.lists(
    st.one_of(
        st.text(max_size=5),
        st.builds(StreamEvent, st.sampled_from(["reasoning", "text", "round"]), st.text(max_size=3)),
    ),
    max_size=20,
)


@given(items, st.integers(-1, 25))
def test_a_fold_gives_back_the_items_from_any_number_on(given_items, number):
    fold = Fold(list(given_items))
    assert len(fold) == len(given_items)
    assert list(fold.since(0)) == given_items
    expected = given_items[number:] if number >= 0 else []
    assert list(fold.since(number)) == expected
    assert fold.text == "".join(item for item in given_items if isinstance(item, str))
    assert list(fold.events) == [item for item in given_items if not isinstance(item, str)]


def test_a_text_that_the_caller_has_already_is_held_once():
    text = "one two"
    assert Fold(["one", " two"], text).text is text
    assert Fold(["one", " two"], "another").text == "one two"


def test_a_folded_stream_takes_a_fraction_of_the_memory_of_its_chunks():
    chunks = [f"{number:04d}" for number in range(20_000)]
    before = sys.getsizeof(chunks) + sum(map(sys.getsizeof, chunks))
    fold = Fold(chunks)
    after = sys.getsizeof(fold.text) + sys.getsizeof(fold._ends)
    assert after * 6 < before
