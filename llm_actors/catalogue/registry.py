"""Which models exist: `get_model`, `register_model` and their kin.

above it   the package's public names, command, actor_system
below it   aliases.py, shelf.py, plugins.py, built_in.py

A name is looked for in this order: the user's aliases.json; what this program registered; what is built in (presets, `demo`); what
entry points register. The last are loaded once, at the first name that is not known before them, or for a list; they add models and never
take a built-in name, so that a name means the same before and after. Look-ups take microseconds and are safe from any thread.
"""

from collections.abc import Callable, Iterable

from llm_actors.chat.model import AsyncModel, Model
from llm_actors.errors import NoDefaultModelError, UnknownModelError

from . import plugins
from .aliases import configured_default, fault, remove_alias, set_default_model, user_aliases, write_alias
from .built_in import BuiltIn
from .keys import OTHER_WAYS
from .model_with_aliases import ModelWithAliases, Registrable, handed_out
from .plugins import Plugins
from .shelf import Registration, Resolver, Shelf

__all__ = [
    "Catalogue",
    "ModelWithAliases",
    "get_async_model",
    "get_async_model_aliases",
    "get_async_models",
    "get_default_model",
    "get_model",
    "get_model_aliases",
    "get_models",
    "get_models_with_aliases",
    "register_model",
    "register_prefix",
    "remove_alias",
    "set_alias",
    "set_default_model",
    "unregister_model",
]

EMBEDDED = "local/smollm2-135m"
"""The model of `get_model()` without a name, when nothing is configured and its engine and weights are installed."""

_UNKNOWN = "Unknown model"


class Catalogue:
    """The models that can be looked up. Any thread; the user's files are read again when they changed.

    Models the library makes (presets, families, `endpoint()`, `demo`) are handed out as copies, so setting `model.key` on one changes no
    other; a model with its own `execute()` is handed out as it was registered, with the state it holds.
    """

    def __init__(self) -> None:
        self._program = Shelf()
        self._built_in = BuiltIn()
        self._loaded: dict[str, Plugins] = {}

    # ---- registering ------------------------------------------------------------------------------------------------------------

    def register_model(
        self,
        model_or_pair: Registrable,
        async_model: AsyncModel | None = None,
        aliases: Iterable[str] = (),
        *,
        available: Callable[[], bool] | None = None,
    ) -> None:
        """Makes a model known by its id and aliases, in this process; in place of one of the same id, its sync and async dress both.

        Takes a Model, an AsyncModel, both, a tuple of both, or a ModelWithAliases (`endpoint()` makes one). `available()` says whether
        it can be used on this machine now. Raises `TypeError` for what is no model, `ValueError` for one without an id. Any thread.
        """
        self._program.register_model(model_or_pair, async_model, aliases, available=available)

    def register_prefix(self, prefix: str, resolver: Resolver) -> None:
        """Makes a family known: `resolver(id)` gives the model of an id that begins with `prefix`, or None. Any thread.

        It is called at each look-up of such an id. Raises `ValueError` for an empty prefix.
        """
        self._program.register_prefix(prefix, resolver)

    def unregister_model(self, model_id: str) -> None:
        """Takes a model away; what it had replaced is found again. Raises `UnknownModelError`. Any thread."""
        if self._program.remove(model_id) or self._built_in.remove(model_id):
            return
        if not self._plugins().shelf.remove(model_id):
            raise self._unknown(_UNKNOWN, model_id)

    # ---- looking up -------------------------------------------------------------------------------------------------------------

    def get_model(self, name: str | None = None) -> Model:
        """The model of this id or alias; without a name the default (`get_default_model()`). Any thread.

        Raises `UnknownModelError`: `Unknown model: X`, or `Unknown model (async model exists): X`; `NoDefaultModelError` without name and
        default. A missing key is no error here: it is one when a prompt is sent.
        """
        wanted = name or self._default()
        found = self._find(wanted)
        model = handed_out(found.model) if found is not None else None
        if model is None:
            why = "Unknown model (async model exists)" if found is not None else _UNKNOWN
            raise self._unknown(why, wanted)
        return model

    def get_async_model(self, name: str | None = None) -> AsyncModel:
        """The async model of this id or alias; without a name the default (`get_default_model()`). Any thread.

        Raises `UnknownModelError`: `Unknown model: X`, or `Unknown async model (sync model exists): X`; `NoDefaultModelError` without name
        and default. A missing key is no error here: it is one when a prompt is sent.
        """
        wanted = name or self._default()
        found = self._find(wanted)
        model = handed_out(found.async_model) if found is not None else None
        if model is None:
            why = "Unknown async model (sync model exists)" if found is not None else _UNKNOWN
            raise self._unknown(why, wanted)
        return model

    def get_models(self) -> list[Model]:
        """All sync models, also those that need a key that isn't there. Any thread.

        Members of families (`openai/ANY-ID`) are not listed.
        """
        return [pair.model for pair in self.get_models_with_aliases() if pair.model is not None]

    def get_async_models(self) -> list[AsyncModel]:
        """All async models, as `get_models()`. Any thread."""
        return [pair.async_model for pair in self.get_models_with_aliases() if pair.async_model is not None]

    def get_models_with_aliases(self) -> list[ModelWithAliases]:
        """All models with both dresses (either may be None) and their aliases, the registered ones before the user's. Any thread."""
        extra: dict[str, list[str]] = {}
        for alias, target in user_aliases().items():
            found = self._known(target)
            if found is not None:
                extra.setdefault(found.model_id, []).append(alias)
        return [
            registration.make().handed_out(extra.get(registration.model_ids[0], ()))
            for registration in self._registrations()
        ]

    def get_model_aliases(self) -> dict[str, Model]:
        """Each id and alias with its sync model. Any thread."""
        pairs = {name: self._find(name) for name in self._all_names()}
        models = {name: handed_out(pair.model) for name, pair in pairs.items() if pair is not None}
        return {name: model for name, model in models.items() if model is not None}

    def get_async_model_aliases(self) -> dict[str, AsyncModel]:
        """Each id and alias with its async model. Any thread."""
        pairs = {name: self._find(name) for name in self._all_names()}
        models = {name: handed_out(pair.async_model) for name, pair in pairs.items() if pair is not None}
        return {name: model for name, model in models.items() if model is not None}

    # ---- names ------------------------------------------------------------------------------------------------------------------

    def get_default_model(self) -> str | None:
        """The id or alias of the default model: as configured, else the embedded one when it is installed, else None. Any thread."""
        configured = configured_default()
        if configured is not None:
            return configured
        embedded = self._find(EMBEDDED)
        return EMBEDDED if embedded is not None and embedded.is_available() else None

    def set_alias(self, alias: str, model_id_or_alias: str) -> None:
        """Points an alias to a model, in aliases.json. Any thread; writes a file.

        An alias is resolved to the id it stands for; a name that is not known is stored as given. Raises `UserFileError` when the file
        isn't valid: it is left as it is.
        """
        found = self._find(model_id_or_alias)
        write_alias(alias, found.model_id if found is not None else model_id_or_alias)

    # ---- inside -----------------------------------------------------------------------------------------------------------------

    def _find(self, name: str) -> ModelWithAliases | None:
        target = user_aliases().get(name)
        found = self._known(target) if target is not None else None
        return found or self._known(name)

    def _known(self, name: str) -> ModelWithAliases | None:
        return self._program.find(name) or self._built_in.find(name) or self._plugins().shelf.find(name)

    def _plugins(self) -> Plugins:
        loaded = self._loaded.get("")
        if loaded is None:
            if plugins.loading.get():
                return Plugins(Shelf())
            # Two threads that come first together both load; one outcome is kept.
            loaded = self._loaded.setdefault("", plugins.load())
        return loaded

    def _registrations(self) -> list[Registration]:
        """All that can be looked up, those of the program last; one that is replaced is left out."""
        shelves: tuple[Shelf | BuiltIn, ...] = (self._built_in, self._plugins().shelf, self._program)
        taken_by = {0: (self._program,), 1: (self._program, self._built_in), 2: ()}
        return [
            registration
            for place, shelf in enumerate(shelves)
            for registration in shelf.registrations()
            if not any(registration.model_ids[0] in other for other in taken_by[place])
        ]

    def _all_names(self) -> dict[str, None]:
        registered = [name for entry in self._registrations() for name in (*entry.aliases, *entry.model_ids)]
        return dict.fromkeys([*registered, *user_aliases()])

    def _default(self) -> str:
        name = self.get_default_model()
        if name is not None:
            return name
        msg = (
            "No model was named, no default is set, and the embedded model is not installed. Ways to go on: "
            "name a model and give its key, like 'gpt-4o-mini' with OPENAI_API_KEY, or make one the default with "
            f"set_default_model() or `llm-actors models default NAME`. {OTHER_WAYS}, by name or with `-m demo`"
        )
        raise self._with_notes(NoDefaultModelError(msg))

    def _unknown(self, why: str, name: str) -> UnknownModelError:
        error = UnknownModelError(f"{why}: {name}")
        if name == configured_default():
            error.add_note(f"{name!r} is the configured default: change it with set_default_model()")
        return self._with_notes(error)

    def _with_notes(self, error: UnknownModelError) -> UnknownModelError:
        """Names what may be the reason, beside the text: entry points that failed, and a broken aliases.json."""
        for note in (*self._plugins().failures, fault()):
            if note:
                error.add_note(note)
        return error


_CATALOGUE = Catalogue()

get_model = _CATALOGUE.get_model
get_async_model = _CATALOGUE.get_async_model
get_models = _CATALOGUE.get_models
get_async_models = _CATALOGUE.get_async_models
get_models_with_aliases = _CATALOGUE.get_models_with_aliases
get_model_aliases = _CATALOGUE.get_model_aliases
get_async_model_aliases = _CATALOGUE.get_async_model_aliases
register_model = _CATALOGUE.register_model
register_prefix = _CATALOGUE.register_prefix
unregister_model = _CATALOGUE.unregister_model
get_default_model = _CATALOGUE.get_default_model
set_alias = _CATALOGUE.set_alias
