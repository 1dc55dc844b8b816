"""One child process that runs the embedded engine: started, listened to, ended.

    above it   local_engine.py: when to start one, when to end it
    below it   local_child.py: the program it runs

threading: a process is started and listened to by a thread of its own that lives as long as the process (Linux ties the child's life
to the thread that forked it, so it must not be a passing one). The pipes are bare file descriptors: a forked copy of us has to close its
copies without the locks that file objects carry.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from llm_actors.errors import EngineError, redact
from llm_actors.messages import Secret
from llm_actors.runtime import Future

TAIL_LINES = 40
"""How many of the child's last lines are kept for the text of an error."""

_LINE_LIMIT = 500
_STOP_GRACE = 2.0  # seconds; the child ends within milliseconds of losing its stdin
_PROGRAM = Path(__file__).with_name("local_child.py")
_LOG_PREFIX = re.compile(r"^[\d.]+ [EW] +")  # llama.cpp's time stamp and level


@dataclass(frozen=True)
class Settings:
    """What a child is started with.

    `context`: tokens a slot; `answer`: tokens of an answer whose prompt gives no `max_tokens` (a small model that repeats itself would
    fill its context); `temperature`, `top_p`: where the prompt gives none; `cache`: MiB for prompts it has seen; `template`: of the
    chat, in Jinja, None for the model's own.
    """

    model: Path
    alias: str
    template: str | None = None
    slots: int = 4
    context: int = 2048
    answer: int = 1024
    temperature: float = 0.8
    top_p: float = 0.95
    threads: int = 1
    cache: int = 256
    port: int = 0


class EngineProcess:
    """A child process and what it says. Any thread.

    `answered` is set once it is loaded or has failed; then `error` is None or the reason. `gone` is set when the process has ended and
    been reaped; `on_gone` is called then, once, in the listening thread.
    """

    def __init__(self, settings: Settings, on_gone: Callable[["EngineProcess"], None]) -> None:
        self.settings = settings
        self.key = Secret(secrets.token_urlsafe(32))
        self.address = ""
        self.error: str | None = None
        self.stopping = False
        self.answered: Future[None] = Future()
        self.gone = threading.Event()
        self._on_gone = on_gone
        self._popen: subprocess.Popen[bytes] | None = None
        self._failed: str | None = None
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._lock = threading.Lock()
        self._stdin = self._stdout = -1

    @property
    def pid(self) -> int | None:
        """The process's number; None before it has started."""
        return None if self._popen is None else self._popen.pid

    def start(self) -> None:
        """Begins to start it; `answered` tells how that went. Raises `RuntimeError` when the interpreter is shutting down."""
        threading.Thread(target=self._run, name=f"llm_actors local engine {self.settings.alias}", daemon=True).start()

    def check(self) -> None:
        """Raises `EngineError` if it has failed or ended."""
        if self.error is not None:
            raise EngineError(self.error)

    def stop(self, reason: str = "it was stopped") -> None:
        """Ends the process and waits until it is reaped (at most a few seconds). Idempotent."""
        with self._lock:
            self.stopping = True
            self._failed = self._failed or reason
            if self._popen is not None:
                self._close_stdin()
        if not self.gone.wait(_STOP_GRACE) and self._popen is not None:
            self._popen.kill()
            self.gone.wait(_STOP_GRACE)

    def forget(self) -> None:
        """In a forked copy of the parent: lets go of the process, which is not ours."""
        for end in (self._stdin, self._stdout):
            if end >= 0:
                os.close(end)
        self._stdin = self._stdout = -1
        if self._popen is not None:
            self._popen.returncode = 0  # else its __del__ warns of a running child, and would reap somebody else's

    def _run(self) -> None:
        try:
            self._spawn()
            self._listen()
        except OSError as error:
            self._failed = self._failed or f"could not start {sys.executable or 'Python'}: {error}"
        finally:
            self._end()

    def _spawn(self) -> None:
        if not sys.executable:
            msg = "sys.executable is empty: this interpreter is embedded"
            raise OSError(msg)
        down, self._stdin = os.pipe()
        self._stdout, up = os.pipe()
        try:
            popen = subprocess.Popen(  # noqa: S603 - this interpreter and a file of ours
                [sys.executable, "-P", str(_PROGRAM)],
                stdin=down,
                stdout=up,
                stderr=up,
                cwd=_PROGRAM.parent,  # ours may be gone, or be unmounted later
                process_group=0 if os.name == "posix" else None,  # a Ctrl-C for us is not for it
            )
        finally:
            os.close(down)
            os.close(up)
        with self._lock:
            self._popen = popen
            if self.stopping:
                self._close_stdin()
            else:
                self._write(self._first_line())

    def _first_line(self) -> bytes:
        fields = asdict(self.settings) | {
            "model": str(self.settings.model),
            "key": self.key.reveal(),
            "parent": os.getpid(),
            "path": _search_path(),
        }
        return json.dumps(fields).encode() + b"\n"

    def _write(self, line: bytes) -> None:
        try:
            while line:
                line = line[os.write(self._stdin, line) :]
        except BrokenPipeError:
            self._tail.append("it did not read its settings")  # it has ended: its own last words follow

    def _listen(self) -> None:
        rest = b""
        while data := os.read(self._stdout, 65536):
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-_LINE_LIMIT:]
            for line in lines:
                self._heard(line[:_LINE_LIMIT].decode("utf-8", "replace").strip())

    def _heard(self, line: str) -> None:
        word, _, text = line.partition(" ")
        if word == "@ready":
            self.address = text
            if not self.stopping:  # one that is told to end while it loads may get there first
                self.answered.set(None)
        elif word == "@failed":
            self._failed = self._failed or text
        elif line:
            self._tail.append(_LOG_PREFIX.sub("", line))

    def _end(self) -> None:
        code = None if self._popen is None else self._popen.wait()
        with self._lock:
            self._close_stdin()
            if self._stdout >= 0:
                os.close(self._stdout)
                self._stdout = -1
        self.error = redact(_explain(self.settings, self._failed, code, list(self._tail)), self.key.reveal())
        self._on_gone(self)
        self.gone.set()
        if not self.answered.done():
            self.answered.set(None)

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1


def _explain(settings: Settings, failed: str | None, code: int | None, tail: list[str]) -> str:
    """Why there is no engine, and what to do about it."""
    who = f"the local engine of {settings.alias}"
    said = f" It said: {' | '.join(tail[-6:])}" if tail else ""
    if failed is None:
        return f"{who} crashed ({_ending(code)}); the next prompt starts it again.{said}"
    kind, _, text = failed.partition(" ")
    if kind == "import":
        return f"{who} can't be loaded: {_advice(text)}"
    if kind != "load":
        return f"{who} is not running: {failed}.{said}"
    if any("couldn't bind" in line for line in tail):
        return f"{who} did not start: port {settings.port} of 127.0.0.1 is taken. Port 0 picks a free one."
    return f"{who} did not load {settings.model}.{said or ' ' + text}"


def _ending(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"{name}: killed by somebody, or for lack of memory" if name == "SIGKILL" else name


def _search_path() -> list[str]:
    """Where this interpreter finds packages: a program may have added to it what the environment doesn't tell the child."""
    return [entry for entry in sys.path if Path(entry).is_absolute()]


def import_problem() -> str | None:
    """Why the engine can't be loaded by this interpreter, and what to do; None if it can. Blocks for about a tenth of a second."""
    question = json.dumps({"model": None, "parent": os.getpid(), "path": _search_path()}).encode() + b"\n"
    command = [sys.executable, "-P", str(_PROGRAM)]
    asked = subprocess.run(command, input=question, capture_output=True, check=False)  # noqa: S603 - as above
    said = asked.stdout.decode("utf-8", "replace")
    if "@ready" in said:
        return None
    _, found, text = said.partition("@failed import ")
    return (
        _advice(text.strip())
        if found
        else f"{_ending(asked.returncode)}: {asked.stderr.decode('utf-8', 'replace')[-_LINE_LIMIT:]}"
    )


def _advice(text: str) -> str:
    """What to do about an ImportError of the engine with this text."""
    if "libgomp" in text:
        return (
            f"{text}. Install the OpenMP runtime: `apt-get install libgomp1` (Debian, Ubuntu) or `dnf install libgomp`."
        )
    again = "`pip install 'llm-actors[local]'`"
    if "No module named" in text:
        return f"{text}. Install it with {again}."
    return f"{text}. xllamacpp has wheels for Linux with glibc (x86-64, ARM), macOS 13+ and Windows: {again}."
