"""Every error this library raises, in one tree.

    LLMError
    |-- ModelError                          a model or its provider failed
    |   |-- NeedsKeyException               no key: says where one can be put
    |   |-- ConnectionFailedError           no connection, or it broke (`phase`: connect, first byte, idle, read)
    |   |   `-- ModelTimeoutError           one of the wire's timeouts (also a TimeoutError)
    |   |-- ProviderError                   the provider said no: `status`, `code`, `request_id`, `retry_after`
    |   |   |-- AuthenticationError         401, 403
    |   |   |-- InvalidRequestError         400, 404, 422 ...
    |   |   |   `-- ContextLengthError      the history is longer than the model's window
    |   |   |-- RateLimitError              429 that passes
    |   |   |-- QuotaExhaustedError         429 or 402 that doesn't: no retry
    |   |   |-- OverloadedError             503, 529
    |   |   |-- ContentFilterError          the request was refused by a filter
    |   |   `-- ServerError                 other 5xx
    |   |-- ProtocolError                   bytes that are not what the wire promises, or too many of them
    |   |-- StreamTruncatedError            the stream ended without its terminal fact
    |   |-- EngineError                     the embedded engine crashed, did not start, or is not installed
    |   `-- IncompleteAnswerError           `json()`/`value()` of an answer the provider cut short, or that does not fit (ValueError)
    |-- TurnError                           a turn ended without an answer
    |   |-- ResponseCancelledError          cancelled
    |   |   `-- SystemShutdownError         the system was shut down: the turn was cancelled, or the prompt not taken (ActorError)
    |   |-- DeadlineExceededError           its time was up (TimeoutError)
    |   |-- ChainLimitError                 too many rounds (ValueError)
    |   |-- BudgetExceeded                  a budget has no room for another model call: `limit`, `spent`, `reserved`, `asked`
    |   |-- NoPriceError                    a budget in money, and a model without a price
    |   |-- ToolCrashedError                a tool raised, where the failure table says that this ends the turn
    |   |-- RepeatedToolCallsError          round after round the same tool calls with the same results
    |   |-- ConversationCrashedError        a defect in the conversation's actor ended the turn; `__cause__` is what was raised
    |   `-- LoopClosedError                 its event loop ended (RuntimeError)
    |-- ActorError
    |   |-- MailboxFullError                bounded mailbox, nothing was sent
    |   |-- TooManyRestartsError            a supervisor gave up: a child failed more often than its intensity allows
    |   |-- ConversationBusyError           a turn has not ended, and the conversation takes no prompt meanwhile (`when_busy="reject"`)
    |   |-- GroupEndedError                 started in a group that has ended, or is being cancelled (RuntimeError)
    |   |-- DeadlockError                   a wait that could only end by itself: `chain` says who waits for whom (RuntimeError)
    |   |-- BlockingWaitError               a blocking wait on the thread that has to do the work: await it (RuntimeError)
    |   |-- AsyncioOnlyError                called under trio or another runner (RuntimeError)
    |   `-- ToolStuckError                  a tool was not called: earlier calls of it hang in their threads (RuntimeError)
    |-- UnknownModelError                   also a KeyError; `args[0]` is the text
    |   `-- NoDefaultModelError             no model was named and none is configured: lists the ways to get one
    |-- UserFileError                       a file in the user's folder is not of its form (ValueError); never shows its content
    |-- OptionsError                        an option the model doesn't have, or a wrong value (ValueError, TypeError)
    |-- AttachmentError                     can't be read, fetched, or is too large (ValueError)
    |-- ToolArgumentsError                  a model's arguments don't fit the tool: the model is told what was expected (ValueError)
    |-- SimulationError                     nothing can happen any more in virtual time, or too much: says what waits (RuntimeError)
    |-- CassetteMissError                   a request that was not recorded: shows how it differs from the nearest one (LookupError)
    |-- CancelToolCall                      raise it in before_call: the model is told why
    `-- PauseChain                          raise it in a tool: the chain stops until somebody resumes

`BlocksLoopWarning` is a warning: a blocking call inside a running loop that works, but holds that loop.
An actor that is dead answers with Pykka's own `ActorDeadError` (re-exported by `llm_actors.runtime`). What a user's `execute()`,
tool hook or callback raises is passed on unchanged. No error holds a key: providers' texts pass `redact()` first.
"""

from typing import Any

import msgspec


class LLMError(Exception):
    """The root of all errors of this library."""


class ModelError(LLMError):
    """A model or its provider failed; the text can be shown to the user."""


class NeedsKeyException(ModelError):  # noqa: N818 - the peer's name
    """The model needs a key and none was found."""


class ConnectionFailedError(ModelError):
    """No connection, or it broke. `phase` says when: `connect`, `first byte`, `idle`, `read`."""

    def __init__(self, message: str, *, phase: str = "read") -> None:
        super().__init__(message)
        self.phase = phase


class ModelTimeoutError(ConnectionFailedError, TimeoutError):
    """A timeout of the wire: connect, first byte, idle or total. `phase` says which."""


class ProviderError(ModelError):
    """The provider answered with an error. The text is the provider's, and what to do.

    `rate_limits`: what its headers said of this key's limits (`llm_actors.messages.RateLimits`), or None.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        body: Any = None,
        rate_limits: Any = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.body = body
        self.rate_limits = rate_limits


class AuthenticationError(ProviderError):
    """The key is missing, wrong, or not allowed to do this."""


class InvalidRequestError(ProviderError):
    """The provider does not accept the request as it is."""


class ContextLengthError(InvalidRequestError):
    """The history is longer than the model's context window."""


class RateLimitError(ProviderError):
    """Too many requests or tokens for now; `retry_after` in seconds where the provider says so."""


class QuotaExhaustedError(ProviderError):
    """The account's quota or credit is used up: waiting does not help."""


class OverloadedError(ProviderError):
    """The provider is overloaded (503, 529), or still loading its model."""


class ContentFilterError(ProviderError):
    """A filter of the provider refused the request."""


class ServerError(ProviderError):
    """The provider failed (5xx)."""


class ProtocolError(ModelError):
    """Bytes that are not what the wire format promises, or more of them than the limits allow. `frame`: the bytes."""

    def __init__(self, message: str, *, frame: bytes = b"") -> None:
        super().__init__(message)
        self.frame = frame


class StreamTruncatedError(ModelError):
    """The stream ended before the provider said that the answer was complete."""


class EngineError(ModelError):
    """The embedded engine crashed, did not start, or is not installed; the text says what to do."""


class IncompleteAnswerError(ModelError, ValueError):
    """The answer is complete as sent but can't be read as asked: cut by a length limit, refused, or not of the schema."""


class TurnError(LLMError):
    """A turn ended without an answer. What did arrive is in `response.partial`."""


class ResponseCancelledError(TurnError):
    """The turn was cancelled."""


class DeadlineExceededError(TurnError, TimeoutError):
    """The turn's time was up: waiting in the mailbox, for the model, or for tools. `deadline`: which one it was, with its `owner`."""

    def __init__(self, message: str, deadline: Any = None) -> None:
        super().__init__(message)
        self.deadline = deadline


class ChainLimitError(TurnError, ValueError):
    """The model asked for one more round than the limit allows; what was done stays in the history."""


class BudgetExceeded(TurnError):  # noqa: N818 - what happened to the budget, as users say it
    """A budget has no room for another model call, which was not sent.

    `budget`: its name. `kind`: which of its limits (`requests`, `tokens`, `input_tokens`, `output_tokens`, `cost`). `limit`, `spent`,
    `reserved` for calls under way, and `asked` for this one: in calls, tokens, or money.
    """

    def __init__(
        self,
        message: str,
        *,
        budget: str = "",
        kind: str = "",
        limit: float = 0,
        spent: float = 0,
        reserved: float = 0,
        asked: float = 0,
    ) -> None:
        super().__init__(message)
        self.budget = budget
        self.kind = kind
        self.limit = limit
        self.spent = spent
        self.reserved = reserved
        self.asked = asked


class NoPriceError(TurnError):
    """A budget in money holds for a call to a model that has no price: it was not sent."""


class ToolCrashedError(TurnError):
    """A tool raised, and the failure table says that this ends the turn. `tool_call`: which; `__cause__`: what it raised."""

    def __init__(self, message: str, tool_call: Any = None) -> None:
        super().__init__(message)
        self.tool_call = tool_call


class RepeatedToolCallsError(TurnError):
    """The model made the same tool calls, with the same arguments and results, `rounds` rounds in a row. `tool_calls`: which."""

    def __init__(self, message: str, tool_calls: Any = (), rounds: int = 0) -> None:
        super().__init__(message)
        self.tool_calls = list(tool_calls)
        self.rounds = rounds


class ConversationCrashedError(TurnError):
    """The conversation's actor failed by a defect while the turn ran, or was restarted. The conversation goes on with its history."""


class LoopClosedError(TurnError, RuntimeError):
    """The event loop that did the work has ended."""


class ActorError(LLMError):
    """The runtime could not do what was asked."""


class MailboxFullError(ActorError):
    """The mailbox holds as many messages as its bound allows; this one was not taken."""


class SystemShutdownError(ResponseCancelledError, ActorError):
    """The ActorSystem was shut down: it takes no more prompts, and turns that had not ended when their time was up were cancelled."""


class TooManyRestartsError(ActorError):
    """A supervisor gave up: its child `child` failed more than `intensity` times within `period`. `__cause__`: what it failed of last."""

    def __init__(self, message: str, child: str = "") -> None:
        super().__init__(message)
        self.child = child


class ConversationBusyError(ActorError):
    """A turn of this conversation has not ended, and it was made to take no prompt meanwhile; this one was not sent."""


class GroupEndedError(ActorError, RuntimeError):
    """A prompt, task or actor that a group was to take, or take to its end, when it had ended or was being cancelled."""


class BlockingWaitError(ActorError, RuntimeError):
    """A blocking wait on the thread of the loop that has to do the work would never end: await it instead."""


class DeadlockError(ActorError, RuntimeError):
    """A wait that would close a circle of waits: what it waits for waits, over however many steps, for the one who waits.

    Raised before the wait begins, also where it has a time limit. `chain`: who waits, each for the next and the last for the first.
    What was asked stays asked: a prompt whose `text()` raises this is answered when its turn comes, unless it is cancelled.
    """

    def __init__(self, message: str, chain: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.chain = chain


class BlocksLoopWarning(RuntimeWarning):
    """A blocking call was made inside a running event loop: it works, and nothing else runs there meanwhile."""


class AsyncioOnlyError(ActorError, RuntimeError):
    """Called under an event loop that is not asyncio's."""


class ToolStuckError(ActorError, RuntimeError):
    """A tool was not called, because earlier calls of it, or of its toolbox, hang and have not returned. The model reads it as a result."""


class UnknownModelError(LLMError, KeyError):
    """No model of this id. As a KeyError its `str()` carries quotes; the text is `args[0]`."""


class NoDefaultModelError(UnknownModelError):
    """No model was named, none is configured, and the embedded one is not installed. The text lists the ways to go on."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UserFileError(LLMError, ValueError):
    """A file in the user's folder can't be read, or is not of its form. Says which and where, never what is in it: it may hold keys."""


class OptionsError(LLMError, ValueError, TypeError):
    """An option the model does not have, given twice, or of the wrong type."""


class AttachmentError(LLMError, ValueError):
    """An attachment can't be read or fetched, is too large, or is of a type the model does not take."""


class ToolArgumentsError(LLMError, ValueError):
    """The arguments that a model gave for a tool are not JSON, or do not fit; the text tells the model what was expected."""


class SimulationError(LLMError, RuntimeError):
    """A program in virtual time can't go on: nothing can happen any more, or too much has. The text says what waits, and where."""


class CassetteMissError(LLMError, LookupError):
    """A request that is not on the cassette. The text shows how it differs from the nearest recorded one."""


class CancelToolCall(LLMError):  # noqa: N818 - the peer's name
    """Raise it in `before_call` to refuse a call: the model is told `Cancelled: text` and goes on."""


class PauseChain(LLMError):  # noqa: N818 - the peer's name
    """Raise it in a tool or in `before_call` to stop the chain until somebody resumes it.

    When it leaves the chain, `tool_call` is the call that paused and `tool_results` the results of its siblings, which have all finished.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.tool_call: Any = None
        self.tool_results: list[Any] = []


def options_error(error: msgspec.ValidationError, known: tuple[str, ...]) -> OptionsError:
    """The typed form of msgspec's complaint about options, with the names there are."""
    names = ", ".join(known) or "none"
    text = str(error).replace("Object contains unknown field", "Extra inputs are not permitted: unknown option")
    return OptionsError(f"{text}. Options of this model: {names}")


def redact(text: str, *secrets: str) -> str:
    """`text` with each secret (of four characters or more) replaced by `***`: providers echo keys in their errors."""
    for secret in secrets:
        if len(secret) >= 4:  # noqa: PLR2004 - a shorter "secret" would blank out ordinary words
            text = text.replace(secret, "***")
    return text
