"""`ScriptedServer`: an HTTP server for tests that does to the byte what a script says, in a process of its own.

    with ScriptedServer() as server:                                # speaks OpenAI chat completions by rule
        model = llm.endpoint("m", wire="openai-chat", base_url=server.base_url).async_model
        server.play(reply(429, {"error": {"message": "slow down"}}))  # the next request; the ones after it get the rule again
        ...
        assert server.open_requests() == 0

What can be scripted is in `script.py`, what is answered without a script in `wire_openai.py`.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from .script import Answer, Command, Forget, Play, Recorded, Release, Report, Seen, Setting

_PACKAGE_ROOT = str(Path(__file__).parents[2])
# The package's folder goes to the end of the path: at its head (as by PYTHONPATH) it could shadow the standard library.
_CHILD = "import sys; sys.path.append(sys.argv[1]); from llm_actors.testing.serving import main; main()"
_SEEN = msgspec.msgpack.Decoder(Seen | None)
_ENDS_WITHIN = 5.0


class ScriptedServer:
    """A server on 127.0.0.1 in a child process, which ends with the `with` block, and with this process however it ends.

    `answers` are played in order (see `play`); `key`: the Bearer token that the default answer wants to see, None for any; `pace`: seconds
    before each chunk of a default answer. Any thread. Methods block for a loopback round trip (well under a millisecond) unless they say
    that they wait; those have an async twin, since blocking the loop that should close a connection would wait for ever.
    """

    def __init__(self, *answers: Answer, key: str | None = None, pace: float = 0.0) -> None:
        self._answers = answers
        self._setting = Setting(key, pace)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = self._control = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts the process and waits until its ports are open. Raises `RuntimeError` if it does not come up."""
        command = [sys.executable, "-c", _CHILD, _PACKAGE_ROOT]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own code
        assert self._process.stdout is not None
        line = self._process.stdout.readline().split()
        if len(line) != 2:  # noqa: PLR2004 - the two ports
            self.close()
            msg = "the scripted server's process did not start: its message is on standard error"
            raise RuntimeError(msg)
        self._port, self._control = int(line[0]), int(line[1])
        self._tell(self._setting)
        self.play(*self._answers)

    def close(self) -> None:
        """Ends the process; waits for it. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def kill(self) -> None:
        """Kills the process (SIGKILL): a server that dies. The `with` block ends as usual."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT/v1`."""
        return f"{self.url}/v1"

    def play(self, *answers: Answer) -> None:
        """Adds answers to those not played yet."""
        self._tell(Play(list(answers)))

    def set(self, *, key: str | None = None, pace: float = 0.0) -> None:
        """The key to want, and the pace of default answers, from the next request on."""
        self._tell(Setting(key, pace))

    def release(self, gate: str) -> None:
        """Opens a gate: answers that wait at `Gate(gate)` go on, later ones pass."""
        self._tell(Release(gate))

    def forget(self) -> None:
        """Drops the answers not played yet, and the records of requests that are over."""
        self._tell(Forget())

    @property
    def requests(self) -> list[Recorded]:
        """Every request so far, in the order of arrival."""
        return self._report(Report()).requests

    def open_requests(self) -> int:
        """How many requests are being answered now."""
        return sum(request.open for request in self.requests)

    def connections(self) -> int:
        """How many connections were ever made."""
        return self._report(Report()).connections

    def open_connections(self) -> int:
        """How many connections are open now."""
        return self._report(Report()).open_connections

    def wait_until_idle(self, timeout: float = 5.0) -> list[Recorded]:
        """Waits until no request is open; gives the requests. Raises `TimeoutError` after `timeout` seconds."""
        return self._wait(Report(idle=True, timeout=timeout))

    def wait_for_requests(self, count: int, timeout: float = 5.0) -> list[Recorded]:
        """Waits until `count` requests have come; gives them. Raises `TimeoutError` after `timeout` seconds."""
        return self._wait(Report(requests=count, timeout=timeout))

    async def until_idle(self, timeout: float = 5.0) -> list[Recorded]:  # noqa: ASYNC109 - the twin's signature
        """`wait_until_idle` for async code."""
        return await asyncio.to_thread(self.wait_until_idle, timeout)

    async def until_requests(self, count: int, timeout: float = 5.0) -> list[Recorded]:  # noqa: ASYNC109 - the twin's signature
        """`wait_for_requests` for async code."""
        return await asyncio.to_thread(self.wait_for_requests, count, timeout)

    def _wait(self, report: Report) -> list[Recorded]:
        seen = self._report(report)
        if not seen.timely:
            still = [f"{request.method} {request.path}" for request in seen.requests if request.open]
            msg = f"after {report.timeout} s: {len(seen.requests)} requests came, open are {still}"
            raise TimeoutError(msg)
        return seen.requests

    def _report(self, report: Report) -> Seen:
        seen = self._tell(report)
        assert seen is not None
        return seen

    def _tell(self, command: Command) -> Seen | None:
        # A connection for each command: no lock, and so any thread. The socket's own timeout is a net below the command's.
        timeout = _ENDS_WITHIN + (command.timeout if isinstance(command, Report) else 0.0)
        with socket.create_connection(("127.0.0.1", self._control), timeout=timeout) as connection:
            data = msgspec.msgpack.encode(command)
            connection.sendall(len(data).to_bytes(4, "big") + data)
            with connection.makefile("rb") as file:
                size = int.from_bytes(file.read(4), "big")
                seen: Seen | None = _SEEN.decode(file.read(size))
                return seen
