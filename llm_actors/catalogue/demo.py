"""The model `demo`: a script, no LLM inside. For documents, tests and simulations; it is never chosen silently for another model.

above it   registry.py
below it   providers/scripted.py, which says what it answers; chat's script models, which play it
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .model_with_aliases import ModelWithAliases, pair_of
from .shelf import Shelf

if TYPE_CHECKING:
    from llm_actors.messages import ModelRequest
    from llm_actors.providers.scripted import Script

MODEL_ID = "demo"


def play(request: ModelRequest) -> Script:
    """The script for a request, at the pace of its options: without one, all of it at once."""
    from llm_actors.providers.scripted import demo as script_of  # noqa: PLC0415 - see _pair()

    return script_of(request, pace=request.options.get("pace") or 0.0)


def fill(shelf: Shelf) -> None:
    """Puts the model on a shelf."""
    shelf.add((MODEL_ID,), (), _pair)


@cache
def _pair() -> ModelWithAliases:
    # With the first look-up: its words and their ways took 7 ms of each import.
    from llm_actors.chat.script_model import script_pair  # noqa: PLC0415
    from llm_actors.providers.scripted import DemoOptions  # noqa: PLC0415

    return pair_of(script_pair(MODEL_ID, play, DemoOptions))
