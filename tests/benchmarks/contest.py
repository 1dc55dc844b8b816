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
    "raw": Environment(("httpx", "msgspec", "sniffio", "pykka", "httpx-aiohttp"), "import httpx, msgspec, pykka"),
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
    """A row of a table: the module in peers/ that runs in this environment."""

    name: str
    environment: str
    module: str
    options: tuple[str, ...] = ()


TALKERS = (
    Peer("raw asyncio + msgspec (the limit)", "raw", "raw_asyncio"),
    Peer("raw httpx + msgspec", "raw", "raw_httpx"),
    Peer(OURS, "ours", "llm_actors_peer"),
    Peer("raw httpx-aiohttp + msgspec", "raw", "raw_httpx_aiohttp"),
    Peer(OURS_FAST, "ours-fast", "llm_actors_peer"),
    Peer(f"{OURS_FAST}, uvloop", "ours-fast", "llm_actors_peer", ("uvloop",)),
    Peer("openai", "openai", "openai_sdk"),
    Peer("openai[aiohttp]", "openai-aiohttp", "openai_sdk_aiohttp"),
    Peer("llm", "llm", "llm_peer"),
    Peer("pydantic-ai", "pydantic-ai", "pydantic_ai_peer"),
    Peer("openai-agents", "openai-agents", "openai_agents_peer"),
    Peer("autogen", "autogen", "autogen_peer"),
)
ACTORS = (
    Peer("asyncio queue + task (by hand)", "raw", "actors_raw"),
    Peer(OURS, "ours", "actors_llm_actors"),
    Peer("Pykka ThreadingActor", "raw", "actors_pykka"),
    Peer("autogen-core", "autogen", "actors_autogen"),
    Peer("Ray actors", "ray", "actors_ray"),
)
IDLE = (
    Peer("list of dicts (by hand)", "raw", "idle_dicts"),
    Peer(OURS, "ours", "idle_llm_actors"),
    Peer("llm", "llm", "idle_llm"),
    Peer("pydantic-ai", "pydantic-ai", "idle_pydantic_ai"),
    Peer("autogen", "autogen", "idle_autogen"),
)
IMPORTS = tuple(
    Peer(name, environment, "")
    for name, environment in (
        ("httpx + msgspec + pykka", "raw"),
        (OURS, "ours"),
        ("openai", "openai"),
        ("llm", "llm"),
        ("pydantic-ai", "pydantic-ai"),
        ("openai-agents", "openai-agents"),
        ("autogen", "autogen"),
    )
)


class Benchmark(NamedTuple):
    """A table: its rows, its columns (figure -> heading), and the figure that the picture shows."""

    title: str
    peers: tuple[Peer, ...]
    columns: dict[str, str]
    shown: str


STREAM = {"cpu_us": "CPU us a chunk", "wall_s": "wall s"}
BENCHMARKS = {
    "B1": Benchmark("one stream of 20,000 chunks", TALKERS, {**STREAM, "rss_mb": "peak MB"}, "cpu_us"),
    "B2": Benchmark(
        "200 streams at once, 100 chunks each",
        TALKERS,
        {**STREAM, "first_p50_ms": "first chunk p50 ms", "first_p99_ms": "p99 ms", "stall_ms": "longest stall ms"},
        "cpu_us",
    ),
    "B3": Benchmark(
        "1,000 short requests at once",
        TALKERS,
        {"cpu_us": "CPU us a request", "wall_s": "wall s", "connections": "connections opened"},
        "cpu_us",
    ),
    "B4-50": Benchmark(
        "50 paced streams, a chunk each 20 ms",
        TALKERS,
        {"cpu_us": "CPU us a chunk", "late_p50_ms": "late p50 ms", "late_p99_ms": "late p99 ms"},
        "cpu_us",
    ),
    "B4-500": Benchmark(
        "500 paced streams, a chunk each 20 ms",
        TALKERS,
        {
            "cpu_us": "CPU us a chunk",
            "wall_s": "wall s (1.0 s long)",
            "late_p50_ms": "late p50 ms",
            "late_p99_ms": "late p99 ms",
        },
        "cpu_us",
    ),
    "B5-async": Benchmark(
        "200 tool loops at once, an async tool of 50 ms",
        TALKERS,
        {"wall_s": "wall s", "cpu_ms": "CPU ms a loop", "stall_ms": "longest stall ms"},
        "wall_s",
    ),
    "B5-sync": Benchmark(
        "200 tool loops at once, a sync tool of 50 ms",
        TALKERS,
        {"wall_s": "wall s", "cpu_ms": "CPU ms a loop", "stall_ms": "longest stall ms"},
        "wall_s",
    ),
    "B6-shared": Benchmark(
        "an idle conversation, one system prompt for all",
        IDLE,
        {"bytes": "bytes each (RSS)", "make_us": "CPU us to make"},
        "bytes",
    ),
    "B6-own": Benchmark(
        "an idle conversation, a system prompt of its own",
        IDLE,
        {"bytes": "bytes each (RSS)", "make_us": "CPU us to make"},
        "bytes",
    ),
    "B7-ask": Benchmark(
        "asks between actors",
        ACTORS,
        {
            "ask_us": "CPU us, one by one",
            "asks_per_s": "a second",
            "piped_ask_us": "CPU us, 1,000 at once",
            "piped_asks_per_s": "a second",
        },
        "piped_ask_us",
    ),
    "B7-tell": Benchmark("tells to an actor", ACTORS, {"tell_us": "CPU us", "tells_per_s": "a second"}, "tell_us"),
    "B7-life": Benchmark(
        "start, stop and weight of an idle actor",
        ACTORS,
        {
            "actors": "actors",
            "start_us": "start, CPU us",
            "stop_us": "stop, CPU us",
            "stop_all_s": "all stopped, s",
            "bytes": "heap bytes each",
        },
        "start_us",
    ),
    "B8": Benchmark("import", IMPORTS, {"cpu_ms": "CPU ms", "wall_ms": "wall ms", "disk_mb": "installed MB"}, "cpu_ms"),
    "B9": Benchmark(
        "the first answer of a fresh process",
        TALKERS[1:],
        {"cpu_ms": "CPU ms", "wall_ms": "wall ms"},
        "wall_ms",
    ),
    "B10": Benchmark(
        "cost of a turn as a conversation grows, no wire",
        tuple(peer for peer in IDLE if peer.name in (OURS, "llm")),
        {"at_10": "CPU us a turn after 10", "at_1000": "after 1,000", "at_5000": "after 5,000"},
        "at_5000",
    ),
}
