"""The real model for the page's programs: its weights, and a server of its engine's makers with nothing of ours in between."""

import json
import subprocess
import sys
import urllib.request
from importlib import resources
from pathlib import Path

import pytest

from tests.extras.conftest import CACHE, gguf

__all__ = ["gguf"]


class RealServer:
    """xllamacpp's OpenAI-compatible server on loopback, in a process of its own."""

    def __init__(self, gguf, folder, length):
        template = folder / "tools.jinja"
        template.write_text(resources.files("llm_actors.extras").joinpath("tools.jinja").read_text("utf-8"), "utf-8")
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("llama_serve.py")), str(gguf), str(template), str(length)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self.url = self._stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), "it did not start: its message is on standard error"
        self.base_url = f"{self.url}/v1"

    def busy(self):
        """How many answers it is writing."""
        return sum(slot["is_processing"] for slot in json.loads(self._get("/slots")))

    def tokens(self):
        """How many tokens it has read (also from its cache) and written since it started."""
        lines = [line.split() for line in self._get("/metrics").splitlines() if line.startswith("llamacpp:")]
        counts = {name.removeprefix("llamacpp:"): float(value) for name, value in lines}
        read = counts["prompt_tokens_total"] + counts["prompt_tokens_cached_total"]
        return int(read), int(counts["tokens_predicted_total"])

    def _get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read().decode()

    def close(self):
        self._stdin.close()
        self._process.wait(10)
        self._stdout.close()


def _server(length):
    @pytest.fixture(scope="module")
    def server(gguf, tmp_path_factory):
        server = RealServer(gguf, tmp_path_factory.mktemp("server"), length)
        yield server
        server.close()

    return server


real_server = _server(40)  # tokens of an answer
calling_server = _server(150)  # room for the longest call


@pytest.fixture
def weights(gguf, monkeypatch):
    """Has programs find the weights."""
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(CACHE))
