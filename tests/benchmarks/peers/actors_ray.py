"""Ray's async actors: a process each, on this machine."""

import os
import re

os.environ.update(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled")

import tempfile
from pathlib import Path

import ray

ASKS = 500


@ray.remote(num_cpus=0)
class Echo:
    async def take(self, message):
        return message


async def start(count):
    if not ray.is_initialized():
        folder = tempfile.mkdtemp(prefix="ray", dir=tempfile.gettempdir())
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=80 * 2**20,
            log_to_driver=False,
            logging_level="ERROR",
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
    actors = [Echo.remote() for _ in range(count)]
    for actor in actors:
        await actor.take.remote("hi")
    return actors


async def ask(actor, message):
    return await actor.take.remote(message)


def tell(actor, message):
    actor.take.remote(message)


async def stop(actors):
    for actor in actors:
        ray.kill(actor)


def weigh():
    """The memory of the actors' processes, what they share counted once for all (PSS)."""
    size = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(b"ray::Echo"):
                found = re.search(r"Pss:\s+(\d+) kB", (process / "smaps_rollup").read_text("ascii"))
                size += int(found[1]) * 1024
        except OSError:  # it has ended
            continue
    return size
