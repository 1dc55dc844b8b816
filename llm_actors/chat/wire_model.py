"""Models that speak a wire protocol: a provider's codec, an endpoint, and the pump between them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING, Any

from llm_actors.messages import AttachmentPart, ModelRequest, Secret
from llm_actors.providers.protocol import Endpoint, Limits, Provider
from llm_actors.transport.pump import WireCall

from .attachments import resolve
from .model import AnyModel, AsyncModel, Model
from .tools import ServerSideTool, tool_spec

if TYPE_CHECKING:
    from llm_actors.providers.protocol import Flight, FlightSink

    from .live_turn import LiveTurn
    from .seams import Engine


class AnyWireModel(AnyModel):
    """What both dresses of a wire model share. Immutable but for `key`; copies share provider and endpoint."""

    provider: Provider
    endpoint: Endpoint
    wire_id: str
    server_side_tools: tuple[type[ServerSideTool], ...] = ()

    @property
    def supported_server_side_tools(self) -> tuple[type[ServerSideTool], ...]:
        """The classes of server-side tools that `tools=` may hold for this model."""
        return self.server_side_tools

    def limits_in(self, engine: Engine) -> Limits:
        """How much may arrive: what the endpoint says, else the system."""
        return self.endpoint.limits or engine.limits

    def open_round(self, live: LiveTurn, sink: FlightSink, engine: Engine) -> Flight:
        """Hands the request to the pump. Raises NeedsKeyException."""
        sent = live.sent
        request = ModelRequest(
            model=self.wire_id,
            messages=sent.messages,
            tools=[tool_spec(tool) for tool in sent.tools if not isinstance(tool, ServerSideTool)],
            server_tools=[tool.tool_spec(self) for tool in sent.tools if isinstance(tool, ServerSideTool)],
            schema=sent.schema,
            options=sent.option_values,
            stream=sent.stream and self.can_stream,
            hide_reasoning=sent.hide_reasoning,
            request_id=f"{live.log.id}-{live.turn.round}",
        )
        key = self.secret(live.key)
        files = any(isinstance(part, AttachmentPart) for message in request.messages for part in message.parts)
        resolve = partial(self._resolve, engine=engine) if files else None
        call = WireCall(self.provider, self.endpoint, request, key, resolve, self.limits_in(engine))
        return engine.pump.start(call, sink)

    async def _resolve(self, request: ModelRequest, *, engine: Engine) -> ModelRequest:
        """The request with its files read and its URLs fetched, off the loop. Raises AttachmentError."""
        limit = self.limits_in(engine).attachment
        messages = await resolve(
            request.messages,
            partial(engine.fetch, limit=limit),
            keep_urls=self.provider.fetches_urls,
            accepted=self.attachment_types,
            limit=limit,
            run_blocking=engine.run_blocking,
        )
        return ModelRequest(
            **{name: getattr(request, name) for name in request.__struct_fields__ if name != "messages"},
            messages=messages,
        )


class WireModel(AnyWireModel, Model):
    """A wire model whose responses block."""


class AsyncWireModel(AnyWireModel, AsyncModel):
    """A wire model whose responses are awaited."""


def wire_pair(
    model_id: str,
    *,
    provider: Provider,
    endpoint: Endpoint,
    wire_id: str | None = None,
    needs_key: str | None = None,
    key_env_var: str | None = None,
    key: str | Secret | None = None,
    attachment_types: AbstractSet[str] | Sequence[str] = frozenset(),
    supports_schema: bool = False,
    supports_tools: bool = False,
    can_stream: bool = True,
    context_size: int | None = None,
) -> tuple[Model, AsyncModel]:
    """The two dresses of one model of a wire protocol. `wire_id`: its name on the wire, if it is another."""
    attributes: dict[str, Any] = {
        "model_id": model_id,
        "provider": provider,
        "endpoint": endpoint,
        "wire_id": wire_id or model_id,
        "needs_key": needs_key,
        "key_env_var": key_env_var,
        "key": Secret(key) if isinstance(key, str) else key,
        "attachment_types": attachment_types,
        "supports_schema": supports_schema,
        "supports_tools": supports_tools,
        "can_stream": can_stream,
        "context_size": context_size,
        "Options": provider.options,
    }
    pair = (WireModel(), AsyncWireModel())
    for model in pair:
        vars(model).update(copy.copy(attributes))
    return pair
