"""Who waits for whom, as a graph, and the circles in it. Pure: nothing here waits, locks or runs.

A node is somebody who can't go on (a handler, a tool, a loop that is blocked) or something that has not happened yet (a wait's end, an
answer, a turn's end). `needs()` says what has to happen first, as things stand now. Most nodes need all of it; an `either` node one of
it, as the reader of a stream to which several tools write.

A node is stuck when nothing can happen any more that lets it go on: one that needs all, when one of them is stuck, one that needs
either, when all of them are. A wait closes a circle when it is stuck and is one of those it waits for.

Others go on while we look, and no lock holds them. So what was found stuck is looked at once more, and that alone: whatever was there both
times was there at one time in between, because each part of it, once over, never comes again. What is stuck stays stuck, so nothing that
was found can be wrong by the time it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias


class Node(Protocol):
    """See the head of this file. Equal nodes are one node."""

    @property
    def either(self) -> bool:
        """One of what it needs is enough."""
        ...

    def needs(self) -> Sequence[Node]:
        """What has to happen before it can go on; nothing when it can, or when we do not know. Any thread."""
        ...

    def label(self) -> str:
        """Its name in a chain; empty where it has none to show. One that begins with `(` is put behind the one before it."""
        ...


Edges: TypeAlias = Mapping[Node, Sequence[Node]]


def circle(start: Node) -> list[Node] | None:
    """The shortest way from `start` back to it over nodes that are all stuck, `start` first; None where there is none."""
    edges = _reached(start)
    if not any(start in needs for needs in edges.values()):
        return None
    stuck = _stuck(edges)
    if start not in stuck:
        return None
    again = {node: node.needs() for node in stuck}
    return _way_back(start, again, _stuck(again))


def chain_of(circle: Sequence[Node]) -> tuple[str, ...]:
    """The names along a circle: who waits, each for the next and the last for the first."""
    names = [label for node in circle if (label := node.label())]
    first = next((place for place, name in enumerate(names) if not name.startswith("(")), 0)
    chain: list[str] = []
    for name in [*names[first:], *names[:first]]:
        if name.startswith("(") and chain:
            chain[-1] += f" {name}"
        elif not chain or chain[-1] != name:
            chain.append(name)
    return tuple(chain)


def _reached(start: Node) -> dict[Node, Sequence[Node]]:
    """What each node that can be reached needs."""
    edges: dict[Node, Sequence[Node]] = {}
    todo = [start]
    while todo:
        node = todo.pop()
        if node not in edges:
            edges[node] = needs = node.needs()
            todo += needs
    return edges


def _stuck(edges: Edges) -> dict[Node, None]:
    """The largest set of nodes that hold one another up. In the order of `edges`: nothing depends on hashes."""
    left = dict.fromkeys(edges)
    free: list[Node] = [node for node in left if not _is_held(node, edges[node], left)]
    while free:
        for node in free:
            del left[node]
        free = [node for node in left if not _is_held(node, edges[node], left)]
    return left


def _is_held(node: Node, needs: Sequence[Node], stuck: Mapping[Node, None]) -> bool:
    return bool(needs) and (all if node.either else any)(need in stuck for need in needs)


def _way_back(start: Node, edges: Edges, stuck: Mapping[Node, None]) -> list[Node] | None:
    """Breadth first."""
    if start not in stuck:
        return None
    came_from: dict[Node, Node] = {}
    row: Iterable[Node] = [start]
    while row:
        following: list[Node] = []
        for node in row:
            for need in edges[node]:
                if need == start:
                    return _traced(start, node, came_from)
                if need in stuck and need not in came_from:
                    came_from[need] = node
                    following.append(need)
        row = following
    return None


def _traced(start: Node, last: Node, came_from: Mapping[Node, Node]) -> list[Node]:
    way = [last]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
