"""What is measured, for any peer: each function does one benchmark's work once and gives its figures as a dict.

A peer is a module with `open_peer(url)`, `close_peer()` and `talk(model)`, which gives a conversation of its own that keeps its history:

    stream(text)     async iterator of pieces of text            ask(text)    the whole answer, not streamed
    chain(text, tool)    the answer after the tool it asks for was called

`FIRST_REQUESTS`: how many it is asked before B3 counts, where 1,000 take minutes and leave nothing behind (a client made for each prompt).

CPU is the process's user and system time over all threads, wall is CLOCK_MONOTONIC. What is made once in a process (imports, the first
client, the CA certificates) is made by a first short exchange, before anything is counted.
"""

import asyncio
import json
import resource
import time
import urllib.request

TEXT = "Five surprising names for a pet pelican"
WORD = " pelicans"
SHORT = "Pelicans are large birds."
"""What the server says: the chunks of its streams, and its answer where it does not stream."""


class Stalls:
    """How late the loop is at worst: a timer each 5 ms."""

    def __init__(self):
        self.worst = 0.0
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + 0.005
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self):
        now = self._loop.time()
        self.worst = max(self.worst, now - self._due)
        self._due = now + 0.005
        self._timer = self._loop.call_at(self._due, self._look)

    def stop(self):
        self._timer.cancel()
        return self.worst * 1000


class Meter:
    """CPU and wall time from its making on."""

    def __init__(self):
        self.cpu = time.process_time()
        self.wall = time.monotonic()

    def read(self):
        return time.process_time() - self.cpu, time.monotonic() - self.wall


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def read_all(talk, chunks):
    """Reads one stream, whose text must be what the server said; how long the first piece took."""
    began = time.monotonic()
    first = None
    said = []
    async for piece in talk.stream(TEXT):
        if first is None and piece:
            first = time.monotonic() - began
        said.append(piece)
    assert "".join(said) == WORD * chunks, f"{len(said)} pieces, {''.join(said)[:80]!r}"
    return first


async def long_stream(peer, chunks=20_000):
    """B1: one stream."""
    meter = Meter()
    await read_all(peer.talk(f"burst-{chunks}"), chunks)
    cpu, wall = meter.read()
    return {"cpu_us": cpu / chunks * 1e6, "wall_s": wall, "rss_mb": rss()}


async def many_streams(peer, streams=200, chunks=100):
    """B2: many streams at once."""
    stalls, meter = Stalls(), Meter()
    firsts = await asyncio.gather(*[read_all(peer.talk(f"burst-{chunks}"), chunks) for _ in range(streams)])
    cpu, wall = meter.read()
    return {
        "cpu_us": cpu / (streams * chunks) * 1e6,
        "wall_s": wall,
        "first_p50_ms": percentile(firsts, 0.5) * 1000,
        "first_p99_ms": percentile(firsts, 0.99) * 1000,
        "stall_ms": stalls.stop(),
        "rss_mb": rss(),
    }


async def short_requests(peer, requests=1000):
    """B3: many short requests at once, the second time round."""
    await asyncio.gather(*[peer.talk("short").ask(TEXT) for _ in range(getattr(peer, "FIRST_REQUESTS", requests))])
    meter = Meter()
    answers = await asyncio.gather(*[peer.talk("short").ask(TEXT) for _ in range(requests)])
    cpu, wall = meter.read()
    assert answers == [SHORT] * requests
    return {"cpu_us": cpu / requests * 1e6, "wall_s": wall, "rss_mb": rss()}


async def paced_streams(peer, streams=50, chunks=50, step=20):
    """B4: paced streams; lateness is from the moment a chunk was due to the moment its text is in the caller's hands."""

    async def follow(talk):
        late = []
        async for piece in talk.stream(TEXT):
            now = time.monotonic()
            late += [now - float(due) for due in piece.split()]
        return late

    stalls, meter = Stalls(), Meter()
    late = [
        each
        for one in await asyncio.gather(*[follow(peer.talk(f"paced-{chunks}-{step}")) for _ in range(streams)])
        for each in one
    ]
    cpu, wall = meter.read()
    assert len(late) == streams * chunks, len(late)
    return {
        "cpu_us": cpu / (streams * chunks) * 1e6,
        "wall_s": wall,
        "late_p50_ms": percentile(late, 0.5) * 1000,
        "late_p99_ms": percentile(late, 0.99) * 1000,
        "stall_ms": stalls.stop(),
    }


async def tool_loops(peer, loops=200, blocking=False):
    """B5: prompt, a tool of 50 ms, answer; `blocking`: the tool is a plain function."""

    async def lookup(key: str) -> str:
        """Looks up a key."""
        await asyncio.sleep(0.05)
        return f"{key}: large"

    def lookup_blocking(key: str) -> str:
        """Looks up a key."""
        time.sleep(0.05)
        return f"{key}: large"

    lookup_blocking.__name__ = "lookup"
    tool = lookup_blocking if blocking else lookup
    stalls, meter = Stalls(), Meter()
    answers = await asyncio.gather(*[peer.talk("tool").chain(TEXT, tool) for _ in range(loops)])
    cpu, wall = meter.read()
    assert answers == [WORD * 5] * loops, answers[:2]
    return {"cpu_ms": cpu / loops * 1000, "wall_s": wall, "stall_ms": stalls.stop()}


async def check(peer, url):
    """Whether a peer does the job: its answers are those of the server, and what it sends next has what was said before, in order."""

    def last():
        with urllib.request.urlopen(f"{url}/last", timeout=10) as answer:
            messages = json.load(answer)["messages"]
        return [(message["role"], text_of(message)) for message in messages if message["role"] != "system"]

    def lookup(key: str) -> str:
        """Looks up a key."""
        return f"{key}: large"

    talk = peer.talk("short")
    assert await talk.ask("one") == SHORT
    assert await talk.ask("two") == SHORT
    assert last() == [("user", "one"), ("assistant", SHORT), ("user", "two")], last()
    talk = peer.talk("burst-5")
    await read_all(talk, 5)
    await read_all(talk, 5)
    assert last() == [("user", TEXT), ("assistant", WORD * 5), ("user", TEXT)], last()
    talk = peer.talk("tool")
    assert await talk.chain("one", lookup) == WORD * 5
    chained = [("user", "one"), ("assistant", ""), ("tool", "pelican: large")]
    assert last() == chained, last()
    assert await talk.chain("two", lookup) == WORD * 5
    assert last() == [*chained, ("assistant", WORD * 5), ("user", "two")], last()
    return {}


def text_of(message):
    """The text of a message, however the peer writes it."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def rss():
    """The most this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


JOBS = {
    "B1": long_stream,
    "B2": many_streams,
    "B3": short_requests,
    "B4-50": paced_streams,
    "B4-500": lambda peer: paced_streams(peer, streams=500),
    "B5-async": tool_loops,
    "B5-sync": lambda peer: tool_loops(peer, blocking=True),
}
