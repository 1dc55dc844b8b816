"""What the user calls models: aliases.json and default_model.txt.

above it   registry.py, which knows whether a name is a model
below it   user_dir.py
"""

import json
import logging

from .user_dir import UserFile, json_names

_LOG = logging.getLogger(__name__)

_ALIASES: UserFile[dict[str, str]] = UserFile("aliases.json", json_names, missing={})
_DEFAULT: UserFile[str] = UserFile("default_model.txt", str.strip, missing="")

_told: set[str] = set()


def user_aliases() -> dict[str, str]:
    """The user's aliases, alias -> model id; to be left as it is. Any thread.

    A file that isn't valid counts as empty here, and is logged once: it must not break look-ups of other names. `fault()` says more.
    """
    aliases, wrong = _ALIASES.look()
    if aliases is None:
        text = f"{_ALIASES.path()} {wrong}"
        if text not in _told:
            _told.add(text)
            _LOG.warning("aliases are ignored: %s", text)
        return {}
    return aliases


def fault() -> str | None:
    """What is wrong with aliases.json, if something is."""
    wrong = _ALIASES.look()[1]
    return f"{_ALIASES.path()} {wrong}" if wrong else None


def write_alias(alias: str, model_id: str) -> None:
    """Points an alias to a model id. Raises `UserFileError` when aliases.json isn't valid: it is not overwritten."""
    _write({**_ALIASES.read(), alias: model_id})


def remove_alias(alias: str) -> None:
    """Removes one of the user's aliases. Any thread; writes a file.

    Raises `KeyError`: `No aliases.json file exists`, `aliases.json file is not valid JSON`, `No such alias: x`.
    """
    if not _ALIASES.exists():
        msg = "No aliases.json file exists"
        raise KeyError(msg)
    aliases = _ALIASES.look()[0]
    if aliases is None:
        msg = "aliases.json file is not valid JSON"
        raise KeyError(msg)
    if alias not in aliases:
        msg = f"No such alias: {alias}"
        raise KeyError(msg)
    _write({name: model_id for name, model_id in aliases.items() if name != alias})


def configured_default() -> str | None:
    """The model id or alias in default_model.txt; None without one. Raises `UserFileError` when it can't be read."""
    return _DEFAULT.read() or None


def set_default_model(model: str | None) -> None:
    """Makes a model id or alias the default, for `get_model()` without a name; None deletes the setting. Any thread; writes a file.

    The name is stored as given: it may be of a model that is installed later.
    """
    if model is None:
        _DEFAULT.remove()
    else:
        _DEFAULT.write(model)


def _write(aliases: dict[str, str]) -> None:
    _ALIASES.write(json.dumps(aliases, indent=4) + "\n")
