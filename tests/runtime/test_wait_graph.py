"""Circles in the graph of waits, on tables, and on random graphs against a search that tries everything."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_actors.runtime.wait_graph import chain_of, circle


class Named:
    """A node of a table. `looks`: what is told at the first look, the second ..., the last one for good."""

    def __init__(self, name, *, either=False):
        self.name = name
        self.either = either
        self.looks = [[]]

    def needs(self):
        return self.looks[0] if len(self.looks) == 1 else self.looks.pop(0)

    def label(self):
        return self.name

    def __repr__(self):
        return self.name


def graph(table):
    """Nodes by name, of `{"a": "b c", "o|": "a b"}`: a needs b and c, o needs one of a and b."""
    names = dict.fromkeys(name for key, needs in table.items() for name in [key.rstrip("|"), *needs.split()])
    nodes = {name: Named(name, either=f"{name}|" in table) for name in names}
    for key, needs in table.items():
        nodes[key.rstrip("|")].looks = [[nodes[name] for name in needs.split()]]
    return nodes


def names(found):
    return " ".join(node.name for node in found) if found is not None else None


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"a": ""}, None),
        ({"a": "a"}, "a"),
        ({"a": "b"}, None),
        ({"a": "b", "b": "a"}, "a b"),
        ({"a": "b", "b": "c", "c": "a"}, "a b c"),
        ({"a": "b c", "b": "d", "c": "d"}, None),  # a diamond
        ({"a": "b c", "b": "d", "c": "d", "d": "a"}, "a b d"),
        ({"a": "b", "b": "c", "c": "b"}, None),  # it leads to a circle, and is not in it
        ({"a": "b", "b": "c d", "c": "", "d": "a"}, "a b d"),  # needs all: one that is stuck is enough
        ({"a": "b c", "b": "d", "d": "a", "c": "a"}, "a c"),  # the shortest way back
        ({"a": "o", "o|": "b", "b": "a"}, "a o b"),
        ({"a": "o", "o|": "b c", "b": "a", "c": ""}, None),  # c can go on, and with it o
        ({"a": "o", "o|": "b c", "b": "a", "c": "a"}, "a o b"),
        ({"a": "o", "o|": ""}, None),
        ({"a": "o", "o|": "a"}, "a o"),
        ({"a": "o", "o|": "b c", "b": "a", "c": "d", "d": "c"}, "a o b"),  # c is stuck elsewhere
        ({"a": "o", "o|": "b c", "b": "a", "c": "o"}, "a o b"),  # c is held up by what it could free
        ({"a": "o", "o|": "b p", "b": "a", "p|": "c d", "c": "a", "d": ""}, None),
    ],
)
def test_the_way_back_over_nodes_that_are_all_stuck(table, expected):
    nodes = graph(table)
    assert names(circle(nodes["a"])) == expected


def test_what_went_on_between_two_looks_is_no_circle():
    for changed in ("a", "b", "c"):
        nodes = graph({"a": "b", "b": "c", "c": "a"})
        nodes[changed].looks.append([])
        assert circle(nodes["a"]) is None
    nodes = graph({"a": "b", "b": "c", "c": "a", "d": "a"})
    nodes["b"].looks.append([nodes["d"]])  # a circle again, but of other waits, which nobody has seen at the first look
    assert circle(nodes["a"]) is None


def test_a_circle_that_stands_at_both_looks_is_found_although_something_beside_it_went_on():
    nodes = graph({"a": "b c", "b": "d", "d": "a", "c": "a"})
    nodes["c"].looks.append([])
    assert names(circle(nodes["a"])) == "a b d"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["", "A", "", "B", ""], ("A", "B")),
        (["", "A", "(in f)", "", "B", "(in g)"], ("A (in f)", "B (in g)")),
        (["(in f)", "", "B", "(in g)", "", "A"], ("B (in g)", "A (in f)")),
        (["", "A", "A", "(in f)"], ("A (in f)",)),
        (["", "(in f)"], ("(in f)",)),
        ([""], ()),
    ],
)
def test_a_chain_names_who_waits_and_where_in_it(labels, expected):
    assert chain_of([Named(label) for label in labels]) == expected


# ---- against brute force ----------------------------------------------------------------------------------------------------

SIZE = 6


@st.composite
def graphs(draw):
    count = draw(st.integers(1, SIZE))
    nodes = [Named(f"n{number}", either=draw(st.booleans())) for number in range(count)]
    for node in nodes:
        node.looks = [draw(st.lists(st.sampled_from(nodes), max_size=3, unique=True))]
    return nodes


def holds_itself(nodes):
    """Whether none of these can go on before another of them does."""
    inside = set(nodes)
    for node in nodes:
        needs = node.looks[0]
        held = [need in inside for need in needs]
        if not needs or not (all(held) if node.either else any(held)):
            return False
    return True


def stuck_by_trial(nodes):
    """All that are in some set of nodes that hold one another up."""
    sets = itertools.chain.from_iterable(itertools.combinations(nodes, size) for size in range(1, len(nodes) + 1))
    return {node for held in sets if holds_itself(held) for node in held}


def leads_back(start, stuck):
    seen, todo = set(), [start]
    while todo:
        for need in todo.pop().looks[0]:
            if need is start:
                return True
            if need in stuck and need not in seen:
                seen.add(need)
                todo.append(need)
    return False


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_circles_are_found_exactly_where_trying_every_set_of_nodes_finds_them(nodes):
    stuck = stuck_by_trial(nodes)
    for start in nodes:
        found = circle(start)
        assert (found is not None) == (start in stuck and leads_back(start, stuck))
        if found is not None:
            assert found[0] is start
            assert set(found) <= stuck
            assert len(set(found)) == len(found)
            for node, following in zip(found, [*found[1:], start], strict=True):
                assert following in node.needs()


def test_a_long_chain_is_walked_without_recursion():
    nodes = [Named(str(number)) for number in range(5_000)]
    for node, following in itertools.pairwise(nodes):
        node.looks = [[following]]
    assert circle(nodes[0]) is None
    nodes[-1].looks = [[nodes[0]]]
    assert circle(nodes[0]) == nodes
