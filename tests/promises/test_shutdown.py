"""S1, in whole programs: a system that is shut down with a hundred turns in flight leaves no task, thread or socket."""

import secrets

from llm_actors.testing import Answer, Gate, Send, Stall, chunk, head
from tests.promises.test_implicit_end import end_of, start

COUNTING = """
def sockets():
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found += "socket" in os.readlink(f"/proc/self/fd/{name}")
    return found

def threads(count):
    "How many there are, once those are gone that are through: the system takes a moment for each."
    until = time.monotonic() + 5
    while threading.active_count() > count and time.monotonic() < until:
        time.sleep(0.001)
    return threading.active_count()

entered, release, go = [], threading.Event(), threading.Event()

def hang(number: int) -> str:
    entered.append(number)
    release.wait()

def slow(number: int) -> str:
    entered.append(number)
    while not llm.cancelled():
        time.sleep(0.005)
    return "told"

async def slow_too(number: int) -> str:
    entered.append(number)
    await asyncio.Event().wait()

def quick(number: int) -> str:
    entered.append(number)
    go.wait()
    return "quick"

def call(name, number):
    return f'call {name} {{"number": {number}}}'

def sent(model):
    "30 streams, 10 of which end; 30 in tools, 10 of which end; 10 in sync tools that hang; 30 queued."
    conversations = [model.conversation() for _ in range(3)]
    streams = [conversation.prompt("stalls") for conversation in conversations]
    streams += [model.prompt("stalls") for _ in range(17)]
    tools = [model.chain(call(tool.__name__, n), tools=[tool]) for tool in (slow, slow_too, hang) for n in range(10)]
    queued = [conversation.prompt("queued") for conversation in conversations for _ in range(10)]
    ends = [model.prompt("ends") for _ in range(10)]
    ends += [model.chain(call("quick", n), tools=[quick]) for n in range(10)]
    return conversations, ends, [*streams, *tools, *queued]

def told(report):
    print(report.finished, report.cancelled, {call.tool for call in report.abandoned}, len(report.abandoned), report.silent)

def cut(responses):
    return {type(response.error).__name__ for response in responses}

def stuck(report):
    by_name = {thread.name: thread for thread in threading.enumerate()}
    return all(by_name[call.thread].daemon and call.seconds > 0 for call in report.abandoned)
"""


def streams(gate):
    delta = b'data: {"choices": [{"index": 0, "delta": {"content": "half"}}]}\n\n'
    rest = (
        b'data: {"choices": [{"index": 0, "delta": {"content": " done"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    )
    begun = [Send(head()), Send(chunk(delta))]
    return [
        Answer([*begun, Stall()], body="stalls", times=20),
        Answer([*begun, Gate(gate), Send(chunk(rest)), Send(chunk(b""))], body="ends", times=10),
    ]


def played(program, server):
    """What the program says; the streams that end go on when it says that it drains."""
    gate = secrets.token_hex(4)  # one that was opened stays open
    server.play(*streams(gate))
    with start(COUNTING + program, server) as process:
        assert process.stdout.readline() == "draining\n", process.communicate()[1]
        server.release(gate)
        said = end_of(process)
    server.wait_until_idle()
    assert server.open_connections() == 0
    stalled = [request for request in server.requests if b"stalls" in request.body and b"next" not in request.body]
    assert [request.closed_early for request in stalled] == [True] * 20
    return said


def test_an_async_program_shuts_down_with_a_hundred_turns_in_flight(server):
    """S1: `shutdown(drain=seconds)` takes no new mail, lets turns finish, then cancels; leaves no task, thread or socket behind."""
    said = played(
        """
async def main():
    tasks = len(asyncio.all_tasks())
    before = sockets(), threading.active_count()
    system = llm.ActorSystem()
    with system:
        conversations, ends, left = sent(model)
        for response in [*ends[:10], *left[:20]]:
            async for _ in response:
                break
        while len(entered) < 40:
            await asyncio.sleep(0.001)
        assert len(ends) + len(left) == 100
        ending = system.shutdown(drain=2)
        print("draining", flush=True)
        go.set()
        try:
            model.prompt("new mail")
        except llm.SystemShutdownError:
            refused = "refused"
        report = await ending
        print(refused)
        told(report)
        print(*sorted({await response.text() for response in ends}, key=len)[:1], cut(left))
    print(len(asyncio.all_tasks()) - tasks, sockets() - before[0])
    print(threads(before[1] + 10) - before[1], stuck(report))
    async with llm.ActorSystem():  # the server refuses a history that is not valid
        for conversation in conversations:
            print(await conversation.prompt("next").text())
    release.set()
    async with asyncio.timeout(5):
        while threading.active_count() > before[1]:  # they come back by way of the loop
            await asyncio.sleep(0.001)
    print(threads(before[1]) - before[1], sockets() - before[0], len(asyncio.all_tasks()) - tasks)
asyncio.run(main())
        """,
        server,
    )
    assert " ".join(said) == (
        "refused 20 80 {'hang'} 10 () half done {'SystemShutdownError'} 0 0 10 True "
        "echo: next echo: next echo: next 0 0 0"
    )


def test_a_program_without_a_loop_shuts_down_with_a_hundred_turns_in_flight(server):
    """S1: ... threads stuck in a user's code are daemon, named in the returned report, and don't hold the interpreter."""
    said = played(
        """
before = sockets(), threading.active_count()
system = llm.ActorSystem(drain=2)
with system:
    conversations, ends, left = sent(sync_model)
    for response in [*ends[:10], *left[:20]]:
        next(iter(response))
    while len(entered) < 40:
        time.sleep(0.001)
    ending = system.shutdown()
    print("draining", flush=True)
    go.set()
    try:
        sync_model.prompt("new mail")
    except llm.SystemShutdownError:
        refused = "refused"
    report = ending.get(timeout=20)
    print(refused)
    told(report)
    print(*sorted({response.text() for response in ends}, key=len)[:1], cut(left))
print(threads(before[1] + 10) - before[1], stuck(report), sockets() - before[0])
# The ten are left to hang: the interpreter ends all the same.
        """,
        server,
    )
    assert " ".join(said) == "refused 20 80 {'hang'} 10 () half done {'SystemShutdownError'} 10 True 0"
