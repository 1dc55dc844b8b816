"""The message by which a supervisor restarts a conversation."""

from __future__ import annotations

from typing import NamedTuple


class RestartMail(NamedTuple):
    """Begin anew, because of this error: what runs ends, the history stays, what waits goes on. For a supervisor."""

    error: BaseException
