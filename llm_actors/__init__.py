"""llm_actors: an actor runtime for LLM conversations, with the API of Simon Willison's `llm`.

    errors      every error, drawn as a tree          messages    prompts, messages, parts, events, usage: values
    observe     records of what happened              runtime     actors on event loops, awaitable futures (on Pykka)
    chat        conversation, turn, history, response, tools, models
    providers   one file per wire protocol, no I/O    transport   the pump that moves their bytes
    catalogue   which models exist, keys, aliases     actor_system   configuration; loop_engine: what one loop has
    model_listing   a provider's own list of its models
    shutdown, signals   the end of a system           system_tree, counters   what goes on in it, what did
    command     the command line                      testing     scripted servers for your tests       extras   one file per pip extra

`import llm_actors as llm` and go on as with `llm`: `llm.get_async_model("gpt-4o-mini").prompt("Hi")`.
"""

import logging as _logging
import typing

from .actor_system import ActorSystem, default_system
from .catalogue.keys import get_key, load_keys
from .catalogue.registry import (
    ModelWithAliases,
    get_async_model,
    get_async_model_aliases,
    get_async_models,
    get_default_model,
    get_model,
    get_model_aliases,
    get_models,
    get_models_with_aliases,
    register_model,
    register_prefix,
    remove_alias,
    set_alias,
    set_default_model,
    unregister_model,
)
from .catalogue.user_dir import user_dir
from .chat.budget import Budget, Price, Spent
from .chat.change import Change
from .chat.compaction import Compacting, Compaction
from .chat.conversation import AsyncConversation, Conversation
from .chat.conversation_view import ConversationView, TurnView
from .chat.failures import After, Compact, Fail, Failures, Fallback, GiveUp, Tell
from .chat.inheritance import current_scope, enter_scope
from .chat.model import (
    AsyncKeyModel,
    AsyncModel,
    KeyModel,
    Model,
)
from .chat.response import AsyncResponse, Response
from .chat.running_code import cancelled
from .chat.schema import schema_dsl
from .chat.scope import Deadline, Scope
from .chat.tools import ServerSideTool, Tool, Toolbox
from .counters import Counters
from .errors import (
    ActorError,
    AsyncioOnlyError,
    AttachmentError,
    AuthenticationError,
    BlockingWaitError,
    BlocksLoopWarning,
    BudgetExceeded,
    CancelToolCall,
    CassetteMissError,
    ChainLimitError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    ConversationBusyError,
    ConversationCrashedError,
    DeadlineExceededError,
    DeadlockError,
    EngineError,
    GroupEndedError,
    IncompleteAnswerError,
    InvalidRequestError,
    LLMError,
    LoopClosedError,
    MailboxFullError,
    ModelError,
    ModelTimeoutError,
    NeedsKeyException,
    NoDefaultModelError,
    NoPriceError,
    OptionsError,
    OverloadedError,
    PauseChain,
    ProtocolError,
    ProviderError,
    QuotaExhaustedError,
    RateLimitError,
    RepeatedToolCallsError,
    ResponseCancelledError,
    ServerError,
    SimulationError,
    StreamTruncatedError,
    SystemShutdownError,
    ToolArgumentsError,
    ToolCrashedError,
    ToolStuckError,
    TooManyRestartsError,
    TurnError,
    UnknownModelError,
    UserFileError,
)
from .messages import (
    Answer,
    Attachment,
    AttachmentPart,
    Event,
    Message,
    Options,
    Part,
    Prompt,
    ReasoningPart,
    Secret,
    StreamEvent,
    TextPart,
    ToolCall,
    ToolCallPart,
    ToolOutput,
    ToolResult,
    ToolResultPart,
    Usage,
    assistant,
    system,
    tool_message,
    user,
)
from .providers.protocol import Limits, Timeouts
from .runtime import Actor, Down, Monitor
from .runtime.later import later as _later
from .shutdown import AbandonedCall, ShutdownReport

if typing.TYPE_CHECKING:
    from .catalogue.endpoints import endpoint
    from .catalogue.provider_info import ProviderInfo, get_providers, keep_models
    from .chat.compaction_policies import DropOldest, Summarise
    from .chat.group import Group
    from .chat.tool_pool import PoolStats
    from .model_listing import list_models
    from .providers.model_list import ListedModel
    from .runtime import Backoff, Child, ChildStatus, SupervisorRef, Topic
    from .runtime.actor_view import ActorView
    from .signals import ShutdownSignals
    from .system_tree import LoopView, SystemTree
else:
    # Imported when they are first named: see tests/benchmarks/README.md, B8.
    __getattr__, __dir__ = _later(
        __name__,
        ActorView="runtime.actor_view",
        Backoff="runtime",
        Child="runtime",
        ChildStatus="runtime",
        DropOldest="chat.compaction_policies",
        Group="chat.group",
        ListedModel="providers.model_list",
        LoopView="system_tree",
        PoolStats="chat.tool_pool",
        ProviderInfo="catalogue.provider_info",
        ShutdownSignals="signals",
        Summarise="chat.compaction_policies",
        SupervisorRef="runtime",
        SystemTree="system_tree",
        Topic="runtime",
        endpoint="catalogue.endpoints",
        get_providers="catalogue.provider_info",
        keep_models="catalogue.provider_info",
        list_models="model_listing",
    )

__all__ = [
    "AbandonedCall",
    "Actor",
    "ActorError",
    "ActorSystem",
    "ActorView",
    "After",
    "Answer",
    "AsyncConversation",
    "AsyncKeyModel",
    "AsyncModel",
    "AsyncResponse",
    "AsyncioOnlyError",
    "Attachment",
    "AttachmentError",
    "AttachmentPart",
    "AuthenticationError",
    "Backoff",
    "BlockingWaitError",
    "BlocksLoopWarning",
    "Budget",
    "BudgetExceeded",
    "CancelToolCall",
    "CassetteMissError",
    "ChainLimitError",
    "Change",
    "Child",
    "ChildStatus",
    "Compact",
    "Compacting",
    "Compaction",
    "ConnectionFailedError",
    "ContentFilterError",
    "ContextLengthError",
    "Conversation",
    "ConversationBusyError",
    "ConversationCrashedError",
    "ConversationView",
    "Counters",
    "Deadline",
    "DeadlineExceededError",
    "DeadlockError",
    "Down",
    "DropOldest",
    "EngineError",
    "Event",
    "Fail",
    "Failures",
    "Fallback",
    "GiveUp",
    "Group",
    "GroupEndedError",
    "IncompleteAnswerError",
    "InvalidRequestError",
    "KeyModel",
    "LLMError",
    "Limits",
    "ListedModel",
    "LoopClosedError",
    "LoopView",
    "MailboxFullError",
    "Message",
    "Model",
    "ModelError",
    "ModelTimeoutError",
    "ModelWithAliases",
    "Monitor",
    "NeedsKeyException",
    "NoDefaultModelError",
    "NoPriceError",
    "Options",
    "OptionsError",
    "OverloadedError",
    "Part",
    "PauseChain",
    "PoolStats",
    "Price",
    "Prompt",
    "ProtocolError",
    "ProviderError",
    "ProviderInfo",
    "QuotaExhaustedError",
    "RateLimitError",
    "ReasoningPart",
    "RepeatedToolCallsError",
    "Response",
    "ResponseCancelledError",
    "Scope",
    "Secret",
    "ServerError",
    "ServerSideTool",
    "ShutdownReport",
    "ShutdownSignals",
    "SimulationError",
    "Spent",
    "StreamEvent",
    "StreamTruncatedError",
    "Summarise",
    "SupervisorRef",
    "SystemShutdownError",
    "SystemTree",
    "Tell",
    "TextPart",
    "Timeouts",
    "TooManyRestartsError",
    "Tool",
    "ToolArgumentsError",
    "ToolCall",
    "ToolCallPart",
    "ToolCrashedError",
    "ToolOutput",
    "ToolResult",
    "ToolResultPart",
    "ToolStuckError",
    "Toolbox",
    "Topic",
    "TurnError",
    "TurnView",
    "UnknownModelError",
    "Usage",
    "UserFileError",
    "assistant",
    "cancelled",
    "current_scope",
    "default_system",
    "endpoint",
    "enter_scope",
    "get_async_model",
    "get_async_model_aliases",
    "get_async_models",
    "get_default_model",
    "get_key",
    "get_model",
    "get_model_aliases",
    "get_models",
    "get_models_with_aliases",
    "get_providers",
    "keep_models",
    "list_models",
    "load_keys",
    "register_model",
    "register_prefix",
    "remove_alias",
    "schema_dsl",
    "set_alias",
    "set_default_model",
    "system",
    "tool_message",
    "unregister_model",
    "user",
    "user_dir",
]

_logging.getLogger("llm_actors").addHandler(_logging.NullHandler())
