"""Asks a provider for the list of its models, through the library's own HTTP client."""

from __future__ import annotations

from typing import Any

from llm_actors.catalogue.presets import listed_by
from llm_actors.catalogue.registry import get_model
from llm_actors.errors import LoopClosedError
from llm_actors.messages import Item, ModelRequest, RoundResult, Secret
from llm_actors.providers.model_list import ListedModel, ModelList
from llm_actors.providers.protocol import FlightSink
from llm_actors.runtime import Future, here, system_of
from llm_actors.transport.pump import WireCall

_PAGES = 50


def list_models(provider: str, key: str | Secret | None = None) -> Future[list[ListedModel]]:
    """The models that a provider says it has, those that can chat: `await` it, or block with `.get()`. Any thread.

    `provider`: the name of one of `get_providers()`. `key`: the key, or its name in keys.json; else it is looked for as for a prompt.
    Raises ValueError for a provider that is not known, NeedsKeyException; the future has the provider's errors, as for a prompt.
    """
    preset = listed_by(provider)
    model: Any = get_model(f"{provider}/any")
    listing = _Listing(preset.wire, model, model.secret(key))
    listing.begin()
    return listing.future


class _Listing(FlightSink):
    """Asks page by page. But for its beginning its loop only."""

    def __init__(self, wire: str, model: Any, key: Secret | None) -> None:
        self._wire = wire
        self._model = model
        self._key = key
        self._loop = here()
        self._system = system_of(self._loop)
        self._models: dict[str, ListedModel] = {}
        self._pages = 0
        self.future: Future[list[ListedModel]] = Future(self._loop)

    def begin(self) -> None:
        """Asks for the first page. Any thread."""
        if self._loop.is_current():
            self._ask("")
        else:
            self._loop.post(self._ask, "")

    def _ask(self, page: str) -> None:
        try:
            engine = self._system.engine(self._loop)
            codec = ModelList(self._wire, self._model.provider, page)
            request = ModelRequest("the list of models", [], stream=False)
            engine.pump.start(
                WireCall(codec, self._model.endpoint, request, self._key, limits=self._model.limits_in(engine)), self
            )
        except Exception as error:  # noqa: BLE001 - whoever waits for the future is told
            self.future.set_error(error)

    def write(self, items: list[Item]) -> None:
        """A list has no items."""

    def repeated(self) -> None:
        """Asked once more, before anything came."""

    def ended(self, result: RoundResult) -> None:
        """A page is here."""
        raw = result.raw or {}
        self._models.update({model.id: model for model in raw["models"]})
        self._pages += 1
        if raw["next"] and self._pages < _PAGES:
            self._ask(raw["next"])
        else:
            self.future.set(list(self._models.values()))

    def failed(self, error: BaseException) -> None:
        """There is no list."""
        self.future.set_error(error)

    def stopped(self) -> None:
        """Nobody stops it but the loop's end."""
        self.future.set_error(LoopClosedError("the event loop ended before the list of models was complete"))
