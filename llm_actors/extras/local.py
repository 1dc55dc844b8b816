"""The embedded models: `local/smollm2-135m`, and `local:PATH` for any other GGUF file.

    above it   the catalogue calls register() by the entry point `local` of the group `llm_actors`
    below it   local_engine.py (the server), weights.py (the files), the OpenAI wire like for any other server

What is special about them is data: a dialect that always streams, and for the small one a tool call that is forced.
"""

from collections.abc import Callable
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llm_actors import ModelWithAliases, endpoint
from llm_actors.errors import EngineError, ModelError
from llm_actors.messages import Secret
from llm_actors.providers.protocol import Server, Timeouts

from . import weights
from .local_engine import Engine, engine_of
from .local_process import Settings

PREFIX = "local:"
"""What follows it in a model id is the path of a GGUF file."""

ALIASES = ("smollm2-135m", "smollm2")

SMALL_MODEL = {"answer": 256, "temperature": 0.7, "top_p": 0.9}
"""Fields of its engine's `Settings`: what counts where a prompt has no options of its own. 256 tokens are some 200 words, in about 5
seconds; what it says after that is repetition. The model's card has temperature 0.2: with it 4 of 4 answers to the README's prompt ended
repeating a letter or a name. A repeat penalty cures that too, but then words of the prompt are not copied into a tool's arguments."""

# First byte: one thread reads about a hundred tokens of a prompt in a second.
_TIMEOUTS = Timeouts(connect=10.0, first_byte=600.0, idle=120.0)


class InstalledEngine:
    """The engine of weights that may not be installed yet; a `providers.protocol.Server`. Any thread, any loop."""

    def __init__(self, name: str, template: str | None) -> None:
        self.name = name
        self.template = template
        self._engine: Engine | None = None

    async def acquire(self) -> tuple[str, Secret | None]:
        """As `Engine.acquire`. Raises `EngineError` that names the command when the weights are not there."""
        if self._engine is None:
            path = weights.installed(self.name)
            if path is None:
                msg = f"the weights of {self.name} are not installed: `llm-actors models install {self.name}` fetches them, once."
                raise EngineError(msg)
            self._engine = engine_of(path, self.name, template=self.template, **SMALL_MODEL)
        return await self._engine.acquire()

    def release(self) -> None:
        """As `Engine.release`."""
        if self._engine is not None:
            self._engine.release()

    def died(self) -> ModelError | None:
        """As `Engine.died`."""
        return None if self._engine is None else self._engine.died()

    def __repr__(self) -> str:
        return f"InstalledEngine({self.name!r})"


def ready() -> bool:
    """Whether `local/smollm2-135m` can be used as it stands: engine and weights are installed. Starts and loads nothing. Any thread."""
    return find_spec("xllamacpp") is not None and weights.installed() is not None


@cache
def small_model() -> ModelWithAliases:
    """`local/smollm2-135m`. With tools its first answer is always a tool call; after the results it answers.

    An answer ends after 256 tokens (`stop_reason` is `length`) unless the prompt gives its own `max_tokens`. Its temperature is 0.7.
    """
    template = resources.files("llm_actors.extras").joinpath("tools.jinja").read_text("utf-8")
    name = weights.SMOLLM2.name
    server = InstalledEngine(name, template)
    return _model(f"local/{name}", name, server, dialect="embedded", aliases=ALIASES, available=ready)


def model_of_file(model_id: str) -> ModelWithAliases | None:
    """The model of `local:PATH`, with the file's own chat template; None for another id. The first prompt looks at the file."""
    path = model_id.removeprefix(PREFIX)
    if path in (model_id, ""):
        return None
    alias = Path(path).stem
    return _model(model_id, alias, engine_of(Path(path), alias), dialect="llama.cpp")


def register(register_model: Callable[..., Any], register_prefix: Callable[[str, Callable[[str], Any]], Any]) -> None:
    """Tells the catalogue of the embedded models; it calls this by the entry point, when it first looks for one."""
    register_model(small_model())
    register_prefix(PREFIX, model_of_file)


def _model(model_id: str, wire_id: str, server: Server, **what: Any) -> ModelWithAliases:
    known: dict[str, Any] = {"timeout": _TIMEOUTS, "attachment_types": frozenset(), "context_size": Settings.context}
    return endpoint(model_id, server=server, wire_id=wire_id, **known, **what)
