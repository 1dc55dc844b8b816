"""The model `demo`: a script, no LLM inside. For documents, tests and simulations; it is never chosen silently for another model.

above it   registry.py
below it   providers/scripted.py, which says what it answers; chat's script models, which play it
"""

from llm_actors.chat.script_model import script_pair
from llm_actors.messages import ModelRequest
from llm_actors.providers.scripted import DemoOptions, Script
from llm_actors.providers.scripted import demo as script_of

from .model_with_aliases import pair_of
from .shelf import Shelf

MODEL_ID = "demo"


def play(request: ModelRequest) -> Script:
    """The script for a request, at the pace of its options: without one, all of it at once."""
    return script_of(request, pace=request.options.get("pace") or 0.0)


def fill(shelf: Shelf) -> None:
    """Puts the model on a shelf."""
    pair = pair_of(script_pair(MODEL_ID, play, DemoOptions))
    shelf.add((MODEL_ID,), (), lambda: pair)
