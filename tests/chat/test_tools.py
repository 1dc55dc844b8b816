import copy
import dataclasses
import hashlib
import inspect
import json
from functools import cached_property

import msgspec
import pytest

from llm_actors.chat.tools import ServerSideTool, Tool, Toolbox, resolve_tools, tool_spec, toolboxes_in
from llm_actors.errors import ToolArgumentsError
from llm_actors.messages import ToolSpec
from tests.chat.pydantic_like import Dog


def upper(text: str) -> str:
    """Makes it loud."""
    return text.upper()


# ---- Tool -------------------------------------------------------------------------------------------------------------------


def test_a_tool_of_a_function_has_its_name_docstring_and_schema():
    tool = Tool.function(upper)
    assert (tool.name, tool.description, tool.plugin, tool.timeout, tool.instance) == (
        "upper",
        "Makes it loud.",
        None,
        None,
        None,
    )
    assert tool.input_schema == {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    assert tool.implementation is upper
    assert not tool.is_async
    named = Tool.function(upper, name="loud", description="Shouts", timeout=2.5)
    assert (named.name, named.description, named.timeout) == ("loud", "Shouts", 2.5)
    assert Tool.function(lambda x: x, name="same").description is None


def test_a_lambda_needs_a_name_in_the_peers_words():
    with pytest.raises(ValueError) as caught:
        Tool.function(lambda x: x)
    assert str(caught.value) == "Cannot create a Tool from a lambda function without providing name="


def test_tools_are_values_and_hash_as_the_peers_do():
    assert Tool.function(upper) == Tool.function(upper)
    assert Tool.function(upper) != Tool.function(upper, name="other")
    said = {"name": "t", "description": None, "input_schema": {"type": "object"}}
    assert Tool("t", input_schema={"type": "object"}).hash() == hashlib.sha256(json.dumps(said).encode()).hexdigest()
    assert (
        Tool("t", input_schema={"type": "object"}, plugin="p").hash()
        == hashlib.sha256(json.dumps({**said, "plugin": "p"}).encode()).hexdigest()
    )


def test_a_renamed_copy_still_converts():
    tool = dataclasses.replace(Tool.function(upper), name="loud")
    assert tool.convert({"text": "x"}) == {"text": "x"}
    assert copy.copy(tool) == tool


def test_arguments_are_checked_against_a_schema_given_as_a_dict():
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer"},
            "x": {"type": "number"},
            "b": {"type": "boolean"},
            "s": {"type": "string"},
        },
        "required": ["n"],
    }
    tool = Tool("count", input_schema=schema, implementation=lambda n: n)
    given = {"n": "5", "x": "1.5", "b": "true", "s": "5", "more": 1}
    assert tool.convert(given) == {"n": 5, "x": 1.5, "b": True, "s": "5", "more": 1}
    assert given["n"] == "5"
    with pytest.raises(
        ToolArgumentsError,
        match=r"do not fit count: \$: 'n' is missing; \$.x: expected number, got \"much\". Its arguments: n, x, b, s",
    ):
        tool.convert({"x": "much"})
    with pytest.raises(ToolArgumentsError, match="not valid JSON"):
        tool.convert({"_raw": "{"})


def test_without_a_schema_any_object_is_let_through():
    assert Tool("any").convert({"a": [1]}) == {"a": [1]}
    assert Tool("raw", input_schema={"properties": {"_raw": {}}}).convert({"_raw": "x"}) == {"_raw": "x"}


def test_a_pydantic_class_as_input_schema_is_converted_without_titles():
    tool = Tool("adopt", input_schema=Dog, implementation=lambda **dog: dog)
    assert tool.input_schema["properties"] == {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "title": {"type": "string"},
    }
    assert "title" not in {key for key, value in tool.input_schema.items() if isinstance(value, str)}
    assert tool.convert({"name": "Rex", "age": "3"}) == {"name": "Rex", "age": 3}
    with pytest.raises(
        ToolArgumentsError, match=r"do not fit adopt: 1 validation error for Dog. Its arguments: name, age, title"
    ):
        tool.convert({"weight": 3})


def test_a_struct_as_input_schema_checks_and_gives_plain_values():
    class Order(msgspec.Struct):
        item: str
        count: int = 1

    tool = Tool("order", input_schema=Order, implementation=lambda **order: order)
    assert tool.input_schema["required"] == ["item"]
    assert tool.convert({"item": "tea", "count": "2"}) == {"item": "tea", "count": 2}
    with pytest.raises(ToolArgumentsError, match="missing required field `item`"):
        tool.convert({})


def test_a_tool_is_told_of_by_name_description_and_schema():
    tool = Tool.function(upper)
    assert tool_spec(tool) == ToolSpec("upper", "Makes it loud.", tool.input_schema)


# ---- Toolbox ----------------------------------------------------------------------------------------------------------------


class Files(Toolbox):
    plugin = "files-plugin"

    class Nested: ...

    def __init__(self, root: str, *extra, limit: int = 3, **more):
        self.root = root
        self.callback = upper

    def read(self, name: str) -> str:
        """Reads a file."""
        return f"{self.root}/{name}"

    async def write(self, name: str, text: str):
        "Writes."

    @staticmethod
    def size(name: str) -> int:
        return len(name)

    @property
    def open_files(self):
        raise AssertionError("a property is not read to list the tools")

    @cached_property
    def index(self):
        raise AssertionError("neither is a cached one")

    def _secret(self): ...


def test_public_methods_become_tools_named_after_class_and_method():
    files = Files("/srv")
    tools = files.tools()
    assert [tool.name for tool in tools] == ["Files_read", "Files_size", "Files_write"]
    assert [tool.is_async for tool in tools] == [False, False, True]
    assert all(tool.instance is files and tool.plugin == "files-plugin" for tool in tools)
    assert tools[0].description == "Reads a file."
    assert tools[0].implementation is not None
    assert tools[0].implementation(name="a") == "/srv/a"
    assert [tool.name for tool in Files.method_tools()] == ["Files_read", "Files_size", "Files_write"]
    assert list(Files.method_tools()[0].input_schema["properties"]) == ["name"]


def test_constructor_arguments_are_captured_and_the_signature_stays_visible():
    assert Files("/srv", 1, 2, x=3)._config == {"root": "/srv", "limit": 3}
    assert list(inspect.signature(Files).parameters) == ["root", "extra", "limit", "more"]
    with pytest.raises(TypeError, match=r"Files.__init__\(\) missing 1 required positional argument: 'root'"):
        Files()  # type: ignore[call-arg]


def test_the_outermost_constructor_is_captured():
    class Sub(Files):
        def __init__(self, user: str):
            super().__init__(f"/home/{user}")

    class Same(Sub): ...

    assert Sub("ann")._config == {"user": "ann"}
    assert Same("bob")._config == {"user": "bob"}
    assert Same("bob").root == "/home/bob"


def test_a_subclass_hook_of_a_users_own_runs_too():
    seen = []

    class Registered(Toolbox):
        def __init_subclass__(cls, label, **kwargs):
            super().__init_subclass__(**kwargs)
            seen.append(label)

    class Mine(Registered, label="mine"):
        def hello(self): ...

    assert seen == ["mine"]
    assert [tool.name for tool in Mine().tools()] == ["Mine_hello"]


def test_w29_instances_never_share_added_tools():
    class NoSuper(Toolbox):
        def __init__(self): ...

    for kind in (Toolbox, NoSuper):
        first, second = kind(), kind()
        first.add_tool(upper)
        assert [tool.name for tool in first.tools()] == ["upper"]
        assert second.tools() == []
        assert kind().tools() == []


def test_w16_tools_added_later_are_there_when_asked_again():
    class Late(Toolbox):
        def prepare(self):
            self.add_tool(self.found, pass_self=False)

        async def prepare_async(self):
            self.add_tool(upper)

        def _found(self): ...

        @property
        def found(self):
            return upper_too

    def upper_too(text: str): ...

    late = Late()
    assert late.tools() == []
    assert toolboxes_in([late]) == [late]
    late.prepare()
    coroutine = late.prepare_async()
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert [tool.name for tool in late.tools()] == ["upper_too", "upper"]


def test_the_default_preparation_does_nothing():
    box = Toolbox()
    box.prepare()
    with pytest.raises(StopIteration):
        box.prepare_async().send(None)
    assert box.tools() == []


def test_add_tool_takes_functions_tools_and_functions_that_get_the_toolbox():
    def whose(box, text: str):
        return box.root, text

    files = Files("/srv")
    ready = Tool.function(upper, name="loud")
    files.add_tool(whose, pass_self=True)
    files.add_tool(ready)
    bound, same = files.tools()[-2:]
    assert same is ready
    assert (bound.name, bound.instance, list(bound.input_schema["properties"])) == ("whose", files, ["text"])
    assert bound.implementation is not None
    assert bound.implementation(text="t") == ("/srv", "t")
    with pytest.raises(TypeError, match=r"^Tool must be an instance of Tool or a callable function$"):
        files.add_tool("upper")


def test_a_tool_made_by_hand_of_a_method_knows_its_toolbox():
    files = Files("/srv")
    assert Tool("read", implementation=files.read).instance is files
    assert Tool.function(files.read).instance is files
    assert Tool("upper", implementation=upper).instance is None
    assert Tool.function(len).instance is None


# ---- ServerSideTool ---------------------------------------------------------------------------------------------------------


class Search(ServerSideTool):
    """Searches the web."""

    name = "web_search"
    plugin = "search-plugin"

    def __init__(self, size: str = "low"):
        self.size = size

    def tool_spec(self, model):
        return {"type": "web_search", "size": self.size}


def test_a_server_side_tool_says_its_specification():
    raw = ServerSideTool({"type": "code"})
    assert raw.tool_spec(None) == {"type": "code"}
    assert raw._config == {"spec": {"type": "code"}}
    request: dict[str, object] = {}
    raw.prepare_request(None, request)
    assert request == {}
    assert (raw.implementation, raw.input_schema) == (None, {})
    with pytest.raises(TypeError, match=r"^ServerSideTool does not define a raw provider tool spec$"):
        ServerSideTool().tool_spec(None)


def test_a_subclass_keeps_its_configuration_and_its_docstring():
    search = Search("high")
    assert search._config == {"size": "high"}
    assert search.spec is None
    assert search.description == "Searches the web."
    assert search.tool_spec(None) == {"type": "web_search", "size": "high"}
    assert Search("low").hash() == search.hash() != ServerSideTool().hash()


# ---- tools= -----------------------------------------------------------------------------------------------------------------


def test_functions_tools_toolboxes_and_server_side_tools_are_taken_in_order():
    files, raw = Files("/srv"), ServerSideTool({"type": "code"})
    found = resolve_tools([upper, files, Tool("plain"), raw, ServerSideTool({"type": "other"})])
    assert [tool.name for tool in found] == [
        "upper",
        "Files_read",
        "Files_size",
        "Files_write",
        "plain",
        "server_side_tool",
        "server_side_tool",
    ]
    assert found[5] is raw
    assert resolve_tools(found) == found
    assert resolve_tools(None) == resolve_tools([]) == []


@pytest.mark.parametrize("item", ["upper", 5, None, {"type": "function"}])
def test_anything_else_is_an_invalid_tool(item):
    with pytest.raises(TypeError) as caught:
        resolve_tools([item])
    assert str(caught.value) == f"Invalid tool: {item}"


@pytest.mark.parametrize("kind", [Files, Search, Tool])
def test_a_class_in_place_of_an_instance_says_what_to_do(kind):
    with pytest.raises(
        TypeError, match=rf"^Invalid tool: .*: give an instance, {kind.__name__}\(...\), not the class$"
    ):
        resolve_tools([kind])


def test_two_tools_of_one_name_are_refused_but_the_same_tool_counts_once():
    assert [tool.name for tool in resolve_tools([upper, upper, Tool.function(upper)])] == ["upper"]
    with pytest.raises(ValueError, match="Two tools are named 'upper': give one of them another name"):
        resolve_tools([upper, Tool.function(lambda text: text, name="upper")])
    with pytest.raises(ValueError, match="Files_read"):
        resolve_tools([Files("/a"), Files("/b")])


def test_toolboxes_are_found_once_also_through_their_tools():
    files, empty = Files("/srv"), Toolbox()
    assert toolboxes_in([upper, files, empty, *files.tools(), files]) == [files, empty]
    assert toolboxes_in(None) == []
