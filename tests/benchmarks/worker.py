"""One peer does one benchmark once, in the environment of that peer: `python worker.py PEER BENCHMARK URL`; prints its figures as JSON."""

import asyncio
import importlib
import json
import sys

import actor_measures
import idle_measures
import measures


async def work(name, benchmark, url):
    peer = importlib.import_module(f"peers.{name}")
    if benchmark in actor_measures.JOBS:
        return await actor_measures.JOBS[benchmark](peer)
    if benchmark.startswith("B6"):
        _, kind, count = benchmark.split("-")
        return await idle_measures.idle(peer, int(count), shared=kind == "shared")
    if benchmark == "B10":
        return await idle_measures.growth(peer)
    await peer.open_peer(url)
    try:
        if benchmark == "B9":
            await measures.read_all(peer.talk("burst-5"))
            return {}
        await measures.read_all(peer.talk("burst-5"))
        await peer.talk("short").ask("hi")
        return await measures.JOBS[benchmark](peer)
    finally:
        await peer.close_peer()


def main(arguments):
    name, benchmark, url, *options = arguments
    runner = asyncio.run
    if "uvloop" in options:
        import uvloop

        runner = uvloop.run
    print(json.dumps(runner(work(name, benchmark, url))))


if __name__ == "__main__":
    main(sys.argv[1:])
