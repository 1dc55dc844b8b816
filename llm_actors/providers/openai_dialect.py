"""How servers of chat completions differ, and which options they take: data.

above it   the catalogue's presets, openai_chat.py, openai_chat_request.py
below it   messages
"""

from typing import Annotated, Any, Literal

import msgspec

from llm_actors.messages import Options

ReasoningEcho = Literal["never", "with_tools", "always"]


class ChatDialect(msgspec.Struct, frozen=True, kw_only=True):
    """The deviations of one family of servers. The defaults are OpenAI's.

    `token_limit`: the field for `max_tokens`; None: `max_completion_tokens` for OpenAI's reasoning models by their id, else
    `max_tokens`. `include_usage`: ask for the usage of a stream (some servers answer 400 to that). `always_stream`: also when no
    stream is wanted, for servers that only stop a streamed answer when its connection closes. `reasoning_echo`: send the thinking
    back with assistant messages, in `reasoning_field`, or None: in the field it came in; `with_tools` as DeepSeek wants it, on
    messages with tool calls and there always, `always` as OpenRouter does. `hide_reasoning`: fields that keep the server from
    showing its thinking. `parallel_tool_calls`: sent with tools unless None. `strict_schema`: ask for strict structured output.
    `merge_users`: join consecutive user messages. `null_content`: an assistant message of tool calls alone has the content null,
    else "". `done_is_proof`: `[DONE]` ends an answer of a server that never gives a finish_reason. `key_header`: None for a bearer
    token. `longest_call_id`: ids of tool calls that are longer, as other providers', are shortened; None where a server may read its own
    ids (LiteLLM keeps signatures in them). `call_id_length`: ids are of exactly so many letters and digits, others are replaced.
    `after_results`: what the assistant is made to say between a tool's results and a user's message, where a server takes none there.
    `renamed`: options that have another name on the wire.

    `force_tool_prefill`: for models too small to decide. With tools offered, the answer is forced into a tool call that begins with
    this text, and ends with `force_tool_stop`, or with as many calls as the model likes; once the last word is a tool's result no tools
    are offered, so that the model answers. `bounds`: the most characters of a string and items of a list in an answer by a schema and in
    a call's arguments, where the schema says nothing: such a model may never come to an end.
    """

    token_limit: Literal["max_tokens", "max_completion_tokens"] | None = None
    include_usage: bool = True
    always_stream: bool = False
    system_role: str = "system"
    reasoning_echo: ReasoningEcho = "never"
    reasoning_field: str | None = None
    hide_reasoning: dict[str, Any] = {}
    parallel_tool_calls: bool | None = None
    strict_schema: bool = False
    force_tool_prefill: str | None = None
    force_tool_stop: str | None = None
    bounds: tuple[int, int] | None = None
    merge_users: bool = False
    null_content: bool = True
    done_is_proof: bool = False
    fetches_urls: bool = True
    key_header: str | None = None
    call_id_length: int | None = None
    after_results: str | None = None
    renamed: dict[str, str] = {}
    longest_call_id: int | None = None


OPENAI = ChatDialect(longest_call_id=40)
"""OpenAI itself. An id of more than 40 characters was answered with "string too long" (vercel/ai#8132, BerriAI/litellm#17343)."""

LLAMA_CPP = ChatDialect(always_stream=True, null_content=False, fetches_urls=False)
"""llama.cpp's server, with a model that decides for itself whether to call a tool."""

EMBEDDED = msgspec.structs.replace(
    LLAMA_CPP, force_tool_prefill="<tool_call>\n", force_tool_stop="</tool_call>", bounds=(100, 10)
)
"""llama.cpp's server with the ChatML template of the embedded model. One call a round: its second one is a copy of the first."""

_Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
_Bias = Annotated[int, msgspec.Meta(ge=-100, le=100)]


class ChatOptions(Options):
    """The options of chat completions, with the ranges of OpenAI's reference.

    `json_object`: answer with some JSON object; the prompt must say so.
    """

    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    frequency_penalty: _Penalty | None = None
    presence_penalty: _Penalty | None = None
    stop: str | list[str] | None = None
    logit_bias: dict[str | int, _Bias] | str | None = None
    seed: int | None = None
    json_object: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: str | None = None
    image_detail: Literal["low", "high", "original", "auto"] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.logit_bias, str):
            self.logit_bias = _bias_of_text(self.logit_bias)


def _bias_of_text(text: str) -> dict[str | int, _Bias]:
    """The bias given as JSON text, as on a command line. Raises `ValueError`."""
    try:
        return msgspec.json.decode(text, type=dict[str | int, _Bias])
    except msgspec.DecodeError as error:
        msg = f"logit_bias is not a JSON object of token ids and numbers from -100 to 100: {error}"
        raise ValueError(msg) from None
