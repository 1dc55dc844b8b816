"""One peer does one benchmark once, in the environment of that peer; prints its figures as JSON.

python worker.py PEER BENCHMARK URL COUNT [OPTION...]
"""

import asyncio
import importlib
import json
import sys

import actor_measures
import agent_measures
import growth_measures
import idle_measures
import measures


async def work(name, benchmark, url, count, options):
    peer = importlib.import_module(f"peers.{name}")
    if benchmark in actor_measures.JOBS:
        return await actor_measures.JOBS[benchmark](peer, count)
    if benchmark.startswith("B6"):
        return await idle_measures.idle(peer, count, shared=benchmark == "B6-shared")
    if benchmark in growth_measures.JOBS:
        return await growth_measures.JOBS[benchmark](peer, count)
    if benchmark.startswith("B11"):
        return await agent_measures.JOBS[benchmark](peer, name, count, options)
    await peer.open_peer(url)
    try:
        if benchmark == "check":
            return await measures.check(peer, url)
        if benchmark == "B9":
            await measures.read_all(peer.talk("burst-5"), 5)
            return {}
        await measures.read_all(peer.talk("burst-5"), 5)
        await peer.talk("short").ask("hi")
        return await measures.JOBS[benchmark](peer)
    finally:
        await peer.close_peer()


def main(arguments):
    name, benchmark, url, count, *options = arguments
    runner = asyncio.run
    if "uvloop" in options:
        import uvloop

        runner = uvloop.run
    print(json.dumps(runner(work(name, benchmark, url, int(count), options))))


if __name__ == "__main__":
    main(sys.argv[1:])
