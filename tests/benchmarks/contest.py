"""Who is measured in what: environments, peers and benchmarks as data. A library more is a row more here and a module in peers/."""

from typing import NamedTuple

OURS = "llm_actors"
OURS_FAST = "llm_actors[fast]"


class Environment(NamedTuple):
    """A virtual environment: what pip installs into it, and what its import benchmark imports. `{repository}` is this checkout."""

    packages: tuple[str, ...]
    imports: str


ENVIRONMENTS = {
    "ours": Environment(("{repository}",), "import llm_actors"),
    "ours-fast": Environment(("{repository}[fast]",), "import llm_actors"),
    "raw": Environment(("httpx", "msgspec", "sniffio", "pykka", "httpx-aiohttp", "uvloop"), ""),
    "parts": Environment(("httpx", "msgspec", "sniffio", "pykka"), "import httpx, msgspec, pykka"),
    "openai": Environment(("openai",), "import openai"),
    "openai-aiohttp": Environment(("openai[aiohttp]",), "import openai"),
    "llm": Environment(("llm",), "import llm"),
    "pydantic-ai": Environment(("pydantic-ai-slim[openai]",), "import pydantic_ai"),
    "openai-agents": Environment(("openai-agents",), "import agents"),
    "autogen": Environment(
        ("autogen-agentchat", "autogen-ext[openai]"),
        "import autogen_agentchat.agents, autogen_ext.models.openai",
    ),
    "ray": Environment(("ray",), "import ray"),
}


class Peer(NamedTuple):
    """A row of a table: the module in peers/ that runs in this environment.

    `options`: for the worker. `against`: the row of ours that it is compared with. `many`: how many, where the benchmark counts something.
    """

    name: str
    environment: str
    module: str
    options: tuple[str, ...] = ()
    against: str = OURS
    many: int = 0


LIMIT = "raw asyncio + msgspec (the limit)"
RAW = "raw httpx + msgspec"
RAW_FAST = "raw httpx-aiohttp + msgspec"
LIBRARIES = ("openai", "openai[aiohttp]", "llm", "pydantic-ai", "openai-agents", "autogen")
TALKERS = (
    Peer(LIMIT, "raw", "raw_asyncio"),
    Peer(RAW, "raw", "raw_httpx"),
    Peer(OURS, "ours", "llm_actors_peer"),
    Peer(RAW_FAST, "raw", "raw_httpx_aiohttp", against=OURS_FAST),
    Peer(OURS_FAST, "ours-fast", "llm_actors_peer", against=OURS_FAST),
    Peer(f"{RAW_FAST}, uvloop", "raw", "raw_httpx_aiohttp", ("uvloop",), f"{OURS_FAST}, uvloop"),
    Peer(f"{OURS_FAST}, uvloop", "ours-fast", "llm_actors_peer", ("uvloop",), f"{OURS_FAST}, uvloop"),
    Peer("openai", "openai", "openai_sdk"),
    Peer("openai[aiohttp]", "openai-aiohttp", "openai_sdk_aiohttp", against=OURS_FAST),
    Peer("llm", "llm", "llm_peer"),
    Peer("pydantic-ai", "pydantic-ai", "pydantic_ai_peer"),
    Peer("openai-agents", "openai-agents", "openai_agents_peer"),
    Peer("autogen", "autogen", "autogen_peer"),
)
THREADING = "Pykka ThreadingActor"
ACTORS = (
    Peer("asyncio queue + task (by hand)", "raw", "actors_raw", many=20_000),
    Peer(OURS, "ours", "actors_llm_actors", many=100_000),
    Peer(THREADING, "raw", "actors_pykka", many=2_000),
    Peer("autogen-core", "autogen", "actors_autogen", many=10_000),
    Peer("Ray actors", "ray", "actors_ray", many=4),
)
MANY, MILLION = f"{OURS}, 100,000 of them", f"{OURS}, 1,000,000 of them"
IDLE = (
    Peer("list of dicts (by hand)", "raw", "idle_dicts", many=10_000),
    Peer(OURS, "ours", "idle_llm_actors", many=10_000),
    Peer(MANY, "ours", "idle_llm_actors", many=100_000),
    Peer(MILLION, "ours", "idle_llm_actors", many=1_000_000),
    Peer("llm", "llm", "idle_llm", many=10_000),
    Peer("pydantic-ai", "pydantic-ai", "idle_pydantic_ai", many=1_000),
    Peer("autogen", "autogen", "idle_autogen", many=1_000),
)
GROWING = tuple([peer._replace(many=10_000) for peer in IDLE if peer.name in (OURS, "llm")])
PARTS = "httpx + msgspec + pykka"
IMPORTS = tuple(
    [
        Peer(name, environment, "")
        for name, environment in (
            (PARTS, "parts"),
            (OURS, "ours"),
            (OURS_FAST, "ours-fast"),
            ("openai", "openai"),
            ("llm", "llm"),
            ("pydantic-ai", "pydantic-ai"),
            ("openai-agents", "openai-agents"),
            ("autogen", "autogen"),
        )
    ]
)
TASKS, OURS_HALVES, TASKS_HALVES = "asyncio tasks", f"{OURS}, two processes", "asyncio tasks, two processes"
AGENTS = (
    Peer(TASKS, "ours", "agents_asyncio", ("processes=1",), many=1_000_000),
    Peer(OURS, "ours", "agents_llm_actors", ("processes=1",), many=1_000_000),
    Peer(TASKS_HALVES, "ours", "agents_asyncio", ("processes=2",), OURS_HALVES, 1_000_000),
    Peer(OURS_HALVES, "ours", "agents_llm_actors", ("processes=2",), OURS_HALVES, 1_000_000),
)


class Benchmark(NamedTuple):
    """A table: its rows, its columns (figure -> heading), and the figure that the picture shows."""

    title: str
    peers: tuple[Peer, ...]
    columns: dict[str, str]
    shown: str


MORE_IS_BETTER = frozenset({"asks_per_s", "piped_asks_per_s", "tells_per_s"})
COUNTS = frozenset({"actors", "conversations", "agents"})
"""Figures that say how many were measured."""
NOT_COMPARED = COUNTS | {"stop_all_s", "process_mb"}
"""Neither better nor worse: how many there are, and what all of them come to."""

STREAM = {"cpu_us": "CPU us a chunk", "wall_s": "wall s", "rss_mb": "peak MB"}
STREAMS = {**STREAM, "first_p50_ms": "first chunk p50 ms", "first_p99_ms": "p99 ms", "stall_ms": "longest stall ms"}
PACED = {"cpu_us": "CPU us a chunk", "wall_s": "wall s", "late_p50_ms": "late p50 ms", "late_p99_ms": "late p99 ms"}
TOOLS = {"wall_s": "wall s", "cpu_ms": "CPU ms a loop", "stall_ms": "longest stall ms"}
WEIGHT = {
    "conversations": "conversations",
    "bytes": "bytes each (RSS)",
    "beyond_text": "beyond its text",
    "process_mb": "process MB",
    "make_us": "CPU us to make",
}
ASKS = {
    "ask_us": "CPU us, one by one",
    "asks_per_s": "a second",
    "piped_ask_us": "CPU us, 1,000 at once",
    "piped_asks_per_s": "a second",
}
LIVES = {
    "actors": "actors",
    "start_us": "start, CPU us",
    "stop_us": "stop, CPU us",
    "stop_all_s": "all stopped, s",
    "bytes": "bytes each (heap; Ray: of its process)",
}
TURNS = {
    f"at_{count}": f"{'CPU us a turn at ' if count == 1 else ''}{count:,}" for count in (1, 10, 100, 1_000, 10_000)
}
ROUNDS = {f"at_{count}": f"{'CPU us a round at ' if count == 10 else ''}{count:,}" for count in (10, 100, 1_000)}
SIMULATION = {
    "agents": "agents",
    "seconds": "seconds",
    "peak_mb": "peak MB, all processes",
    "cpu_us": "CPU us an agent",
    "flight_bytes": "bytes in flight each",
}
BENCHMARKS = {
    "B1": Benchmark("one stream of 20,000 chunks", TALKERS, STREAM, "cpu_us"),
    "B2": Benchmark("200 streams at once, 100 chunks each", TALKERS, STREAMS, "cpu_us"),
    "B3": Benchmark(
        "1,000 short requests at once, the second time",
        TALKERS,
        {"cpu_us": "CPU us a request", "wall_s": "wall s", "connections": "connections opened", "rss_mb": "peak MB"},
        "cpu_us",
    ),
    "B4-50": Benchmark("50 paced streams, a chunk each 20 ms, 1.0 s long", TALKERS, PACED, "cpu_us"),
    "B4-500": Benchmark("500 paced streams, a chunk each 20 ms, 1.0 s long", TALKERS, PACED, "cpu_us"),
    "B5-async": Benchmark("200 tool loops at once, an async tool of 50 ms", TALKERS, TOOLS, "wall_s"),
    "B5-sync": Benchmark("200 tool loops at once, a sync tool of 50 ms", TALKERS, TOOLS, "wall_s"),
    "B6-shared": Benchmark("an idle conversation, one system prompt for all", IDLE, WEIGHT, "bytes"),
    "B6-own": Benchmark("an idle conversation, a system prompt of its own", IDLE, WEIGHT, "bytes"),
    "B7-ask": Benchmark("asks between actors", ACTORS, ASKS, "piped_ask_us"),
    "B7-tell": Benchmark("tells to an actor", ACTORS, {"tell_us": "CPU us", "tells_per_s": "a second"}, "tell_us"),
    "B7-life": Benchmark("start, stop and weight of an idle actor", ACTORS, LIVES, "start_us"),
    "B8": Benchmark("import", IMPORTS, {"cpu_ms": "CPU ms", "wall_ms": "wall ms", "disk_mb": "installed MB"}, "cpu_ms"),
    "B9": Benchmark(
        "the first answer of a fresh process", TALKERS, {"cpu_ms": "CPU ms", "wall_ms": "wall ms"}, "wall_ms"
    ),
    "B10-turns": Benchmark("cost of a turn as a conversation grows, no wire", GROWING, TURNS, "at_1000"),
    "B10-rounds": Benchmark("cost of a round as a chain grows, no wire", GROWING, ROUNDS, "at_1000"),
    "B11-one": Benchmark("the simulation, one call for each agent", AGENTS, SIMULATION, "seconds"),
    "B11-two": Benchmark("the simulation, two calls for each agent", AGENTS, SIMULATION, "seconds"),
}
