"""What a script finds in a prompt without understanding it: words, numbers, quoted texts, names, parts.

above it   scripted_calls.py, scripted_values.py, scripted_answers.py
below it   nothing
"""

import re

_SMALL = (
    "a about an and are as at be by can could did do does for from give going got has have how i in into is it its like me my now of on "
    "or our please show so some tell than that the their then there this to today tool us was we what whats when where which who will "
    "with would you your"
)
STOP = frozenset(_SMALL.split())
"""Words that say little, so they neither choose a tool nor become an argument."""

COMMANDS = frozenset(["call", "find", "get", "give", "look", "make", "run", "search", "up", "use", "using"])

SYNONYMS = {
    "find": ("search",),
    "lookup": ("search",),
    "google": ("search", "web"),
    "news": ("web", "search"),
    "plus": ("add", "sum"),
    "add": ("sum",),
    "sum": ("add",),
    "times": ("multiply",),
    "minus": ("subtract",),
    "capitalize": ("upper",),
    "uppercase": ("upper",),
    "lowercase": ("lower",),
    "greet": ("hello",),
    "hot": ("weather", "temperature"),
    "cold": ("weather", "temperature"),
    "rain": ("weather",),
}

_NUMBERS = "one two three four five six seven eight nine ten eleven twelve"
COUNTS = {word: count for count, word in enumerate(_NUMBERS.split(), 1)}

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_NAME_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
_QUOTED = re.compile(r'"([^"]+)"|\u201c([^\u201d]+)\u201d|`([^`]+)`|(?<!\w)\'([^\']+)\'(?!\w)')
_PROPER = re.compile(r"(?<![\w'])[A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)*")
_PARTS = re.compile(r"\s*(?:[;\n]|[,.!?](?=\s)|,?\s+(?:and\s+then|then|and)(?=\s))\s*")


def words(text: str) -> list[str]:
    """The words, in lower case; degrees as words."""
    spelled = text.replace("\u00b0C", " celsius ").replace("\u00b0F", " fahrenheit ")
    return [found.lower() for found in _WORD.findall(spelled)]


def stem(word: str) -> str:
    """A word without its commonest English endings, so that `converts` meets `convert`."""
    word = word.lower().removesuffix("'s").removesuffix("\u2019s")
    for ending, least in (("ing", 6), ("ed", 5), ("s", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    return word.removesuffix("e") if len(word) > 3 else word  # noqa: PLR2004 - "the", "one" stay


def stems(text: str) -> set[str]:
    """The stems of the words that say something, and of their synonyms."""
    found: set[str] = set()
    for word in words(text):
        if word not in STOP:
            found.update(stem(each) for each in (word, *SYNONYMS.get(word, ())))
    return found


def name_words(name: str) -> list[str]:
    """The words in a name: `celsius_to_fahrenheit`, `Files_readText`."""
    return [word.lower() for word in _NAME_WORD.findall(name)]


def parts(text: str) -> list[str]:
    """A prompt cut at `then`, `and`, commas and ends of sentences; quoted texts stay whole."""
    quoted = [match.span() for match in _QUOTED.finditer(text)]
    found: list[str] = []
    begin = 0
    for cut in _PARTS.finditer(text):
        if not any(start < cut.end() and cut.start() < end for start, end in quoted):
            found.append(text[begin : cut.start()])
            begin = cut.end()
    found.append(text[begin:])
    return [part for part in found if _WORD.search(part)] or [text]


def trimmed(text: str, without: set[str]) -> str:
    """The middle of a text: from its first to its last word that is neither a small word nor in `without` (stems)."""
    found = [
        match
        for match in _WORD.finditer(text)
        if match[0].lower() not in STOP | COMMANDS and stem(match[0]) not in without and not match[0].isdigit()
    ]
    return text[found[0].start() : found[-1].end()] if found else ""


def number(text: str) -> int | float:
    """A number as written, thousands' commas left out."""
    plain = text.replace(",", "")
    return int(plain) if re.fullmatch(r"-?\d+", plain) else float(plain)


class Evidence:
    """What can be taken out of one text, piece by piece: each number, quoted text and name is used once.

    `begins`: the text begins a sentence, so that the capital of its first word says nothing.
    """

    def __init__(self, text: str, *, begins: bool = True) -> None:
        self.text = text
        self.quoted = [next(filter(None, groups)) for groups in _QUOTED.findall(text)]
        self.numbers = [number(found) for found in _NUMBER.findall(text)]
        self.names = _proper_names(text, begins=begins)

    def labelled(self, label: str) -> str | None:
        """The value written beside its name: `age: 5`, `city = "Paris"`, `named Cleo` for `name`."""
        spelled = r"[\s_-]*".join(map(re.escape, name_words(label))) or re.escape(label)
        found = re.search(
            rf"\b{spelled}(?:\s*[:=]\s*|\s+(?:is|of)\s+|\s+(?=\d))(?:\"([^\"]+)\"|([^\s,;]+))", self.text, re.IGNORECASE
        )
        if found is None and label == "name":
            found = re.search(r"\b(?:named|called)\s+(?:\"([^\"]+)\"|([\w-]+))", self.text)
        return (found[1] or found[2].rstrip(".!?")) if found else None

    def count(self) -> int | None:
        """How many the text asks for: a number as a word up to twelve, else in digits before a word: `3 dogs`, not `age 3`."""
        for word in words(self.text):
            if word in COUNTS:
                return COUNTS[word]
        found = re.search(r"(?<![\w.-])([1-9]\d{0,5})\s+[A-Za-z]", self.text)
        return int(found[1]) if found else None


def _proper_names(text: str, *, begins: bool) -> list[str]:
    """Words with a capital that don't begin a sentence: names, most likely."""
    found: list[str] = []
    for match in _PROPER.finditer(text):
        before = text[: match.start()].rstrip()
        each = match[0].split()
        opens = before[-1] in ".!?:\n" if before else begins
        if opens or each[0].lower() in STOP | COMMANDS | SYNONYMS.keys():
            each = each[1:]
        if each and each != ["I"]:
            found.append(" ".join(each))
    return found
