"""Servers that speak OpenAI's chat completions, in one table: where they are, where their key is, and how they deviate.

above it   presets.py
below it   preset.py, the dialects of chat completions

Any model of theirs is there by its id: `groq/llama-3.3-70b-versatile`. Each row has the document that it was written from (as of 2026-11);
what it says of single servers stands beside it, with its source where that is another.
"""

from typing import Final

from llm_actors.providers.openai_dialect import LLAMA_CPP, ChatDialect

from .address import PICTURES
from .preset import Preset, Row

# The two names of one limit; OpenAI has the new one, and takes the old one for old models only.
_NEW: Final = "max_completion_tokens"
_OLD: Final = "max_tokens"
_SEES = Row("", attachment_types=PICTURES)
# A server of one's own may not reach the URLs that we do: files go as bytes.
_AT_HOME = ChatDialect(fetches_urls=False)


def _hosted(name: str, base_url: str, source: str, dialect: ChatDialect, any_model: Row = _SEES, **more: str) -> Preset:
    upper = name.upper()
    return Preset(
        name=name,
        wire="openai-chat",
        base_url=base_url,
        base_url_var=more.get("base_url_var", f"{upper}_BASE_URL"),
        key_env_var=more.get("key_env_var", f"{upper}_API_KEY"),
        dialect=dialect,
        base_url_path=more.get("base_url_path", ""),
        any_model=any_model,
        source=source,
    )


def _at_home(name: str, base_url: str, source: str, key_env_var: str, dialect: ChatDialect = _AT_HOME) -> Preset:
    return Preset(
        name=name,
        wire="openai-chat",
        base_url=base_url,
        base_url_var=f"{name.upper()}_BASE_URL",
        key_env_var=key_env_var,
        dialect=dialect,
        needs_key=False,
        any_model=_SEES,
        source=source,
    )


COMPATIBLE = (
    _hosted(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "https://openrouter.ai/docs/api/reference/overview",
        # Its reasoning_details go back unchanged; all models take `exclude`: https://openrouter.ai/docs/use-cases/reasoning-tokens
        ChatDialect(
            reasoning_echo="always", reasoning_field="reasoning", hide_reasoning={"reasoning": {"exclude": True}}
        ),
        Row("", attachment_types=PICTURES | {"application/pdf"}),
    ),
    _hosted(
        "groq",
        "https://api.groq.com/openai/v1",
        "https://console.groq.com/docs/openai",
        ChatDialect(token_limit=_NEW),
        base_url_path="/openai/v1",  # Groq's own client has it in its paths
    ),
    _hosted(
        "mistral",
        "https://api.mistral.ai/v1",
        "https://docs.mistral.ai/api",
        # It refuses fields it does not know, stream_options among them, and counts without being asked (posit-dev/chatlas#145); ids
        # of calls have 9 letters and digits (anomalyco/opencode#1680); after a tool it takes no user before the assistant has spoken
        # (avante-corp/avante.nvim#2695).
        ChatDialect(
            token_limit=_OLD,
            include_usage=False,
            call_id_length=9,
            after_results="OK.",
            renamed={"seed": "random_seed"},
        ),
    ),
    _hosted(
        "deepseek",
        "https://api.deepseek.com",
        "https://api-docs.deepseek.com",
        # Thinking goes back with tool calls, or it answers 400: https://api-docs.deepseek.com/guides/thinking_mode. It has a JSON mode, and
        # no schema: https://api-docs.deepseek.com/guides/json_mode
        ChatDialect(token_limit=_OLD, reasoning_echo="with_tools", reasoning_field="reasoning_content"),
        Row("", attachment_types=frozenset(), supports_schema=False),
    ),
    _hosted(
        "xai",
        "https://api.x.ai/v1",
        "https://docs.x.ai/docs/api-reference",
        ChatDialect(token_limit=_NEW),
    ),
    _hosted(
        "together",
        "https://api.together.xyz/v1",
        "https://docs.together.ai/docs/openai-api-compatibility",
        ChatDialect(token_limit=_OLD),
    ),
    _hosted(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        "https://docs.fireworks.ai/tools-sdks/openai-compatibility",
        ChatDialect(token_limit=_OLD),
        base_url_path="/inference/v1",
    ),
    _hosted(
        "azure",
        "",  # https://RESOURCE.openai.azure.com; the ids are the names of deployments
        "https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle",
        ChatDialect(key_header="api-key", longest_call_id=40),
        Row("", attachment_types=PICTURES | {"application/pdf"}),
        base_url_var="AZURE_OPENAI_ENDPOINT",
        key_env_var="AZURE_OPENAI_API_KEY",
        base_url_path="/openai/v1",  # the API without dated versions
    ),
    _at_home(
        "vllm",
        "http://127.0.0.1:8000/v1",
        "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        "VLLM_API_KEY",
    ),
    _at_home(
        "llamacpp",
        "http://127.0.0.1:8080/v1",
        "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        "LLAMA_API_KEY",
        LLAMA_CPP,
    ),
    _at_home("lmstudio", "http://127.0.0.1:1234/v1", "https://lmstudio.ai/docs/api/openai-api", "LM_API_TOKEN"),
    _at_home(
        "sglang",
        "http://127.0.0.1:30000/v1",
        "https://docs.sglang.io/docs/basic_usage/openai_api_completions.md",
        "SGLANG_API_KEY",
    ),
)
