"""What the catalogue knows of a provider and of one of its models, as values.

above it   presets.py, compatible.py, model_files.py
below it   chat's Price
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llm_actors.chat.budget import Price
from llm_actors.providers.protocol import Timeouts

from .address import PICTURES, check_address

SEEN_AND_READ = PICTURES | {"application/pdf"}


@dataclass(frozen=True)
class Row:
    """One model: its id (ours and the wire's), aliases, what it can do, and what it costs where that is published."""

    model_id: str
    aliases: tuple[str, ...] = ()
    attachment_types: frozenset[str] = SEEN_AND_READ
    supports_schema: bool = True
    supports_tools: bool = True
    can_stream: bool = True
    context_size: int | None = None
    price: Price | None = None


@dataclass(frozen=True)
class Preset:
    """One provider. `name` is also the prefix of its family (`openai/ANY-ID`) and the name of its key in keys.json.

    `base_url` empty: only the user knows it, and gives it by `base_url_var`. `base_url_path`: what an address by that variable is
    completed with unless it ends so; the vendors' own clients leave it out there. `needs_key`: servers of one's own mostly want none.
    `dialect`: a ChatDialect, or the name of one. `rows`: models, where no file has them (model_files.py). `any_model`: what an id that has
    no row is taken to be able to do. `source`: the document that says so. `of`: the preset of the same provider on another wire, of which
    it has the name, the key, and what is known of single models. `read_base_url`: makes a base URL of what the variable holds, or raises
    `ValueError` with its name.
    """

    name: str
    wire: str
    base_url: str
    base_url_var: str | None
    key_env_var: str
    rows: tuple[Row, ...] = ()
    dialect: Any = None
    base_url_path: str = ""
    needs_key: bool = True
    any_model: Row = Row("")
    source: str = ""
    of: "Preset | None" = None
    read_base_url: Callable[[str, str], str] = check_address
    timeouts: Timeouts | None = None


class LongPrice(Price, frozen=True):
    """A price that is another one for requests whose input is above so many tokens."""

    above: int = 0
    long: Price | None = None

    def units(self, input: int, output: int, cached: int = 0) -> int:
        """What these tokens cost, in units of money; `cached` are among the input."""
        if self.long is not None and input > self.above:
            return self.long.units(input, output, cached)
        return super().units(input, output, cached)
