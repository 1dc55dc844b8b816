"""A key that never shows itself: not in a repr, a log line, a traceback or a journal."""

from typing import NoReturn


class Secret:
    """Holds a key; only `reveal()` gives it, and only the pump calls that, when it writes the header.

    Any thread. `str()`, `repr()` and formatting give a mask; pickling raises `TypeError`, so that a secret
    can't slip into a file by way of an object that holds it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        msg = "a Secret is not pickled: pass the key by a keys file or an environment variable"
        raise TypeError(msg)
