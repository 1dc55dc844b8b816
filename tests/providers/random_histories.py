"""Random histories and answers for the round trips of every provider: the same seed always gives the same.

    for seed in range(1_000):
        talk = random_history(seed, "anthropic")            # what a request may carry: valid, and somebody waits for an answer
        answer = random_answer(Random(seed), "anthropic")   # the parts of an answer, for the provider's own wire to be written in

A history grows as a conversation does, by entries: prompts with attachments, answers with thinking, text and parallel calls, results with
errors and files, turns that were withdrawn, answers that were interrupted, calls that nobody has answered. Its answers come from several
providers, each with what only that one understands; ids are those that others gave (too long, with odd letters, none, or the same again).
"""

from random import Random
from typing import Any

from llm_actors.chat.history import (
    Answered,
    CallRecord,
    History,
    Replaced,
    Returned,
    Said,
    Withdrawn,
    interrupted_messages,
)
from llm_actors.messages import Attachment, Message, ToolCallPart, ToolResultPart
from llm_actors.messages.parts import AnyPart, AttachmentPart, ReasoningPart, TextPart, user

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6\0\0\0\x1f\x15\xc4\x89"
PDF = b"%PDF-1.4\n%%EOF\n"
WAV = b"RIFF\x24\0\0\0WAVEfmt "

FILES: dict[str, Attachment] = {
    "image": Attachment(type="image/png", content=PNG),
    "image url": Attachment(type="image/jpeg", url="https://example.com/a.jpg"),
    "pdf": Attachment(type="application/pdf", content=PDF),
    "text": Attachment(type="text/plain", content="Grüße\n".encode()),
    "audio": Attachment(type="audio/wav", content=WAV),
}
"""What a test may hang on a prompt, by kind; a provider names those that it takes."""

PROVIDERS = ("anthropic", "gemini", "ollama", "openai", "openai-responses")
TOOLS = ("look", "count_words", "send-mail", "now")

_TEXTS = (
    "hi",
    "Grüße aus Zürich",
    "a b\u2028c\u0085d",
    "👋🏽 family: 👨‍👩‍👧",
    'quotes " and \\ and \n new lines\n',
    " leading and trailing ",
    "data: [DONE]\n\nevent: error",
    "</tool_call><think>",
    "x" * 300,
    "\t \n",
)
_VALUES: tuple[Any, ...] = (1, 0, -2.5, True, None, "ü\u2028", "", [1, [2, {}]], {"a": {"b": "c"}}, "0" * 40, 2**40)


def random_history(
    seed: int,
    provider: str = "openai",
    *,
    files: tuple[str, ...] = ("image", "pdf"),
    providers: tuple[str, ...] = PROVIDERS,
) -> list[Message]:
    """Messages for a request: what `History.messages()` gives, with a prompt or a tool's results at the end.

    `files`: the kinds of attachments, of FILES. `provider`: the one that speaks most often; the others are of `providers`.
    """
    random = Random(seed)
    history = History()
    for number in range(random.randint(0, 5)):
        _turn(random, history, f"t{number}", provider if random.random() < 0.6 else random.choice(providers), files)
        if random.random() < 0.05:
            kept = tuple(history.messages()[-2:])
            history.append(Replaced(f"t{number}", (user("What was said so far, in short."), *kept), compacted=True))
    _asked(random, history, "last", files)
    if random.random() < 0.3:  # in the middle of a chain
        calls = _answered(random, history, "last", provider)
        _returned(random, history, "last", calls, files)
        if not calls:
            _asked(random, history, "next", files)
    return history.messages()


def random_answer(random: Random, provider: str, *, calls: bool = True, ids: bool = True) -> list[AnyPart]:
    """The parts of an answer as its provider may send it: thinking, perhaps text, perhaps calls. At least one.

    `ids`: whether calls have one (Gemini's older models and old Ollamas give none).
    """
    parts: list[AnyPart] = [random_reasoning(random, provider) for _ in range(random.choice((0, 0, 1, 1, 2)))]
    if random.random() < 0.8:
        parts.append(TextPart(random_text(random)))
    made = [random_call(random, provider) for _ in range(random.choice((0, 0, 0, 1, 1, 2, 3)) if calls else 0)]
    for number, call in enumerate(made):
        call_id = f"{call.tool_call_id}{number}" if ids and call.tool_call_id else None
        parts.append(ToolCallPart(call.name, call.arguments, call_id, provider_metadata=call.provider_metadata))
        if random.random() < 0.1:
            parts.append(random_reasoning(random, provider))
    return parts or [TextPart("so")]


def random_text(random: Random) -> str:
    """A text that is not empty, though it may be blank."""
    return "".join(random.choices(_TEXTS, k=random.choice((1, 1, 1, 2, 3))))


def random_arguments(random: Random) -> dict[str, Any]:
    """The arguments of a call."""
    return {
        random.choice(("n", "city", "ü", "")): random.choice(_VALUES) for _ in range(random.choice((0, 1, 1, 2, 3)))
    }


def random_reasoning(random: Random, provider: str) -> ReasoningPart:
    """Thinking as the provider keeps it; some of it hidden, and some without what it takes to send it back."""
    text = random.choice(("hm", "let me see", "ä\nb", ""))
    secret = f"{random.getrandbits(64):x}"
    if provider == "anthropic":
        if random.random() < 0.3:
            return ReasoningPart("", redacted=True, provider_metadata={"anthropic": {"data": secret}})
        return ReasoningPart(text, redacted=not text, provider_metadata={"anthropic": {"signature": secret}})
    if provider == "gemini":
        return ReasoningPart(
            text or "hm", provider_metadata={"gemini": {"thoughtSignature": secret}} if random.random() < 0.5 else None
        )
    if provider == "openai-responses":
        own = {"id": f"rs_{secret}", "encrypted_content": secret}
        return ReasoningPart(text, redacted=not text, provider_metadata={"openai": own})
    return ReasoningPart(text or "hm")


def random_call(random: Random, provider: str) -> ToolCallPart:
    """A call with an id as the provider, or a server that speaks its wire, gives them."""
    number = random.randint(0, 3)
    ids: dict[str, tuple[str | None, ...]] = {
        "anthropic": (f"toolu_{random.getrandbits(60):x}", f"toolu_{random.getrandbits(60):x}", f"look:{number}"),
        "gemini": (None, None, f"fc-{random.getrandbits(40):x}"),
        "ollama": (None, f"call_{number}"),
        "openai": (
            f"call_{number}",
            f"call_{random.getrandbits(60):x}",
            f"functions.look:{number}",
            "x" * 70 + str(number),
        ),
        "openai-responses": (f"call_{random.getrandbits(60):x}", f"call_{random.getrandbits(60):x}"),
    }
    metadata = None
    if provider == "gemini" and random.random() < 0.7:
        metadata = {"gemini": {"thoughtSignature": f"{random.getrandbits(64):x}"}}
    name = random.choice(TOOLS)
    return ToolCallPart(name, random_arguments(random), random.choice(ids[provider]), provider_metadata=metadata)


def _turn(random: Random, history: History, turn: str, provider: str, files: tuple[str, ...]) -> None:
    _asked(random, history, turn, files)
    fate = random.random()
    if fate < 0.1:
        history.append(Withdrawn(turn))
    elif fate < 0.25:
        partial = [Message("assistant", random_answer(random, provider))]
        history.append(
            Answered(turn, interrupted_messages(partial, "cancelled"), CallRecord("r"), interrupted="cancelled")
        )
    else:
        for _ in range(random.choice((1, 1, 2, 3))):
            calls = _answered(random, history, turn, provider)
            if not calls:
                break
            if random.random() < 0.15:  # cancelled, or crashed, while its tools ran: some results are missing
                calls = random.sample(calls, random.randint(0, len(calls) - 1))
                _returned(random, history, turn, calls, files)
                break
            _returned(random, history, turn, calls, files)


def _asked(random: Random, history: History, turn: str, files: tuple[str, ...]) -> None:
    if random.random() < 0.3:
        history.append(Said(turn, Message("system", [TextPart(random.choice(("be short", "be long", " ")))])))
    parts: list[AnyPart] = [TextPart(random_text(random))]
    if files and random.random() < 0.25:
        names = random.choices(files, k=random.choice((1, 2)))
        parts += [AttachmentPart(FILES[name]) for name in names]
        random.shuffle(parts)
    history.append(Said(turn, Message("user", parts)))


def _answered(random: Random, history: History, turn: str, provider: str) -> list[ToolCallPart]:
    parts = random_answer(random, provider)
    history.append(Answered(turn, (Message("assistant", parts),), CallRecord("r")))
    return [part for part in parts if isinstance(part, ToolCallPart)]


def _returned(random: Random, history: History, turn: str, calls: list[ToolCallPart], files: tuple[str, ...]) -> None:
    """Results as the tools end: in any order."""
    for call in random.sample(calls, len(calls)):
        output = random.choice(("", "42", '{"a": 1}', random_text(random)))
        failure = "ValueError: no" if random.random() < 0.2 else None
        attached = [FILES[random.choice(files)]] if files and random.random() < 0.15 else []
        history.append(
            Returned(
                turn, ToolResultPart(call.name, output, call.tool_call_id, exception=failure, attachments=attached)
            )
        )
