"""B6: what an idle conversation takes: a system prompt of 200 characters, one exchange of 62 and 129, its public object held.

Counted is the resident memory of the process, over what it had after the first hundred of them. `shared`: one system prompt for all;
else each has its own.
"""

import gc
from pathlib import Path

from measures import Meter

PROMPT = "Five surprising names for a pet pelican, and a word about each"
ANSWER = "Gulliver, who travels; Bill, for the beak; Scoop, for lunch; Percival, for his dignity; and Skipper, who has seen all the harbor."
SYSTEM = "You are an agent of a simulation of a town. You answer in one sentence, in the voice of the person you are. "
SYSTEM_LENGTH = 200
SHARED = SYSTEM.ljust(SYSTEM_LENGTH, "x")


def shared_system(number):
    return SHARED  # one object, as in a program that has a constant


def own_system(number):
    return f"{SYSTEM}You are number {number}.".ljust(SYSTEM_LENGTH, "x")


def own(text):
    """The same in a str of its own, as what a user says and a model answers is: a constant would be held once for all."""
    return text[:1] + text[1:]


def resident():
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


async def idle(peer, count, *, shared=True):
    """One pass: makes the conversations, and weighs them."""
    assert len(PROMPT) == 62
    assert len(ANSWER) == 129, len(ANSWER)
    system = shared_system if shared else own_system
    warm = await peer.talks(100, system)
    gc.collect()
    before = resident()
    meter = Meter()
    held = await peer.talks(count, system)
    cpu, _ = meter.read()
    gc.collect()
    size = (resident() - before) / count
    assert len(held) == count
    assert warm
    text = len(PROMPT) + len(ANSWER) + (0 if shared else SYSTEM_LENGTH)
    return {
        "conversations": count,
        "bytes": size,
        "beyond_text": size - text,
        "make_us": cpu / count * 1e6,
        "process_mb": resident() / 2**20,
    }
