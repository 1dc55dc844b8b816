"""Where histories part and meet: the place that a fork begins at, and what was said on one side since."""

from __future__ import annotations

from collections.abc import Callable

from .history import NOT_EXECUTED, Entry, History, Link, Replaced, Returned, Said, Withdrawn


def settled(history: History) -> History:
    """The history up to the last thing that can't be taken back: what a fork in mid-turn begins with.

    Of the turn that runs, that is all up to its last answer or tool result. What was said to the model and has come to nothing yet stays
    out, because the turn may still be withdrawn: the prompt, what was steered in, what `messages=` or a compaction put in place of the
    past. Any thread; O(1) in the length of the past.
    """
    head = history.head
    if head is None or not head.entry.turn:
        return History(head)
    turn = head.entry.turn
    answered = _back(head, turn, lambda entry: isinstance(entry, Said | Replaced))
    # A prompt that goes on without the calls left open answers these: that is taken back with it. At the end of a turn it stays.
    opening = _back(answered, turn, _is_not_run)
    produced = opening is not None and opening.entry.turn == turn
    return History(answered if produced else opening)


def _back(link: Link | None, turn: str, passes: Callable[[Entry], bool]) -> Link | None:
    while link is not None and link.entry.turn == turn and passes(link.entry):
        link = link.before
    return link


def _is_not_run(entry: Entry) -> bool:
    return type(entry) is Returned and entry.part.exception == NOT_EXECUTED


def said_since(branch: History, trunk: History) -> list[Entry]:
    """What counts of the branch behind the last place it shares with the trunk (their beginning, if they share nothing), oldest first.

    Found by identity of the links, so it holds whatever both say. Raises ValueError where the branch began anew since: that is no sequel.
    Any thread; O(n).
    """
    shared = _links(trunk)
    entries: list[Entry] = []
    withdrawn: set[str] = set()
    link = branch.head
    while link is not None and id(link) not in shared:
        entry = link.entry
        if type(entry) is Withdrawn:
            withdrawn.add(entry.turn)
        elif entry.turn not in withdrawn or not entry.turn:
            if type(entry) is not Replaced:
                entries.append(entry)
            elif not entry.compacted:
                msg = "its history began anew after the fork (messages=, replace(), from_dict()): there is no sequel to merge"
                raise ValueError(msg)
        link = link.before
    entries.reverse()
    return entries


def unheard(entries: list[Entry], trunk: History) -> list[Entry]:
    """Those of them that the trunk does not hold already: what was merged before is not merged again."""
    held: dict[str, list[Entry]] = {}
    for link in _links(trunk).values():
        held.setdefault(link.entry.turn, []).append(link.entry)
    # By value, not by identity: a link may make its entry anew at each look. What two turns said alike differs in the turn.
    return [entry for entry in entries if entry not in held.get(entry.turn, ())]


def _links(history: History) -> dict[int, Link]:
    found: dict[int, Link] = {}
    link = history.head
    while link is not None:
        found[id(link)] = link
        link = link.before
    return found
