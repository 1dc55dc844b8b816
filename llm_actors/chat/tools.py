"""What a model can be given to call.

`Tool` is a function of ours, `Toolbox` an object whose methods are tools, `ServerSideTool` the provider's own.

    function --Signature--> Tool --tool_spec--> ToolSpec       what the model is told
    arguments of a call --Tool.convert--> keyword arguments    what the function gets
    what it returns --output_text--> text and attachments      what the model reads

Nothing here calls a tool: the tool pool does. Pure but for what a toolbox's own constructor does; any thread.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import MethodType
from typing import Any, ClassVar, TypeAlias

import msgspec

from llm_actors.messages import ToolSpec

from .function import accepts_tool_call, called_by_name, documentation, is_async, name_of, plain_function
from .known_functions import recall, remember
from .schema import is_pydantic, type_schema
from .schema_tree import inlined
from .signature import Signature, read_as_type, read_by_schema
from .tool_output import output_text as output_text  # noqa: PLC0414 - found here by those who run tools


@dataclass
class Tool:
    """A function that a model can call. Any thread.

    It may be a generator, `def` or `async def`. What it yields is progress: a str or a value with a JSON form, written to the response's
    events as `tool_progress` while it runs (at most 64 KiB each). `yield llm.ToolOutput(result)` gives the result and ends it, as does
    `return result` in a `def`; without either the result is the list of what it yielded. Its timeout counts over the whole, and a
    cancelled one is closed: at once in an `async def`, at its next `yield` in a `def`.

    `input_schema` is JSON Schema; a pydantic class, a Struct, a dataclass or a TypedDict is turned into it.
    `implementation` takes the arguments by name. `timeout` is in seconds, None for the system's. `instance` is the
    Toolbox that it belongs to. `reader` turns a model's arguments into keyword arguments; left out, they are checked
    against `input_schema`. `plugin` says where the tool came from.
    """

    name: str
    description: str | None = None
    input_schema: dict[str, Any] = field(default_factory=dict)
    # Not in the repr: a bound method or a partial would show what it holds.
    implementation: Callable[..., Any] | None = field(default=None, repr=False)
    plugin: str | None = None
    timeout: float | None = field(default=None, kw_only=True)
    instance: Any = field(default=None, kw_only=True, repr=False, compare=False)
    reader: Callable[[Any], dict[str, Any]] | None = field(default=None, kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        given: Any = self.input_schema
        if given and not isinstance(given, dict):
            schema = inlined(given.model_json_schema()) if is_pydantic(given) else type_schema(given)
            self.input_schema = schema
            self.reader = self.reader or functools.partial(read_as_type, self.name, given, schema)
        if self.instance is None and self.implementation is not None:
            owner = getattr(plain_function(self.implementation), "__self__", None)
            self.instance = owner if isinstance(owner, Toolbox) else None

    @classmethod
    def function(
        cls,
        function: Callable[..., Any],
        name: str | None = None,
        description: str | None = None,
        *,
        timeout: float | None = None,
    ) -> Tool:
        """A tool of a function, sync or async: its name, its docstring, and a schema from its type hints.

        Parameters without a default are required; one without a type is a string to the model; `self`,
        `llm_tool_call` and what a partial has bound by keyword are not shown. Descriptions come from `Annotated[int,
        "text"]`, `msgspec.Meta(description=)`, or the docstring's lines for the parameters. Raises `ValueError` for a
        lambda without `name`, `TypeError` for a type that has no JSON Schema.
        """
        if not name and name_of(function) == "<lambda>":
            msg = "Cannot create a Tool from a lambda function without providing name="
            raise ValueError(msg)
        name = name or name_of(function)
        signature = Signature(function, name)
        owner = getattr(plain_function(function), "__self__", None)
        return cls(
            name=name,
            description=description or documentation(function) or None,
            input_schema=signature.schema(),
            implementation=called_by_name(function),
            timeout=timeout,
            instance=owner if isinstance(owner, Toolbox) else None,
            reader=signature.read,
        )

    def convert(self, arguments: Any) -> dict[str, Any]:
        """A model's arguments as the implementation takes them, without `llm_tool_call`. The given dict stays as it is.

        Raises `ToolArgumentsError` (a ValueError) whose text tells the model everything that does not fit and what was expected.
        """
        if self.reader is not None:
            return self.reader(arguments)
        return read_by_schema(self.name, self.input_schema, arguments)

    @property
    def is_async(self) -> bool:
        """Whether the implementation runs on the event loop."""
        return is_async(self.implementation)

    @property
    def accepts_tool_call(self) -> bool:
        """Whether the implementation names a parameter `llm_tool_call`."""
        return accepts_tool_call(self.implementation)

    def hash(self) -> str:
        """SHA-256 of name, description and schema, in hex: the same for the same tool in another process."""
        return _hash(self)


def _captured(cls: type) -> None:
    """Makes the constructor of a class keep its arguments as `_config`, by name. Its signature stays visible to `inspect`.

    The outermost constructor decides: a subclass that calls `super().__init__(...)` keeps its own arguments.
    """
    original = cls.__dict__.get("__init__")
    if original is None:
        return  # the class it inherits from has done it
    signature = inspect.signature(original)
    many = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if "_config" not in vars(self):
            try:
                bound = signature.bind(self, *args, **kwargs)
            except TypeError:
                pass  # the call below says it in Python's own words
            else:
                bound.apply_defaults()
                own = next(iter(signature.parameters))
                vars(self)["_config"] = {
                    name: value
                    for name, value in bound.arguments.items()
                    if name != own and signature.parameters[name].kind not in many
                }
        original(self, *args, **kwargs)

    cls.__init__ = init  # type: ignore[misc]


class Toolbox:
    """An object whose public methods are tools, named `Class_method`: subclass it, and give an instance in `tools=`.

    The instance is shared by all conversations it is given to; its sync methods run one at a time. `prepare()` and
    `prepare_async()` run once per instance, before its tools are first offered, and may add tools. Subclasses need
    not call `super().__init__()`. Any thread.
    """

    plugin: str | None = None
    _blocked: ClassVar[frozenset[str]] = frozenset({"tools", "add_tool", "method_tools", "prepare", "prepare_async"})
    _config: dict[str, Any]
    """The constructor's arguments, by name."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _captured(cls)

    @classmethod
    def method_tools(cls) -> list[Tool]:
        """The tools of the class, without an instance: to list them. Their implementations are not bound."""
        return [Tool.function(getattr(cls, name), f"{cls.__name__}_{name}") for name in cls._tool_names()]

    def tools(self) -> list[Tool]:
        """A tool for each public method, by name, then those added. Any thread."""
        found: list[Tool] = []
        for name in self._tool_names():
            tool = Tool.function(getattr(self, name), f"{type(self).__name__}_{name}")
            tool.plugin = self.plugin
            tool.instance = self
            found.append(tool)
        return [*found, *self._added()]

    def add_tool(self, tool_or_function: Tool | Callable[..., Any], pass_self: bool = False) -> None:
        """Adds a tool under its own name, to this instance only. `pass_self`: the function gets the toolbox as its first argument.

        Raises `TypeError` for what is neither a Tool nor callable. Any thread.
        """
        given: Any = tool_or_function
        if isinstance(given, Tool):
            self._added().append(given)
        elif callable(given):
            self._added().append(Tool.function(MethodType(given, self) if pass_self else given))
        else:
            msg = "Tool must be an instance of Tool or a callable function"
            raise TypeError(msg)

    def prepare(self) -> None:
        """Override it to set up the toolbox (and `add_tool()`) before its tools are first offered. Runs in a worker thread."""

    async def prepare_async(self) -> None:
        """Override it to set up the toolbox on the event loop of the conversation; after `prepare()`."""

    def _added(self) -> list[Tool]:
        # In the instance, never in the class; made here, because a subclass's constructor may not call ours.
        added: list[Tool] = vars(self).setdefault("_extra_tools", [])
        return added

    @classmethod
    def _tool_names(cls) -> Iterable[str]:
        """Methods only: properties are not read for it, and a class, or a callable kept in an instance, is not a method."""
        for name in dir(cls):
            if not name.startswith("_") and name not in cls._blocked:
                found = inspect.getattr_static(cls, name)
                if not isinstance(found, type | property | functools.cached_property) and callable(getattr(cls, name)):
                    yield name


class ServerSideTool:
    """A tool that the provider runs itself, in `tools=` beside the others. It is sent along, and never run here.

    `ServerSideTool(spec)` holds a provider's own specification; a subclass per tool may build it in `tool_spec`. Any thread.
    """

    name: ClassVar[str] = "server_side_tool"
    plugin: ClassVar[str | None] = None
    implementation: ClassVar[None] = None
    input_schema: ClassVar[dict[str, Any]] = {}
    spec: dict[str, Any] | None = None
    _config: dict[str, Any]
    """The constructor's arguments, by name."""

    def __init__(self, spec: dict[str, Any] | None = None) -> None:
        self.spec = spec
        vars(self).setdefault("_config", {"spec": spec})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _captured(cls)

    @property
    def description(self) -> str | None:
        """The docstring of its class."""
        return inspect.getdoc(type(self))

    def tool_spec(self, model: Any) -> dict[str, Any]:  # noqa: ARG002 - for subclasses that differ by model
        """What the provider is sent of it. Raises `TypeError` where neither `spec` nor a subclass says it."""
        if self.spec is None:
            msg = f"{type(self).__name__} does not define a raw provider tool spec"
            raise TypeError(msg)
        return self.spec

    def prepare_request(self, model: Any, kwargs: dict[str, Any]) -> None:
        """Override it to add what else the tool needs to the provider's request."""

    def hash(self) -> str:
        """SHA-256 of the definition, not of how this instance is configured, in hex."""
        return _hash(self, server_side=True)


AnyTool: TypeAlias = Tool | Toolbox | ServerSideTool | Callable[..., Any]
"""What `tools=` takes."""


def resolve_tools(items: Iterable[AnyTool] | None) -> list[Tool | ServerSideTool]:
    """The tools of `tools=`, in order: functions wrapped, toolboxes expanded to what they have now.

    Raises `TypeError` (`Invalid tool: X`), and `ValueError` for two different tools of one name: providers refuse the
    request, and a call would be ambiguous. The same tool given twice counts once.
    """
    found: list[Tool | ServerSideTool] = []
    named: dict[str, Tool] = {}
    for tool in _expanded(items or ()):
        if isinstance(tool, Tool):
            known = named.setdefault(tool.name, tool)
            if known is not tool:
                if known == tool:
                    continue
                msg = f"Two tools are named {tool.name!r}: give one of them another name, Tool.function(f, name=...)"
                raise ValueError(msg)
        found.append(tool)
    return found


def toolboxes_in(items: Iterable[AnyTool] | None) -> list[Toolbox]:
    """The toolboxes of `tools=` that want to be prepared, each once: also one that has no tools yet, because `prepare()` adds them."""
    found: list[Toolbox] = []
    for item in items or ():
        box = item if isinstance(item, Toolbox) else getattr(item, "instance", None)
        if isinstance(box, Toolbox) and not any(box is known for known in found):
            found.append(box)
    return found


def tool_spec(tool: Tool) -> ToolSpec:
    """The tool as the model is told of it."""
    return ToolSpec(tool.name, tool.description, tool.input_schema)


def _expanded(items: Iterable[AnyTool]) -> Iterable[Tool | ServerSideTool]:
    item: Any
    for item in items:
        if isinstance(item, Tool | ServerSideTool):
            yield item
        elif isinstance(item, Toolbox):
            yield from item.tools()
        elif isinstance(item, type) and issubclass(item, Tool | ServerSideTool | Toolbox):
            msg = f"Invalid tool: {item}: give an instance, {item.__name__}(...), not the class"
            raise TypeError(msg)
        elif callable(item):
            yield _tool_of(item)
        else:
            msg = f"Invalid tool: {item}"
            raise TypeError(msg)


def _tool_of(function: Callable[..., Any]) -> Tool:
    known = recall(function)
    if known is not None:
        schema = msgspec.json.decode(known.schema)
        return Tool(function.__name__, known.description, schema, function, reader=known.reader)
    tool = Tool.function(function)
    if tool.implementation is function and tool.instance is None:
        remember(function, tool.description, tool.input_schema, tool.reader)
    return tool


def _hash(tool: Tool | ServerSideTool, **more: Any) -> str:
    import hashlib  # noqa: PLC0415 - 2 ms, with OpenSSL: for logs alone

    said = {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema, **more}
    if tool.plugin:
        said["plugin"] = tool.plugin
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
