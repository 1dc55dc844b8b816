"""Runs a program in a process of its own, as a user would, but with every warning an error."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.complaints import complaints

PROGRAMS = Path(__file__).parent / "programs"
PLUGIN = Path(__file__).parent / "plugin"

TOOLS = {
    "async_tool": "hello",
    "async_tool_in_sync_code": "hello",
    "chain_stream": "upper",
    "sync_chain": "upper",
    "sync_chain_stream": "upper",
    "sync_tool_in_async_code": "upper",
    "conversation_tools": "search_web",
    "sync_conversation_tools": "search_web",
    "whole": "celsius_to_fahrenheit",
    "sync_whole": "celsius_to_fahrenheit",
}
"""The programs with a tool, and its name."""
PROMPTS = ("text", "sync_text", "conversation", "sync_conversation", "on_done", "sync_on_done")
"""Those that ask a model without one."""


def run(path, *, cwd, timeout=150, text=None, stdin="", ignore="", **environment):
    """What it wrote to stdout. It has to end well and to write nothing to stderr but what `ignore` fits.

    `text`: in place of what the file holds; `stdin`: what is typed.
    """
    if text is not None:
        path = Path(cwd) / path.name
        path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(path)],
        cwd=cwd,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | environment,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    said = re.sub(ignore, "", complaints(done.stderr))
    assert (done.returncode, said) == (0, ""), f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def program(name):
    return PROGRAMS / f"{name}.py"


def with_model(name, model_id):
    """The program's text, with another model id and no other change."""
    return re.sub(r'(get(?:_async)?_model\()"gpt-[^"]+"', rf'\1"{model_id}"', program(name).read_text("utf-8"))


class Observed:
    """The observer records of a program that finds the plugin."""

    def __init__(self, folder, **environment):
        self._file = Path(folder) / "records.jsonl"
        path = os.pathsep.join(filter(None, [str(PLUGIN), os.environ.get("PYTHONPATH")]))
        self.environment = {"PYTHONPATH": path, "PAGE_RECORDS": str(self._file), **environment}

    def __call__(self, kind):
        lines = self._file.read_text("utf-8").splitlines()
        return [record for record in map(json.loads, lines) if record["kind"] == kind]
