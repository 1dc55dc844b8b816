"""B7 and the actors' part of B6: asks, tells, starts and stops, for any actor library.

A peer is a module with `start(count)`, `ask(actor, message)`, `tell(actor, message)`, `stop(actors)`; it is measured with as many actors
as it bears in a few seconds (contest.py). All actors echo. `ASKS`: how many asks, where 5,000 would take minutes. `weigh()`:
the bytes of all actors alive, where they are not in this process's heap.
"""

import asyncio
import gc
import tracemalloc

from measures import Meter


async def asks(peer, most):
    """One ask after the other, then as many at once as there are actors (at most 1,000)."""
    count = getattr(peer, "ASKS", 5_000)
    actors = await peer.start(min(1_000, most))
    assert await peer.ask(actors[0], "hi") == "hi"
    meter = Meter()
    for _ in range(count):
        await peer.ask(actors[0], "hi")
    sequential, wall = meter.read()
    at_once = getattr(peer, "ask_all", None)
    waves = max(1, count // len(actors))
    meter = Meter()
    for _ in range(waves):
        if at_once is not None:
            await at_once(actors, "hi")
        else:
            await asyncio.gather(*[peer.ask(actor, "hi") for actor in actors])
    pipelined, wall_at_once = meter.read()
    await peer.stop(actors)
    done = waves * len(actors)
    return {
        "ask_us": sequential / count * 1e6,
        "asks_per_s": count / wall,
        "piped_ask_us": pipelined / done * 1e6,
        "piped_asks_per_s": done / wall_at_once,
    }


async def tells(peer, most):
    """Messages that nobody waits for, and one ask behind them."""
    count = 4 * getattr(peer, "ASKS", 5_000)
    [actor] = await peer.start(1)
    await peer.ask(actor, "hi")
    meter = Meter()
    for number in range(count):
        peer.tell(actor, "hi")
        if number % 500 == 499:
            await peer.ask(actor, "hi")
    await peer.ask(actor, "hi")
    cpu, wall = meter.read()
    await peer.stop([actor])
    return {"tell_us": cpu / count * 1e6, "tells_per_s": count / wall}


async def lives(peer, most):
    """Start and stop of as many, and what an idle one takes."""
    warm = await peer.start(1)
    meter = Meter()
    actors = await peer.start(most)
    started, _ = meter.read()
    meter = Meter()
    await peer.stop(actors)
    stopped, wall = meter.read()
    await peer.stop(warm)
    del actors
    gc.collect()
    sample = min(2_000, most)
    tracemalloc.start()
    warm = await peer.start(1)
    before = tracemalloc.get_traced_memory()[0]
    actors = await peer.start(sample)
    gc.collect()
    size = (tracemalloc.get_traced_memory()[0] - before) / sample
    tracemalloc.stop()
    if hasattr(peer, "weigh"):
        size = peer.weigh() / (1 + sample)
    await peer.stop([*warm, *actors])
    return {
        "start_us": started / most * 1e6,
        "stop_us": stopped / most * 1e6,
        "stop_all_s": wall,
        "actors": most,
        "bytes": size,
    }


JOBS = {"B7-ask": asks, "B7-tell": tells, "B7-life": lives}
