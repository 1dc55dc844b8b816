"""One set of registrations: ids, aliases and prefixes, found by name.

above it   registry.py, which asks several shelves in turn; plugins.py, presets.py and demo.py fill one each
below it   model_with_aliases.py

Without a lock: each write is one step on a dict, and the index is rebuilt when the version it was built from is no longer the current one.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from llm_actors.chat.model import AsyncModel

from .model_with_aliases import ModelWithAliases, Registrable, pair_of

Resolver: TypeAlias = Callable[[str], Registrable]
"""Gets a whole id (with the prefix it was registered for) and gives a model, a pair, or None when it doesn't know it.

Called at each look-up: one whose models are costly to make keeps them.
"""

_order = itertools.count()


class Registration(NamedTuple):
    """`make` is called at each look-up, so that a preset follows the environment; it keeps what it made."""

    order: int
    model_ids: tuple[str, ...]
    aliases: tuple[str, ...]
    make: Callable[[], ModelWithAliases]


class Shelf:
    """Registrations in order; on a clash of names the later one wins. Any thread."""

    def __init__(self) -> None:
        self._models: dict[str, Registration] = {}
        self._prefixes: dict[str, Resolver] = {}
        self._version = object()
        self._index: tuple[object, dict[str, Registration]] = (None, {})

    def register_model(
        self,
        model_or_pair: Registrable,
        async_model: AsyncModel | None = None,
        aliases: Iterable[str] = (),
        *,
        available: Callable[[], bool] | None = None,
    ) -> None:
        """Adds a model, in place of one of the same id.

        Takes a Model, an AsyncModel, both, a tuple of both, or a ModelWithAliases; either dress may be None. `available`: see
        `ModelWithAliases`. Raises `TypeError` for what is no model, `ValueError` for one without an id. Any thread.
        """
        pair = pair_of(model_or_pair, async_model, aliases, available)
        self.add(pair.model_ids, pair.aliases, lambda: pair)

    def register_prefix(self, prefix: str, resolver: Resolver) -> None:
        """Adds a family: ids that begin with `prefix` and are not registered themselves are made by `resolver(id)`. Any thread.

        `register_prefix("local:", resolver)`. The longest prefix that fits and is known by its resolver wins. Raises `ValueError` for an
        empty prefix.
        """
        if not prefix:
            msg = "an empty prefix would take every id"
            raise ValueError(msg)
        self._prefixes = dict(
            sorted({**self._prefixes, prefix: resolver}.items(), key=lambda item: len(item[0]), reverse=True)
        )

    def add(self, model_ids: Iterable[str], aliases: Iterable[str], make: Callable[[], ModelWithAliases]) -> None:
        """Adds a model that is made at each look-up."""
        new = Registration(next(_order), tuple(model_ids), tuple(aliases), make)
        self._models[new.model_ids[0]] = new
        self._version = object()

    def take(self, other: "Shelf") -> None:
        """Adds all of another shelf, in its order."""
        for registration in other.registrations():
            self.add(*registration[1:])
        for prefix, resolver in other._prefixes.items():  # noqa: SLF001 - of the same class
            self.register_prefix(prefix, resolver)

    def remove(self, model_id: str) -> bool:
        """Takes a model away; False when it isn't here."""
        removed = self._models.pop(model_id, None)
        self._version = object()
        return removed is not None

    def registrations(self) -> list[Registration]:
        """All, in the order they came."""
        return sorted(self._models.copy().values(), key=lambda registration: registration.order)

    def __contains__(self, name: str) -> bool:
        return name in self._names()

    def find(self, name: str) -> ModelWithAliases | None:
        """The model of this id or alias, or of a family; None when it isn't here. Raises what a resolver raises."""
        registration = self._names().get(name)
        if registration is not None:
            return registration.make()
        for prefix, resolver in self._prefixes.items():
            if name.startswith(prefix):
                found = resolver(name)
                if found is not None:
                    return pair_of(found)
        return None

    def _names(self) -> dict[str, Registration]:
        version = (
            self._version
        )  # taken before the models, so that an index of older models is never kept for a newer version
        if self._index[0] is version:
            return self._index[1]
        names: dict[str, Registration] = {}
        for registration in self.registrations():
            for name in (*registration.aliases, *registration.model_ids):
                names[name] = registration
        self._index = (version, names)
        return names
