"""What the script says in prose. Each answer begins with `[scripted]`: nobody may take it for a model's.

above it   scripted.py
below it   scripted_words.py
"""

import json
import re

from llm_actors.messages import ToolCallPart, ToolResultPart

from .scripted_words import Evidence

MARK = "[scripted]"

_LONGEST = 400  # characters of a tool's output, or of a prompt, that an answer repeats

_PET_NAMES = (
    *(
        "Gulliver",
        "Scoop",
        "Admiral Gulp",
        "Pouchita",
        "Bill Ding",
        "Marlin Brando",
        "Sir Dips",
        "Lagoona",
        "Captain Flap",
        "Beakon",
    ),
)
_FACTS = {
    "pelican": (
        "A pelican's pouch holds about three times as much as its stomach.",
        "There are eight living species of pelicans.",
        "Brown pelicans dive for fish from the air; most others fish while they swim.",
        "A pelican drains the water out of its pouch before it swallows.",
        "Fossil pelicans of 30 million years ago have much the same beak as today's.",
    ),
    "skunk": (
        "A skunk can spray about three metres far.",
        "Before it sprays, a skunk stamps its feet and raises its tail.",
        "Spotted skunks stand on their front paws as a warning.",
        "The smell comes from sulphur compounds called thiols.",
        "Great horned owls hunt skunks all the same.",
    ),
    "flamingo": (
        "Flamingos get their colour from what they eat.",
        "Flamingo chicks hatch with grey down.",
        "A flamingo eats with its head upside down.",
        "Flamingos often rest on one leg.",
        "A group of flamingos is called a flamboyance.",
    ),
}


def prose(prompts: list[str], system: str, attachments: list[str]) -> str:
    """The answer to the last of the user's prompts; `attachments` are media types. The same input gives the same answer."""
    prompt = prompts[-1] if prompts else ""
    known = _names(prompt) or _facts(prompts) or _poem(prompt)
    if known is not None and not attachments:
        return f"{MARK} {known}"
    said = [
        f"You said: {_short(prompt)}" if prompt else "You said nothing.",
        f"This is prompt {len(prompts)} of this conversation.",
    ]
    if system:
        said.append(f"System prompt: {_short(system)}")
    if attachments:
        said.append(f"Attachments: {', '.join(attachments)}.")
    return " ".join([MARK, *said, "There is no language model behind this answer."])


def about_results(calls: list[tuple[ToolCallPart | None, ToolResultPart]]) -> str:
    """The answer after tool calls: each call, and what it gave."""
    told = [
        f"{_spelled(call, result)} {'failed: ' if result.exception else 'gave '}{_short(result.output)}"
        for call, result in calls
    ]
    return f"{MARK} {'; '.join(told)}."


def _spelled(call: ToolCallPart | None, result: ToolResultPart) -> str:
    if call is None:
        return result.name
    arguments = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in call.arguments.items())
    return f"{call.name}({arguments})"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _names(prompt: str) -> str | None:
    asked = re.search(r"\bnames?\b.*\bfor\s+(?:an?\s+|the\s+|my\s+)?(.+?)[.?!]*$", prompt, re.IGNORECASE | re.DOTALL)
    if asked is None:
        return None
    count = min(Evidence(prompt).count() or 1, len(_PET_NAMES))
    listed = " ".join(f"{number}. {name}" for number, name in enumerate(_PET_NAMES[:count], 1))
    return f"Names for a {_short(asked[1])}, from a fixed list: {listed}"


def _facts(prompts: list[str]) -> str | None:
    """Facts about an animal that is known; also after `Now do skunks`, when the prompts before asked for facts."""
    asked = [bool(re.search(r"\bfacts?\b", prompt, re.IGNORECASE)) for prompt in prompts]
    follows = (
        len(prompts) > 1 and re.match(r"(?:and|now|what about|how about)\b", prompts[-1], re.IGNORECASE) is not None
    )
    if not prompts or not (asked[-1] or (follows and any(asked))):
        return None
    animal = next((animal for animal in _FACTS if re.search(rf"\b{animal}s?\b", prompts[-1], re.IGNORECASE)), None)
    if animal is None:
        return None
    facts = _FACTS[animal][: Evidence(prompts[-1]).count() or len(_FACTS[animal])]
    return " ".join(f"{number}. {fact}" for number, fact in enumerate(facts, 1))


def _poem(prompt: str) -> str | None:
    asked = re.search(r"\bpoem\b.*\babout\s+(?:an?\s+|the\s+)?([\w -]+)", prompt, re.IGNORECASE)
    if asked is None:
        return None
    thing = asked[1].strip()
    lines = (
        f"A {thing} lay still the whole day long",
        "and never asked for praise or song;",
        f"the script that wrote this {thing} a rhyme",
        "will write the same one every time.",
    )
    return "\n".join(lines)
