"""What each provider demands of a history: strict validators, one file a provider, that raise `Refused` with the rule that is broken.

    body_of(messages)    our messages as the provider's codec writes them: what the head of each file says, the codec has to do
    check_body(body)     the provider's rules, on what goes over the wire; a codec's own output may be given to it
    check(messages)      both

The mapping mends only what its codec can mend alone. What takes the whole history (a call without its result, a result without its call, an
id used twice, a result in the wrong place) is never mended there: `repair()` in chat/history.py has to have done it.
"""

from llm_actors.messages import Message
from llm_actors.messages.parts import user

from . import anthropic, gemini, ollama, openai_chat, openai_responses
from .refused import Refused

PROVIDERS = {
    "anthropic": anthropic,
    "gemini": gemini,
    "ollama": ollama,
    "openai chat": openai_chat,
    "openai responses": openai_responses,
}

__all__ = ["PROVIDERS", "Refused", "check_all", "check_next"]


def check_all(messages: list[Message]) -> None:
    """Raises `Refused` unless every provider takes these messages as a request."""
    for name, provider in PROVIDERS.items():
        try:
            provider.check(messages)
        except Refused as refused:
            msg = f"{name}: {refused}\n{messages}"
            raise Refused(msg) from None


def check_next(messages: list[Message]) -> None:
    """Raises `Refused` unless every provider takes a next prompt behind these messages."""
    check_all([*messages, user("next")])
