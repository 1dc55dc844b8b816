"""The real engine with the real weights; `LLM_ACTORS_CACHE` or the user's cache folder keeps them between runs."""

import pytest

from llm_actors.extras import weights
from llm_actors.extras.local_engine import Engine
from llm_actors.extras.local_process import Settings
from llm_actors.extras.weights_cache import cache_folder

CACHE = cache_folder()  # read here: the tests themselves see none of the user's settings


@pytest.fixture(scope="session")
def gguf():
    return weights.install(cache=CACHE)


@pytest.fixture
def make_engine(gguf):
    """Makes engines that are ended with the test."""
    made = []

    def make(**options):
        ours = {name: options.pop(name) for name in ("idle", "load_timeout", "clock") if name in options}
        engine = Engine(Settings(**({"model": gguf, "alias": "smollm2-135m"} | options)), **ours)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.stop()
