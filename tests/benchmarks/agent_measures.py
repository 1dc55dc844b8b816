"""B11: the published simulation (AgentScope, arXiv 2407.17789, section 4.2): so many agents, each waits a second and draws a number.

The dummy, as in the paper, has no LLM inside: it waits one second, really, by a timer of the loop, and says a number from 0 to 100 drawn by
a seeded generator. An agent is asked once or twice, and keeps what was said. Agents begin as soon as they are made, with a turn of the loop
between each hundred; all are held to the end, and then the history of each is looked at. A peer is a module with `World(calls, draw)`:

    start(number)     a new agent is asked; gives what `finish()` takes       history(number)    its messages
    finish(started)   waits for its answers                                  in_flight()        an agent whose answer does not come

Each run is in processes of its own, that take as many agents each. `seconds` are those of the whole, from before the first process is
started until the last has ended; `peak_mb` is the sum of what each had at most.
"""

import asyncio
import gc
import json
import random
import sys
import time
from collections import deque
from pathlib import Path

from idle_measures import resident
from measures import Meter, rss

WAVE = 100
ASKED = ("Draw a number from 0 to 100.", "Draw another one.")
HERE = Path(__file__).resolve().parent
IN_FLIGHT = 5_000


async def simulate(peer, count, calls, seed=1):
    """All agents, in this process."""
    drawn = random.Random(seed)
    world = peer.World(calls, lambda: drawn.randrange(101))
    waves = deque()
    meter = Meter()
    for first in range(0, count, WAVE):
        waves.append((time.monotonic(), [world.start(number) for number in range(first, min(first + WAVE, count))]))
        await asyncio.sleep(0)
        while waves and time.monotonic() - waves[0][0] > 1.1 * calls:
            await _finish(world, waves)
    while waves:
        await _finish(world, waves)
    total = sum(_checked(world.history(number), calls) for number in range(count))
    cpu, wall = meter.read()
    peak = rss()
    return {"seconds": wall, "cpu_s": cpu, "peak_mb": peak, "mean": total / count / calls}


async def _finish(world, waves):
    for started in waves.popleft()[1]:
        await world.finish(started)


def _checked(messages, calls):
    """The sum of what an agent was told; its history must be what was said, no more and no less."""
    said = [(message.role, message.text) for message in messages]
    assert [each for each in said if each[0] == "user"] == [("user", text) for text in ASKED[:calls]], said
    answers = [text for role, text in said if role == "assistant"]
    assert len(said) == 2 * calls == 2 * len(answers), said
    return sum(int(text) for text in answers)


async def flight(peer):
    """Bytes (RSS) of an agent with its turn in flight, beyond what the first thousand left behind."""
    world = peer.World(1, lambda: 0)
    held = [world.in_flight(number) for number in range(1_000)]
    await _settled()
    before = resident()
    held += [world.in_flight(number) for number in range(IN_FLIGHT)]
    await _settled()
    size = (resident() - before) / IN_FLIGHT
    await world.drop(held)
    return {"flight_bytes": size}


async def _settled():
    for _ in range(20):
        await asyncio.sleep(0)
    gc.collect()


async def halves(peer, name, count, calls, options):
    """The whole run, in as many processes as the options say."""
    del peer
    processes = next(int(option.removeprefix("processes=")) for option in options if option.startswith("processes="))
    began = time.monotonic()
    parts = await asyncio.gather(*[_child(name, f"B11-part-{calls}", count // processes) for _ in range(processes)])
    seconds = time.monotonic() - began
    weight = await _child(name, "B11-flight", 0)
    return {
        "agents": count,
        "seconds": seconds,
        "peak_mb": sum(part["peak_mb"] for part in parts),
        "cpu_us": sum(part["cpu_s"] for part in parts) / count * 1e6,
        "mean": sum(part["mean"] for part in parts) / processes,
        **weight,
    }


async def _child(name, job, count):
    command = (HERE / "worker.py", name, job, "-", str(count))
    child = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    said, _ = await child.communicate()
    assert child.returncode == 0, f"{name} {job} ended with {child.returncode}"
    return json.loads(said.splitlines()[-1])


JOBS = {
    "B11-one": lambda peer, name, count, options: halves(peer, name, count, 1, options),
    "B11-two": lambda peer, name, count, options: halves(peer, name, count, 2, options),
    "B11-part-1": lambda peer, _, count, __: simulate(peer, count, 1),
    "B11-part-2": lambda peer, _, count, __: simulate(peer, count, 2),
    "B11-flight": lambda peer, _, __, ___: flight(peer),
}
