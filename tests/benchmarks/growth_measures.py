"""B10: what a turn costs as one conversation grows, and a round as one chain does. The model answers at once: nothing goes over a wire.

A peer is a module of B6 with `turn(conversation)` and `chain(rounds, called)`: one chain with a tool in each round, that calls `called()`.
"""

import time

from idle_measures import shared_system
from measures import Meter

TURNS = (1, 10, 100, 1_000, 10_000)
ROUNDS = (10, 100, 1_000)
SAMPLE = 50


async def turns(peer, most):
    """CPU of a turn, up to `most`: over the fifty behind so many (at 1 and 10: as many as there were)."""
    [talk] = await peer.talks(1, shared_system)
    done, costs = 0, {}
    for count in (each for each in TURNS if each <= most):
        for _ in range(count - done):
            await peer.turn(talk)
        sample = min(SAMPLE, count)
        meter = Meter()
        for _ in range(sample):
            await peer.turn(talk)
        costs[f"at_{count}"] = meter.read()[0] / sample * 1e6
        done = count + sample
    return costs


async def rounds(peer, most):
    """CPU of a round, up to `most`: over the last tenth (at least five) of so many."""
    marks = []
    points = [each for each in ROUNDS if each <= most]
    await peer.chain(points[-1], lambda: marks.append(time.process_time()))
    assert len(marks) == points[-1], len(marks)
    costs = {}
    for count in points:
        sample = max(5, count // 10)
        costs[f"at_{count}"] = (marks[count - 1] - marks[count - 1 - sample]) / sample * 1e6
    return costs


JOBS = {"B10-turns": turns, "B10-rounds": rounds}
