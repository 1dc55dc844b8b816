"""What the library brings: the models of all presets, and `demo`. Put on a shelf at the first look-up, not at import.

above it   registry.py
below it   presets.py, demo.py, model_files.py
"""

from typing import Any

from . import demo, presets
from .model_files import stamp
from .model_with_aliases import ModelWithAliases
from .shelf import Registration, Shelf


class BuiltIn:
    """A shelf that is filled anew when the user's files of models have changed. Any thread: at worst two fill one, and one is kept."""

    def __init__(self) -> None:
        self._filled: tuple[tuple[Any, ...], Shelf] | None = None
        self._removed: set[str] = set()

    def remove(self, model_id: str) -> bool:
        """Takes a model away, for good; False when it isn't here."""
        removed = self._shelf().remove(model_id)
        if removed:
            self._removed.add(model_id)
        return removed

    def registrations(self) -> list[Registration]:
        """All, in the order they came."""
        return self._shelf().registrations()

    def __contains__(self, name: str) -> bool:
        return name in self._shelf()

    def find(self, name: str) -> ModelWithAliases | None:
        """The model of this id or alias, or of a family; None when it isn't here."""
        return self._shelf().find(name)

    def _shelf(self) -> Shelf:
        now, filled = stamp(), self._filled
        if filled is None or filled[0] != now:
            shelf = Shelf()
            presets.fill(shelf)
            demo.fill(shelf)
            for model_id in self._removed:
                shelf.remove(model_id)
            filled = self._filled = (now, shelf)
        return filled[1]
