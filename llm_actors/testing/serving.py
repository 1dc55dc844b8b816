"""The scripted server's own process: HTTP/1.1 over bare asyncio, so that every byte, pause and reset is the script's.

    Connection   one TCP connection: cuts requests out of the bytes, has one answer at a time played (player.py)
    ServingStage what all connections share
    main()       binds two ports of 127.0.0.1 (HTTP, control), prints them, runs until its standard input closes

A process of its own, because a server on the loop under test would hide that loop's stalls, and one in a thread would share its lock. The
control port takes commands of `script.py` as length-prefixed MessagePack, one connection each.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable

import msgspec

from .player import Player, Stage
from .script import Command, Forget, Play, Recorded, Release, Report, Seen, Setting

_CONTROL = msgspec.msgpack.Decoder(Command)


class ServingStage(Stage):
    """What all connections share, and who waits for a report of it."""

    def __init__(self) -> None:
        super().__init__()
        self.connections: set[Connection] = set()
        self.connections_made = 0
        self._changed: set[asyncio.Event] = set()

    def changed(self) -> None:
        """Wakes whoever waits for a report."""
        for event in self._changed:
            event.set()

    async def obey(self, command: Command) -> Seen | None:
        """Carries out one command of the test's process."""
        if isinstance(command, Setting):
            self.setting = command
        elif isinstance(command, Play):
            self.play(command.answers)
        elif isinstance(command, Release):
            self.gate(command.name).set()
        elif isinstance(command, Forget):
            self.forget()
        else:
            return await self._report(command)
        return None

    async def _report(self, command: Report) -> Seen:
        event = asyncio.Event()
        self._changed.add(event)
        timely = True
        try:
            async with asyncio.timeout(command.timeout):
                while not self._fits(command):
                    event.clear()
                    await event.wait()
        except TimeoutError:
            timely = self._fits(command)
        finally:
            self._changed.discard(event)
        return Seen(self.recorded, self.connections_made, len(self.connections), timely)

    def _fits(self, command: Report) -> bool:
        busy = command.idle and any(request.open for request in self.recorded)
        return len(self.recorded) >= command.requests and not busy


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, stage: ServingStage) -> None:
        self.stage = stage
        self.bytes = bytearray()
        self.player: asyncio.Task[None] | None = None
        self.current: Recorded | None = None
        self.ended_by_script = False
        self.writable = asyncio.Event()
        self.writable.set()
        stage.connections_made += 1
        self.number = stage.connections_made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Joins the stage."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.stage.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Leaves the stage; an answer still being played is cut short."""
        self.stage.connections.discard(self)
        if self.player is not None and self.current is not None and not self.ended_by_script:
            self.current.closed_early = True
            self.player.cancel()
        self.stage.changed()

    def pause_writing(self) -> None:
        """The client reads more slowly than the script writes."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """Collects a request; starts its answer when it is whole."""
        self.bytes += data
        if self.player is None:
            self._next_request()

    def _next_request(self) -> None:
        request = take_request(self.bytes, self.number)
        if request is None:
            return
        self.stage.recorded.append(request)
        self.current = request
        self.player = asyncio.get_running_loop().create_task(
            Player(self.stage, self, request).play(self.stage.next_answer(request))
        )
        self.player.add_done_callback(self._played)
        self.stage.changed()

    def _played(self, task: asyncio.Task[None]) -> None:
        assert self.current is not None
        self.current.open = False
        self.player = self.current = None
        self.stage.changed()
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            traceback.print_exception(fault)
            self.transport.abort()
        elif not self.transport.is_closing():
            self._next_request()

    # ---- player.Wire

    async def write(self, data: bytes) -> None:
        """Sends bytes; returns when the client has kept up."""
        self.transport.write(data)
        await self.writable.wait()

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self.transport.is_closing()

    def end(self, *, reset: bool) -> None:
        """FIN behind what was written, or RST."""
        self.ended_by_script = True
        if reset:
            # A linger time of zero makes close() send RST (socket(7), SO_LINGER).
            raw: socket.socket = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self.transport.close()


def take_request(data: bytearray, connection: int) -> Recorded | None:
    """Cuts the first whole request out of `data`; None when it is not whole yet. The body has a content-length, or there is none."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = data[:end].decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    stop = end + 4 + int(headers.get("content-length", "0"))
    if len(data) < stop:
        return None
    body = bytes(data[end + 4 : stop])
    del data[:stop]
    return Recorded(method, path, headers, body, time.time(), connection)


async def _control(stage: ServingStage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        size = int.from_bytes(await reader.readexactly(4), "big")
        seen = await stage.obey(_CONTROL.decode(await reader.readexactly(size)))
        answer = msgspec.msgpack.encode(seen)
        writer.write(len(answer).to_bytes(4, "big") + answer)
        await writer.drain()
    finally:
        writer.close()


async def serve(ready: Callable[[int, int], object], ended: asyncio.Event) -> None:
    """Serves until `ended`; calls `ready(port, control_port)` when both ports are open."""
    stage = ServingStage()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(stage), "127.0.0.1", 0, backlog=4096)
    control = await asyncio.start_server(lambda reader, writer: _control(stage, reader, writer), "127.0.0.1", 0)
    ready(server.sockets[0].getsockname()[1], control.sockets[0].getsockname()[1])
    await ended.wait()
    server.close()
    control.close()
    for connection in list(stage.connections):
        connection.transport.abort()


def _tell_ports(port: int, control: int) -> None:
    sys.stdout.write(f"{port} {control}\n")
    sys.stdout.flush()


def main() -> None:
    """Serves until standard input closes: when the test's process is gone, however it went, so is this one."""
    # Ctrl-C reaches the whole foreground group: the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def run() -> None:
        ended = asyncio.Event()

        class Parent(asyncio.Protocol):
            def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
                ended.set()

        await asyncio.get_running_loop().connect_read_pipe(Parent, sys.stdin)
        await serve(_tell_ports, ended)

    asyncio.run(run())
