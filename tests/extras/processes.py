"""Programs of their own, and the end of processes that aren't our children."""

import os
import select
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.complaints import complaints

ACQUIRES = """
import asyncio, os, sys
from pathlib import Path
from llm_actors.extras.local_engine import engine_of

engine = engine_of(Path(sys.argv[1]), "smollm2-135m")
"""


def start(text, *arguments, **options):
    """A program with pipes; `text` follows the lines that make `engine` from its first argument."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", ACQUIRES + textwrap.dedent(text), *map(str, arguments)]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen(command, **options)


def run(text, *arguments, **options):
    """What it wrote; it has to end well, and silently."""
    with start(text, *arguments, **options) as process:
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert complaints(err) == ""
    return out


class Watched:
    """A process that isn't our child, held by a descriptor so that its number can't be anybody else's."""

    def __init__(self, pid):
        self._descriptor = os.pidfd_open(int(pid))

    def gone(self, within):
        ended = bool(select.select([self._descriptor], [], [], within)[0])
        if ended:
            os.close(self._descriptor)
        return ended


def children(pid):
    """The numbers of the processes that it started. From /proc: a small system has no `ps`."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def alive(pid):
    """Neither gone nor waiting to be reaped by somebody else."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"
