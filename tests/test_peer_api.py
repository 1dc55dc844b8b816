"""The peer's public API as far as issue 2 takes it over: names, signatures, words of errors, and what they mean. Tools: test_peer_tools.py.

Facts: the peer's release 0.36, read and run. Where ours differs on purpose, the test says so.
"""

import asyncio
import inspect
import re
import threading

import msgspec
import pytest

import llm_actors as llm
from tests.weaknesses.played import AsyncPlayed, Played, call, finish, played, read, run, said

BOTH = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])

PEERS_NAMES = [
    "AsyncConversation",
    "AsyncKeyModel",
    "AsyncModel",
    "AsyncResponse",
    "Attachment",
    "CancelToolCall",
    "Conversation",
    "KeyModel",
    "Message",
    "Model",
    "ModelError",
    "NeedsKeyException",
    "Options",
    "PauseChain",
    "Prompt",
    "Response",
    "ServerSideTool",
    "Tool",
    "ToolCall",
    "ToolOutput",
    "ToolResult",
    "Toolbox",
    "Usage",
    "assistant",
    "get_async_model",
    "get_key",
    "get_model",
    "schema_dsl",
    "system",
    "tool_message",
    "user",
    "user_dir",
    "UnknownModelError",
    "get_models",
    "get_async_models",
    "get_models_with_aliases",
    "get_model_aliases",
    "get_async_model_aliases",
    "get_default_model",
    "set_default_model",
    "set_alias",
    "remove_alias",
    "load_keys",
    "ModelWithAliases",
    "StreamEvent",
    "Part",
    "TextPart",
    "ReasoningPart",
    "ToolCallPart",
    "ToolResultPart",
    "AttachmentPart",
]
OURS = ["register_model", "unregister_model", "endpoint", "ActorSystem", "cancelled"]


@pytest.mark.parametrize("name", [*PEERS_NAMES, *OURS])
def test_a_name_of_the_peer_is_there(name):
    assert name in llm.__all__
    assert getattr(llm, name) is not None


PROMPT = [
    "prompt",
    "fragments",
    "attachments",
    "system",
    "system_fragments",
    "messages",
    "stream",
    "schema",
    "tools",
    "tool_results",
    "options",
    "hide_reasoning",
]
DEFAULTS = {"stream": True, "hide_reasoning": False}


@pytest.mark.parametrize("owner", [llm.Model, llm.AsyncModel, llm.Conversation, llm.AsyncConversation])
@pytest.mark.parametrize(
    ("verb", "names"),
    [
        ("prompt", [*PROMPT, "key", "timeout", "deadline", "budget", "detached"]),
        (
            "chain",
            [*PROMPT, "before_call", "after_call", "chain_limit", "key", "timeout", "deadline", "budget", "detached"],
        ),
    ],
)
def test_prompt_and_chain_take_the_same_keywords_everywhere(owner, verb, names):
    parameters = dict(inspect.signature(getattr(owner, verb)).parameters)
    del parameters["self"]
    others = [one.name for one in parameters.values() if one.kind is inspect.Parameter.VAR_KEYWORD]
    assert sorted(parameters) == sorted([*names, *others])
    assert len(others) == (verb == "prompt")  # options, as keywords of their own
    for name in names:
        assert parameters[name].kind is (
            inspect.Parameter.POSITIONAL_OR_KEYWORD if name == "prompt" else inspect.Parameter.KEYWORD_ONLY
        )
        assert parameters[name].default is DEFAULTS.get(name, False if name == "detached" else None)


@BOTH
def test_the_other_signatures(is_async):
    model = llm.AsyncModel if is_async else llm.Model
    assert list(inspect.signature(model.conversation).parameters)[1:5] == [
        "tools",
        "before_call",
        "after_call",
        "chain_limit",
    ]
    assert list(inspect.signature(llm.Tool.function).parameters)[:3] == ["function", "name", "description"]
    assert list(inspect.signature(llm.Attachment).parameters) == ["type", "path", "url", "content"]
    assert list(inspect.signature(llm.ToolCall).parameters) == ["name", "arguments", "tool_call_id"]
    expected = ["name", "output", "attachments", "tool_call_id", "instance", "exception"]
    assert list(inspect.signature(llm.ToolResult).parameters) == expected
    assert list(inspect.signature(llm.ToolOutput).parameters) == ["output", "attachments"]
    assert list(inspect.signature(llm.Usage).parameters) == ["input", "output", "details"]
    expected = ["name", "description", "input_schema", "implementation", "plugin"]
    assert list(inspect.signature(llm.Tool).parameters)[:5] == expected
    expected = ["explicit_key", "key_alias", "env_var", "alias", "env", "input"]
    assert list(inspect.signature(llm.get_key).parameters) == expected
    assert list(inspect.signature(llm.schema_dsl).parameters) == ["schema_dsl", "multi"]


OF_RESPONSES = """id prompt model stream conversation resolved_model response_json input_tokens output_tokens token_details attachments
done_callbacks before_call after_call text json usage tool_calls messages duration_ms datetime_utc text_or_raise tool_calls_or_raise on_done
reply to_dict from_dict execute_tool_calls execute_tool_call"""
OF_CONVERSATIONS = "model id name responses tools chain_limit before_call after_call prompt chain"


@BOTH
def test_responses_and_conversations_have_the_peers_attributes(is_async):
    response = llm.AsyncResponse if is_async else llm.Response
    more = ["astream_events", "to_sync_response", "fake"] if is_async else ["stream_events"]
    assert [name for name in (*OF_RESPONSES.split(), *more) if not hasattr(response, name)] == []
    conversation = llm.AsyncConversation if is_async else llm.Conversation
    assert [name for name in OF_CONVERSATIONS.split() if not hasattr(conversation, name)] == []
    reply = inspect.signature(response.reply).parameters
    assert list(reply) == ["self", "prompt", "messages", "tool_results", "options", "kwargs"]
    run = inspect.signature(response.execute_tool_calls).parameters
    assert list(run) == ["self", "before_call", "after_call", "tool_calls_list", "tools"]


def test_an_unknown_model_is_a_key_error_whose_text_is_its_first_argument():
    for get in (llm.get_model, llm.get_async_model):
        with pytest.raises(KeyError) as raised:
            get("not-there")
        assert isinstance(raised.value, llm.UnknownModelError)
        assert raised.value.args[0] == "Unknown model: not-there"


# ---- models written in Python -------------------------------------------------------------------------------------------------


def test_what_a_model_is_without_saying_so():
    for kind in (llm.Model, llm.AsyncModel, llm.KeyModel, llm.AsyncKeyModel):
        assert (kind.can_stream, kind.supports_schema, kind.supports_tools) == (False, False, False)
        assert (kind.needs_key, kind.key, kind.key_env_var) == (None, None, None)
        assert not kind.attachment_types
        assert kind.Options is llm.Options
        assert kind().supported_server_side_tools == ()


def test_how_models_show_themselves():
    assert (str(Played()), repr(Played())) == ("Played: played", "<Played: played>")
    assert (str(AsyncPlayed()), repr(AsyncPlayed())) == ("AsyncPlayed (async): played", "<AsyncPlayed (async): played>")


class _Arguments(llm.Model):
    model_id = "arguments"
    can_stream = True

    def execute(self, **arguments):
        self.got = arguments
        return ["a ", "list"]  # any iterable will do


class _KeyArguments(llm.KeyModel):
    model_id = "arguments"
    needs_key = "arguments"
    key_env_var = "ARGUMENTS_KEY"

    def execute(self, **arguments):  # type: ignore[override]
        self.got = arguments
        yield "a list"


class _AsyncArguments(llm.AsyncModel):
    model_id = "arguments"
    can_stream = True

    async def execute(self, **arguments):
        self.got = arguments
        yield "a "
        yield "list"


class _AsyncKeyArguments(llm.AsyncKeyModel):
    model_id = "arguments"
    needs_key = "arguments"
    key_env_var = "ARGUMENTS_KEY"

    async def execute(self, **arguments):  # type: ignore[override]
        self.got = arguments
        yield "a list"


@pytest.mark.parametrize("kind", [_Arguments, _KeyArguments, _AsyncArguments, _AsyncKeyArguments])
def test_execute_gets_its_arguments_by_keyword(kind):
    model = kind()
    conversation = model.conversation()
    keyed = {"key": "sesame"} if kind.needs_key else {}
    response = finish(conversation, "prompt", "hi", **keyed)
    assert response.text_or_raise() == "a list"
    assert set(model.got) == {"prompt", "stream", "response", "conversation", *keyed}
    assert model.got["prompt"].prompt == "hi"
    assert model.got["stream"] is kind.can_stream
    assert model.got["conversation"] is conversation
    assert model.got.get("key") == keyed.get("key")
    finish(model, "prompt", "hi", stream=False, **keyed)
    assert model.got["stream"] is False
    assert model.got["conversation"] is None


def test_an_async_execute_may_be_wrapped_in_a_plain_function():
    closed = []

    class Wrapped(llm.AsyncModel):
        model_id = "wrapped"

        def execute(self, prompt, stream, response, conversation):
            return self._say(prompt.prompt)

        async def _say(self, text):
            try:
                for chunk in text:
                    yield chunk
                    await asyncio.sleep(0)
                if text == "wait":
                    await asyncio.Event().wait()
            finally:
                closed.append(text)

    assert finish(Wrapped(), "prompt", "hi").text_or_raise() == "hi"

    async def main():
        response = Wrapped().prompt("wait")
        await anext(aiter(response))
        await response.cancel()
        assert closed == ["hi", "wait"]

    run(main)


@BOTH
def test_what_execute_yields_that_is_no_text_and_no_event_is_the_error_of_the_turn_and_ends_the_model(is_async):
    model = played(is_async)

    def odd(*_, **__):
        yield "fine"
        yield 5

    async def async_odd(*_, **__):
        try:
            yield "fine"
            yield 5
        finally:
            model.closed = 1

    model.execute = async_odd if is_async else odd
    with pytest.raises(TypeError, match=r"str or StreamEvent"):
        finish(model, "prompt", "hi")
    assert model.closed == is_async


@pytest.mark.parametrize("kind", [_KeyArguments, _AsyncKeyArguments])
def test_where_a_key_comes_from_and_what_is_said_when_there_is_none(kind, monkeypatch):
    model = kind()

    async def main():
        response = model.prompt("hi")  # nothing is wrong with the call
        with pytest.raises(llm.NeedsKeyException) as raised:
            await response.text()
        return str(raised.value)

    if kind is _AsyncKeyArguments:
        text = run(main)
    else:
        response = model.prompt("hi")
        with pytest.raises(llm.NeedsKeyException) as raised:
            response.text()
        text = str(raised.value)
    peers = "No key found - add one using 'llm keys set arguments' or set the ARGUMENTS_KEY environment variable"
    assert text.startswith(peers)
    monkeypatch.setenv("ARGUMENTS_KEY", "of the environment")
    finish(model, "prompt", "hi")
    assert model.got["key"] == model.get_key() == "of the environment"
    model.key = "of the model"
    finish(model, "prompt", "hi")
    assert model.got["key"] == "of the model"
    finish(model, "prompt", "hi", key="explicit")  # the peer lets model.key win here
    assert model.got["key"] == model.get_key("explicit") == "explicit"
    finish(model, "chain", "hi", key="explicit")
    assert model.got["key"] == "explicit"


@BOTH
def test_what_a_model_tells_through_its_response(is_async):
    def tell(response):
        response.add_tool_call(llm.ToolCall("first", {"a": 1}))
        response.add_tool_call(llm.ToolCall("second", {}, "given"))
        response.set_usage(input=3, output=5, details={"cached": 1})
        response.set_resolved_model("really-this")
        response.response_json = {"id": "x"}

    class Tells(llm.Model):
        model_id = "tells"
        supports_tools = True

        def execute(self, prompt, stream, response, conversation):
            yield llm.StreamEvent("reasoning", "hm")
            yield llm.StreamEvent("text", "said ")
            yield "so"
            tell(response)

    class AsyncTells(llm.AsyncModel):
        model_id = "tells"
        supports_tools = True

        async def execute(self, prompt, stream, response, conversation):
            yield llm.StreamEvent("reasoning", "hm")
            yield llm.StreamEvent("text", "said ")
            yield "so"
            tell(response)

    response = finish(AsyncTells() if is_async else Tells(), "prompt", "hi")
    assert read(response, "text") == "said so"
    first, second = read(response, "tool_calls")
    assert (first.name, first.arguments, second.tool_call_id) == ("first", {"a": 1}, "given")
    assert re.fullmatch("tc_[0-9a-z]{26}", first.tool_call_id)
    assert read(response, "usage") == llm.Usage(3, 5, {"cached": 1})
    assert (response.input_tokens, response.output_tokens, response.token_details) == (3, 5, {"cached": 1})
    assert response.resolved_model == "really-this"
    assert read(response, "json") == response.response_json == {"id": "x"}
    (message,) = read(response, "messages")
    assert [type(part) for part in message.parts] == [
        llm.ReasoningPart,
        llm.TextPart,
        llm.ToolCallPart,
        llm.ToolCallPart,
    ]


@BOTH
def test_usage_is_empty_where_the_model_did_not_tell(is_async):
    assert read(finish(played(is_async), "prompt", "hi"), "usage") == llm.Usage(None, None, None)


# ---- what is wrong with a call, said at the call ------------------------------------------------------------------------------


class _Plain(llm.Model):
    model_id = "plain"
    asked = 0

    class Options(llm.Options):
        temperature: float | None = None

    def execute(self, prompt, stream, response, conversation):
        self.asked += 1
        return [f"temperature {prompt.options.temperature}"]


class _AsyncPlain(llm.AsyncModel):
    model_id = "plain"
    asked = 0

    class Options(llm.Options):
        temperature: float | None = None

    async def execute(self, prompt, stream, response, conversation):
        self.asked += 1
        yield f"temperature {prompt.options.temperature}"


class _Pictures:
    attachment_types = ("image/png", "image/jpeg")
    supports_tools = True


PNG = b"\x89PNG\r\n\x1a\n"
WRONG = [
    ({"attachments": [llm.Attachment(content=PNG)]}, ValueError, "This model does not support attachments"),
    ({"schema": {"type": "object"}}, ValueError, "{model} does not support schemas"),
    ({"tools": [len]}, ValueError, "{model} does not support tools"),
    ({"options": {"temperature": 1}, "temperature": 2}, TypeError,
     "Got values for these options both in options= and as keyword arguments: ['temperature']"),
]  # fmt: skip


@BOTH
@pytest.mark.parametrize(("keywords", "error", "text"), WRONG, ids=["attachments", "schema", "tools", "options"])
def test_what_the_model_can_not_do_is_said_at_the_call_and_nothing_runs(is_async, keywords, error, text):
    model = _AsyncPlain() if is_async else _Plain()
    for target in (model, model.conversation()):
        with pytest.raises(error) as raised:
            target.prompt("hi", **keywords)
        assert str(raised.value) == text.format(model=model)
    if "temperature" not in keywords:
        with pytest.raises(error):
            model.chain("hi", **keywords)
    assert finish(model, "prompt", "hi").text_or_raise() == "temperature None"
    assert model.asked == 1


@BOTH
def test_an_attachment_of_a_type_that_is_not_taken_and_what_is_no_tool(is_async):
    kind = type("Pictured", (_Pictures, _AsyncPlain if is_async else _Plain), {})
    model = kind()
    with pytest.raises(ValueError) as raised:
        model.prompt("hi", attachments=[llm.Attachment(type="audio/wav", content=b"x")])
    assert (
        str(raised.value) == "This model does not support attachments of type 'audio/wav', only image/jpeg, image/png"
    )
    with pytest.raises(TypeError, match=r"^Invalid tool: 5$"):
        model.prompt("hi", tools=[5])

    class Search(llm.ServerSideTool):
        name = "search"

    with pytest.raises(ValueError, match=r"^Model 'plain' does not support server-side tool 'search'"):
        model.prompt("hi", tools=[Search()])
    assert model.asked == 0


@BOTH
def test_options_come_as_keywords_or_together_and_are_checked(is_async):
    model = _AsyncPlain() if is_async else _Plain()
    for keywords in ({"temperature": 0.5}, {"options": {"temperature": 0.5}}):
        assert finish(model, "prompt", "hi", **keywords).text_or_raise() == "temperature 0.5"
    assert finish(model, "chain", "hi", options=model.Options(temperature=0.5)).text_or_raise() == "temperature 0.5"
    with pytest.raises(llm.OptionsError, match=r"Extra inputs are not permitted.*warmth"):
        model.prompt("hi", warmth=1)
    with pytest.raises(llm.OptionsError, match="temperature"):
        model.prompt("hi", temperature="hot")


# ---- the prompt and the response ----------------------------------------------------------------------------------------------


@BOTH
def test_what_response_prompt_shows(is_async):
    model = played(is_async)

    def tool() -> str:
        """A tool."""
        return ""

    class Shape(msgspec.Struct):
        name: str

    result = llm.ToolResult("tool", "out", tool_call_id="c1")
    asked = finish(
        model,
        "prompt",
        "text",
        fragments=["one", "two"],
        system=" be brief ",
        system_fragments=["you are X"],
        attachments=[llm.Attachment(content=PNG)],
        schema=Shape,
        tools=[tool],
        tool_results=[result],
        hide_reasoning=True,
        messages=[llm.user("before"), llm.assistant(llm.ToolCallPart("tool", {}, "c1"))],
    ).prompt
    assert (asked.prompt, asked.system) == ("one\ntwo\ntext", "you are X\n\nbe brief")
    assert asked.attachments == [llm.Attachment(content=PNG)]
    assert asked.schema["properties"] == {"name": {"type": "string"}}
    assert [one.name for one in asked.tools] == ["tool"]
    assert asked.tool_results == [result]
    assert asked.hide_reasoning is True
    assert isinstance(asked.options, llm.Options)
    assert [message.role for message in asked.messages] == ["user", "assistant", "tool", "system", "user"]
    assert asked.messages == model.asked[0]


@BOTH
def test_a_finished_response_tells(is_async):
    model = played(is_async, ["one ", "two"])
    conversation = model.conversation()
    response = finish(conversation, "prompt", "hi", attachments=[llm.Attachment(content=PNG)])
    assert re.fullmatch("[0-9a-z]{26}", response.id)
    assert response.model is model
    assert response.conversation is conversation
    assert response.stream is True
    assert response.attachments == [llm.Attachment(content=PNG)]
    assert response.prompt.prompt == "hi"
    assert (response.text_or_raise(), response.tool_calls_or_raise()) == ("one two", [])
    assert isinstance(read(response, "duration_ms"), int)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", read(response, "datetime_utc"))
    name = "AsyncResponse" if is_async else "Response"
    assert repr(response) == f"<{name} prompt='hi' text='one two'>"
    assert finish(model, "prompt", "alone").conversation is None


def test_the_string_of_a_sync_response_is_its_text():
    assert str(Played(["hello"]).prompt("hi")) == "hello"


def test_a_sync_response_that_is_not_done_says_so():
    gate = threading.Event()
    response = Played([lambda: gate.wait(5) and None, "hello"]).prompt("hi")
    assert repr(response) == "<Response prompt='hi' text='... not yet done ...'>"
    with pytest.raises(ValueError, match=r"^Response not yet"):
        response.text_or_raise()
    gate.set()
    assert response.text() == "hello"


def test_awaiting_a_response_gives_the_response_itself_and_before_that_it_says_so():
    async def main():
        response = AsyncPlayed(["hello"]).prompt("hi")
        assert repr(response) == "<AsyncResponse prompt='hi' text='... not yet awaited ...'>"
        for early in (response.text_or_raise, response.tool_calls_or_raise, response.to_dict):
            with pytest.raises(ValueError, match=r"^Response not yet awaited"):
                early()
        assert await response is response
        return response.text_or_raise()

    assert run(main) == "hello"


@BOTH
def test_iterating_gives_text_only_and_stream_events_give_all(is_async):
    reasoning = llm.StreamEvent("reasoning", "hm")

    def execute(self, prompt, stream, response, conversation):
        yield reasoning
        yield "a"
        yield "b"

    async def execute_async(self, prompt, stream, response, conversation):
        for item in execute(self, prompt, stream, response, conversation):
            yield item

    kind = type(
        "Thinks", (llm.AsyncModel if is_async else llm.Model,), {"execute": execute_async if is_async else execute}
    )
    events = [reasoning, llm.StreamEvent("text", "a"), llm.StreamEvent("text", "b")]

    async def main():
        response = kind().prompt("hi")
        return [[chunk async for chunk in response], [event async for event in response.astream_events()]]

    if is_async:
        assert run(main) == [["a", "b"], events]
    else:
        response = kind().prompt("hi")
        assert [list(response), list(response.stream_events())] == [["a", "b"], events]


def test_on_done_takes_a_function_a_coroutine_function_or_an_awaitable_also_afterwards():
    called = []

    async def later(response):
        await asyncio.sleep(0)
        called.append(("async", response))

    async def waits_for_nothing():
        called.append(("awaitable", None))

    async def main():
        response = AsyncPlayed(["hello"]).prompt("hi")
        await response.on_done(lambda response: called.append(("plain", response)))
        await response.on_done(later)
        await response.on_done(waits_for_nothing())
        await response.text()
        assert called[0] == ("plain", response)
        await response.on_done(lambda response: called.append(("afterwards", response)))
        assert ("afterwards", response) in called
        await response.on_done(later)  # over already: it has been awaited when this returns
        assert called[-1] == ("async", response)
        return response

    response = run(main)
    assert sorted(name for name, _ in called) == ["afterwards", "async", "async", "awaitable", "plain"]
    assert {given for _, given in called} == {response, None}


def test_on_done_in_sync_code():
    called = []
    response = Played(["hello"]).prompt("hi")
    response.on_done(lambda response: called.append(response.text()))
    response.text()
    response.on_done(lambda response: called.append("afterwards"))
    assert called == ["hello", "afterwards"]


@BOTH
def test_what_execute_raises_is_raised_unchanged_and_not_recorded(is_async):
    error = KeyError("mine")
    model = played(is_async, [error])
    conversation = model.conversation()
    with pytest.raises(KeyError) as raised:
        finish(conversation, "prompt", "hi")
    assert raised.value is error
    assert conversation.responses == []


@BOTH
def test_to_dict_of_a_response(is_async):
    response = finish(played(is_async, ["hello"]), "prompt", "hi", system="be brief")
    assert response.to_dict() == {
        "model": "played",
        "prompt": {
            "messages": [llm.system("be brief").to_dict(), llm.user("hi").to_dict()],
            "system": "be brief",
        },
        "messages": [{"role": "assistant", "parts": [{"type": "text", "text": "hello"}]}],
        "id": response.id,
        "datetime_utc": read(response, "datetime_utc"),
    }


# ---- conversations ------------------------------------------------------------------------------------------------------------


@BOTH
def test_what_a_conversation_shows(is_async):
    def before(tool, tool_call):
        return None

    def after(tool, tool_call, result):
        return None

    model = played(is_async)
    conversation = model.conversation([len], before, after, 7)
    assert conversation.model is model
    assert re.fullmatch("[0-9a-z]{26}", conversation.id)
    assert conversation.name is None
    assert conversation.responses == []
    assert conversation.tools == [len]
    assert (conversation.before_call, conversation.after_call, conversation.chain_limit) == (before, after, 7)


@BOTH
def test_each_round_of_a_chain_is_an_entry_of_responses_and_the_history_goes_on(is_async):
    def tool() -> str:
        return "out"

    model = played(is_async, ["let me see", call("tool")], ["done"])
    conversation = model.conversation(tools=[tool])
    assert finish(conversation, "chain", "q").text_or_raise() == "let me see done"
    assert finish(conversation, "prompt", "next").text_or_raise() == "re: next"
    assert [response.prompt.prompt for response in conversation.responses] == ["q", "", "next"]
    assert [response.text_or_raise() for response in conversation.responses] == ["let me see", "done", "re: next"]
    assert said(model.asked[2]) == [
        ("user", "q"),
        ("assistant", "let me see-> tool"),
        ("tool", "out"),
        ("assistant", "done"),
        ("user", "next"),
    ]


@BOTH
def test_past_responses_tell_what_was_asked_of_them(is_async):
    def draw() -> llm.ToolOutput:
        return llm.ToolOutput("drawn", [llm.Attachment(type="image/png", content=PNG)])

    photo = llm.Attachment(type="image/jpeg", content=b"jpeg")
    model = played(is_async, [call("draw"), call("missing", "c2")], ["done"], ["asks", call("draw", "c3")])
    conversation = model.conversation(tools=[draw])
    finish(conversation, "chain", "q", system="s", attachments=[photo])
    finish(conversation, "prompt", "again")
    finish(conversation, "prompt", "go on")  # the call of "again" stays without an outcome
    finish(conversation, "prompt", tool_results=[llm.ToolResult("draw", "late", tool_call_id="c9")])
    prompts = [response.prompt for response in conversation.responses]
    assert [one.prompt for one in prompts] == ["q", "", "again", "go on", ""]
    assert [one.system for one in prompts[:3]] == ["s", "s", ""]
    assert [one.attachments for one in prompts] == [[photo], [], [], [], []]
    outcomes = [[(result.tool_call_id, result.output) for result in one.tool_results] for one in prompts]
    missing = 'Error: tool "missing" does not exist'
    assert outcomes == [[], [("c1", "drawn"), ("c2", missing)], [], [], [("c9", "late")]]
    assert prompts[1].tool_results[0].attachments == [llm.Attachment(type="image/png", content=PNG)]


@BOTH
def test_messages_replace_the_history_and_the_prompt_is_added_to_them(is_async):
    model = played(is_async)
    conversation = model.conversation()
    finish(conversation, "prompt", "forgotten")
    finish(conversation, "prompt", "new", messages=[llm.system("s"), llm.user("u"), llm.assistant("a")])
    assert said(model.asked[1]) == [("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "new")]


@BOTH
def test_a_system_prompt_of_a_later_turn_reaches_the_model_and_the_same_again_is_not_repeated(is_async):
    model = played(is_async)
    conversation = model.conversation()
    finish(conversation, "prompt", "a", system="one")
    finish(conversation, "prompt", "b", system="one")
    finish(conversation, "prompt", "c", system="two")  # the peer drops it
    roles = [text for role, text in said(model.asked[2]) if role == "system"]
    assert roles == ["one", "two"]


# ---- chains -------------------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [("one", "two", "one two"), ("one ", "two", "one two"), ("one", "\ntwo", "one\ntwo"), ("", "two", "two")],
)
def test_one_blank_is_shown_between_rounds_where_there_is_no_white_space_and_is_never_stored(
    is_async, before, after, shown
):
    def tool() -> str:
        return "out"

    model = played(is_async, [*([before] if before else []), call("tool")], [after])
    conversation = model.conversation(tools=[tool])
    assert finish(conversation, "chain", "q").text_or_raise() == shown
    assert [response.text_or_raise() for response in conversation.responses] == [before, after]


@BOTH
def test_a_chain_is_a_response_like_any_other_with_the_rounds_in_it(is_async):
    def tool() -> str:
        return "out"

    class Counts(AsyncPlayed if is_async else Played):  # type: ignore[misc]
        pass

    model = played(is_async, [call("tool")], ["done"])
    chain = finish(model, "chain", "q", tools=[tool])

    async def rounds():
        return [response async for response in chain.responses()]

    inside = run(rounds) if is_async else list(chain.responses())
    assert [response.prompt.prompt for response in inside] == ["q", ""]
    assert [response.text_or_raise() for response in inside] == ["", "done"]
    assert read(chain, "tool_calls") == [call("tool")]
    assert [message.role for message in read(chain, "messages")] == ["assistant", "tool", "assistant"]


@BOTH
def test_schema_and_tools_go_along_to_the_rounds_after_the_first(is_async):
    def tool() -> str:
        return "out"

    seen = []

    def look(self, prompt):
        seen.append(
            (prompt.prompt, prompt.schema, [one.name for one in prompt.tools], prompt.system, prompt.hide_reasoning)
        )

    class Looks(Played):
        def execute(self, prompt, stream, response, conversation):
            look(self, prompt)
            yield from super().execute(prompt, stream, response, conversation)

    class AsyncLooks(AsyncPlayed):
        async def execute(self, prompt, stream, response, conversation):
            look(self, prompt)
            async for item in super().execute(prompt, stream, response, conversation):
                yield item

    model = (AsyncLooks if is_async else Looks)([call("tool")], ["{}"])
    finish(model, "chain", "q", tools=[tool], schema={"type": "object"}, system="s", hide_reasoning=True)
    assert [one[0] for one in seen] == ["q", ""]
    assert seen[0][1:] == seen[1][1:]  # the peer drops the schema
    assert seen[0][1:] == ({"type": "object"}, ["tool"], "s", True)


# ---- attachments, schemas, messages -------------------------------------------------------------------------------------------


def test_attachments():
    assert llm.Attachment(content=PNG).resolve_type() == "image/png"
    assert llm.Attachment(type="x/y", content=PNG).resolve_type() == "x/y"
    assert llm.Attachment(content=b"abc").id() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert re.fullmatch("[0-9a-f]{64}", llm.Attachment(url="http://x/y.png").id())
    assert llm.Attachment(content=b"abc").base64_content() == "YWJj"
    with pytest.raises(ValueError, match=r"^Attachment has no type and no content to derive it from$"):
        llm.Attachment().resolve_type()


def test_schema_dsl():
    schema = llm.schema_dsl("name, age int: in years")
    assert schema == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "description": "in years"}},
        "required": ["name", "age"],
    }
    assert llm.schema_dsl("name, age int: in years", multi=True)["properties"]["items"]["items"] == schema
    with pytest.raises(ValueError, match=r"^Invalid schema DSL: field .* is missing a name before ':'$"):
        llm.schema_dsl("name, : nobody")


def test_messages_and_parts():
    attachment = llm.Attachment(content=PNG)
    message = llm.user("text", [attachment, llm.TextPart("more")])
    assert message == llm.Message("user", [llm.TextPart("text"), llm.AttachmentPart(attachment), llm.TextPart("more")])
    assert [make("x").role for make in (llm.system, llm.assistant, llm.tool_message)] == ["system", "assistant", "tool"]
    assert llm.Message.from_dict(message.to_dict()) == message
    assert llm.user("x").to_dict() == {"role": "user", "parts": [{"type": "text", "text": "x"}]}
    with pytest.raises(TypeError):
        llm.user(5)
    with pytest.raises(ValueError):
        llm.Part.from_dict({"type": "song"})
