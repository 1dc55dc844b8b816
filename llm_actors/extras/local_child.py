"""The program that runs the embedded model: xllamacpp's own server in a process of its own.

    above it   local_process.py starts it, as a plain file, and reads what it says
    below it   xllamacpp (llama.cpp's server, an OpenAI wire on loopback); nothing of this package, so that it starts fast
    siblings   local_engine.py (slots, restarts, idle), local.py (the models)

One line of JSON on stdin says what to do (a `Settings`); the line holds the key, so that `ps` does not show it. The answer is one
line on stdout: `@ready URL` once the model is loaded, or `@failed KIND TEXT`. stdin then stays open: its end is the parent's end.
Three things end this process when its parent dies, however it dies: the end of stdin, the kernel (Linux), and a look at the parent's
number each second (where a forked sibling keeps stdin open and the kernel offers nothing).

It uses threading and signals directly: it is a program, not a part of the library.
"""

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any, NoReturn

PARENT_CHECK = 1.0
"""Seconds between two looks at the parent."""

_PR_SET_PDEATHSIG = 1  # prctl(2)


def say(word: str, text: str = "") -> None:
    """One line for the parent, in one write and on a line of its own: native code may have left an unfinished one."""
    line = f"\n@{word} {' '.join(text.split())}\n"
    os.write(1, line.encode("utf-8", "backslashreplace"))


def fail(kind: str, text: str) -> NoReturn:
    """Says why nothing will come, and ends. `kind`: `import` or `load`."""
    say("failed", f"{kind} {text}")
    os._exit(3)


def die_with(parent: int) -> None:
    """Ties this process's life to its parent's, as far as this system can."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C at a terminal cancels an answer: it is not meant for the engine
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.name == "posix" and os.getppid() != parent:
        os._exit(0)


def end_with_stdin() -> None:
    """Blocks until the parent closes our stdin or is gone, then ends the process at once: there is nothing to save."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def engine() -> Any:
    """The engine's module; what goes wrong with it is an answer, not a traceback."""
    try:
        import xllamacpp  # noqa: PLC0415 - a large library of native code: only here, where its failure can be told
    except ImportError as error:
        fail("import", str(error))
    return xllamacpp


def load(settings: dict[str, Any]) -> Any:
    """The running server. `settings`: as the `Settings` of local_process.py, and the key."""
    xllamacpp = engine()
    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.model_alias = {settings["alias"]}
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["slots"] * settings["context"]  # shared out evenly among the slots
    params.n_predict = settings["answer"]
    params.sampling.temp, params.sampling.top_p = settings["temperature"], settings["top_p"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.hostnames = ["127.0.0.1"]
    params.port = settings["port"]
    params.api_keys = [settings["key"]]
    params.cors_origins, params.cors_credentials = "", False  # no page in a browser has business here
    params.ui = False
    params.offline = True
    params.cache_ram_mib = settings["cache"]  # its own default, 8 GiB, is the machine's memory
    params.verbosity = 1  # errors only; they are what the parent shows when nothing comes
    if settings["template"] is not None:
        params.chat_template = settings["template"]
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        fail("load", str(error))


def main() -> None:
    """Reads the settings, loads, says where, and waits for the end."""
    settings = json.loads(sys.stdin.buffer.readline())
    die_with(settings["parent"])
    sys.path.extend(entry for entry in settings["path"] if entry not in sys.path)
    if settings["model"] is None:  # the question is only whether the engine is there
        engine()
        say("ready")
        return
    threading.Thread(target=end_with_stdin, daemon=True).start()
    server = load(settings)
    say("ready", server.listening_address)
    while os.name != "posix" or os.getppid() == settings["parent"]:
        threading.Event().wait(PARENT_CHECK)
    os._exit(0)


if __name__ == "__main__":
    main()
