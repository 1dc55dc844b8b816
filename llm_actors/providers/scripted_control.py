"""Prompts that say what the script shall do: a JSON object of these fields, for tests and demonstrations.

    {"tool_calls": [{"name": "upper", "arguments": {"string": "panda"}}], "text": "Done."}

above it   scripted.py
below it   errors
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from llm_actors.errors import (
    AuthenticationError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    ModelError,
    ModelTimeoutError,
    OverloadedError,
    ProtocolError,
    ProviderError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
)
from llm_actors.messages import StopReason, Usage

_BY_STATUS: Mapping[int, type[ProviderError]] = {
    401: AuthenticationError,
    402: QuotaExhaustedError,
    403: AuthenticationError,
    429: RateLimitError,
    503: OverloadedError,
    529: OverloadedError,
}
_BY_KIND: Mapping[str, type[ModelError]] = {
    "connection": ConnectionFailedError,
    "content_filter": ContentFilterError,
    "context_length": ContextLengthError,
    "protocol": ProtocolError,
    "quota": QuotaExhaustedError,
    "timeout": ModelTimeoutError,
    "truncated": StreamTruncatedError,
}
_SERVER_ERRORS = 500


class AskedCall(msgspec.Struct, forbid_unknown_fields=True):
    """A tool call to make. `arguments`: an object, or a text to send as it is (which may be no JSON)."""

    name: str
    arguments: dict[str, Any] | str = {}
    id: str | None = None


class AskedError(msgspec.Struct, forbid_unknown_fields=True):
    """An error to end with, after what was said.

    `kind`: `truncated`, `connection`, `timeout`, `protocol`, `quota`, `content_filter`, `context_length`; else by `status`.
    """

    message: str = "an error that was asked for"
    status: int | None = None
    kind: str | None = None
    retry_after: float | None = None

    def error(self) -> ModelError:
        """The error itself. Raises `ValueError` for an unknown kind."""
        if self.kind is not None and self.kind not in _BY_KIND:
            msg = f"unknown kind of error {self.kind!r}; there are: {', '.join(_BY_KIND)}"
            raise ValueError(msg)
        found = _BY_KIND.get(self.kind or "") or self._by_status()
        if issubclass(found, ProviderError):
            return found(self.message, provider="demo", status=self.status, retry_after=self.retry_after)
        return found(self.message)

    def _by_status(self) -> type[ModelError]:
        if self.status is None:
            return ModelError
        return _BY_STATUS.get(self.status) or (ServerError if self.status >= _SERVER_ERRORS else InvalidRequestError)


class Control(msgspec.Struct, forbid_unknown_fields=True):
    """What one model call does. Without `rounds`: the calls first, and `text` once their results are there.

    `text`: said as it is; a list gives the chunks. `wrong_tool`: a call of a tool that isn't there (true, or its name).
    `wrong_arguments`: a call of the first tool with arguments of other types. `repeat`: the calls again in each round. `pace`: seconds a
    word. `usage`: as given, null for none. `rounds`: one object of these fields for each model call of the turn.
    """

    tool_calls: list[AskedCall | str] = []
    text: str | list[str] | None = None
    reasoning: str | None = None
    wrong_tool: bool | str = False
    wrong_arguments: bool = False
    repeat: bool = False
    stop_reason: StopReason | None = None
    error: str | AskedError | None = None
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET
    pace: Annotated[float, msgspec.Meta(ge=0)] | None = None
    rounds: list["Control"] = []

    @property
    def calls_tools(self) -> bool:
        """Whether it asks for any call."""
        return bool(self.tool_calls or self.wrong_tool or self.wrong_arguments)


_FIELDS = frozenset(Control.__struct_fields__)


def control_of(prompt: str) -> Control | None:
    """The control in a prompt; None for a prompt that is none: no JSON object, or one without any of the fields.

    Raises `InvalidRequestError` for one with unknown fields beside known ones, or wrong values.
    """
    text = prompt.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return None
    try:
        plain = json.loads(text)
    except ValueError:
        return None
    if not _FIELDS & plain.keys():
        return None
    try:
        return msgspec.convert(plain, Control)
    except msgspec.ValidationError as error:
        msg = f"the demo's control prompt is not valid: {error}. Its fields: {', '.join(Control.__struct_fields__)}"
        raise InvalidRequestError(msg, provider="demo") from None
