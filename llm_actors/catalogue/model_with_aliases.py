"""A registered model: its two dresses, its aliases, and how it is handed out.

above it   shelf.py, registry.py, endpoints.py
below it   chat's models
"""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from llm_actors.chat.model import AnyModel, AsyncModel, Model

M = TypeVar("M", bound=AnyModel)


@dataclass
class ModelWithAliases:
    """The sync and the async dress of one model (either may be None), and its aliases beside the model id.

    `available` says whether it can be used on this machine now (engine and weights are there); None: it can. Any thread.
    """

    model: Model | None
    async_model: AsyncModel | None
    aliases: list[str] = field(default_factory=list)
    available: Callable[[], bool] | None = field(default=None, repr=False)

    @property
    def model_id(self) -> str:
        """The sync model's id where there is one, as the peer has it."""
        return self.model_ids[0]

    @property
    def model_ids(self) -> tuple[str, ...]:
        """The ids of both dresses; usually they are one."""
        return tuple(dict.fromkeys([model.model_id for model in (self.model, self.async_model) if model is not None]))

    def matches(self, query: str) -> bool:
        """Whether an alias, the model's name or its id holds `query`, in any case. Any thread."""
        wanted = query.lower()
        names = [*self.aliases, *self.model_ids, *([str(self.model)] if self.model is not None else [])]
        return any(wanted in name.lower() for name in names)

    def is_available(self) -> bool:
        """Asks `available`, of the pair or of one of its models."""
        for holder in (self, self.model, self.async_model):
            ask = getattr(holder, "available", None)
            if callable(ask):
                return bool(ask())
        return True

    def handed_out(self, aliases: Iterable[str] = ()) -> "ModelWithAliases":
        """The same for a caller, with more aliases: see `handed_out()`."""
        names = list(dict.fromkeys([*self.aliases, *aliases]))
        return ModelWithAliases(handed_out(self.model), handed_out(self.async_model), names, self.available)


Registrable: TypeAlias = ModelWithAliases | tuple[Model, AsyncModel] | Model | AsyncModel | None


def handed_out(model: M | None) -> M | None:
    """What a caller gets: a copy of a model that the library made, so that setting its `key` changes nobody else's.

    A model with an `execute()` of its own is handed out as it is: it may hold state (counters, connections, a queue of answers) that its
    author expects to meet again, as plugin-held instances of the peer do.
    """
    if model is None or type(model).open_round is AnyModel.open_round:
        return model
    return copy.copy(model)


def pair_of(
    given: Registrable,
    async_model: AsyncModel | None = None,
    aliases: Iterable[str] = (),
    available: Callable[[], bool] | None = None,
) -> ModelWithAliases:
    """What `register_model()` takes, as a pair. Raises `TypeError` for what is no model, `ValueError` for one without an id."""
    if isinstance(aliases, str):
        msg = f"aliases is a list of texts, not one text: {aliases!r}"
        raise TypeError(msg)
    names = list(aliases)
    model: Any
    if isinstance(given, ModelWithAliases):
        names = [*given.aliases, *names]
        available = available or given.available
        model, async_model = given.model, async_model or given.async_model
    elif isinstance(given, tuple):
        model, async_model = given
    elif isinstance(given, AsyncModel) and async_model is None:
        model, async_model = None, given
    else:
        model = given
    _check(model, Model)
    _check(async_model, AsyncModel)
    if model is None and async_model is None:
        msg = "a registration needs a Model, an AsyncModel, or both"
        raise TypeError(msg)
    return ModelWithAliases(model, async_model, list(dict.fromkeys(names)), available)


def _check(model: Any, kind: type[AnyModel]) -> None:
    if model is None:
        return
    if not isinstance(model, kind):
        what = f"the class {model.__name__}: register an instance" if isinstance(model, type) else repr(model)
        msg = f"not a {kind.__name__}: {what}"
        raise TypeError(msg)
    if not (isinstance(getattr(model, "model_id", None), str) and model.model_id):
        msg = f"{type(model).__name__} has no model_id"
        raise ValueError(msg)
