import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_actors.errors import (
    AuthenticationError,
    InvalidRequestError,
    ModelError,
    ModelTimeoutError,
    OverloadedError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
)
from llm_actors.messages import (
    Attachment,
    Message,
    ModelRequest,
    RoundResult,
    StreamEvent,
    ToolCall,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    Usage,
    assistant,
    system,
    tool_message,
    user,
)
from llm_actors.messages.assembly import assemble
from llm_actors.providers.scripted import Script, demo

UPPER = ToolSpec(
    "upper",
    "Converts string to uppercase",
    {"type": "object", "properties": {"string": {"type": "string"}}, "required": ["string"]},
)


def ask(*messages: Message | str, pace: float = 0.0, tools=(), **more) -> Script:
    said = [user(message) if isinstance(message, str) else message for message in messages]
    return demo(ModelRequest("demo", said, list(tools), **more), pace=pace)


def text(script: Script) -> str:
    return "".join(item for step in script.steps for item in step.items if isinstance(item, str))


def events(script: Script) -> list[StreamEvent]:
    return [item for step in script.steps for item in step.items if isinstance(item, StreamEvent)]


def result(script: Script) -> RoundResult:
    assert isinstance(script.outcome, RoundResult), script.outcome
    return script.outcome


def after_call(prompt: str, arguments: dict[str, str], output: str, *, exception: str | None = None) -> list[Message]:
    call = ToolCallPart("upper", arguments, "call_1")
    return [user(prompt), assistant(call), tool_message(ToolResultPart("upper", output, "call_1", exception=exception))]


PROMPTS = [
    "Five surprising names for a pet pelican",
    "Five fun facts about pelicans",
    "a short poem about a brick",
    "hello",
    "",
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_prose_answer_says_that_it_is_scripted(prompt):
    assert text(ask(prompt)).startswith("[scripted] ")


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_same_request_gives_the_same_script(prompt):
    assert ask(prompt, pace=0.1) == ask(prompt, pace=0.1)


def test_five_names_are_five():
    assert [f"{number}. " in text(ask("Five surprising names for a pet pelican")) for number in range(1, 7)] == [
        *[True] * 5,
        False,
    ]


def test_a_follow_up_to_facts_gives_facts():
    first = user("Five fun facts about pelicans")
    assert "skunk" in text(ask(first, assistant("..."), "Now do skunks"))
    assert "You said" in text(ask(first, assistant("..."), "Now do sheep"))
    assert "You said" in text(ask("Tell me a story about cats", "Now do skunks"))


def test_an_answer_tells_prompt_number_system_and_attachments_apart():
    picture = Attachment(content=b"\x89PNG\r\n\x1a\n")
    said = text(ask(system("Be brief"), "one", assistant("x"), user("two", picture)))
    assert "You said: two" in said
    assert "prompt 2" in said
    assert "Be brief" in said
    assert "image/png" in said


def test_without_a_pace_all_is_written_at_once_in_words():
    script = ask("a short poem about a brick")
    assert [step.delay for step in script.steps] == [0.0]
    assert len(script.steps[0].items) == len(text(script).split())


def test_with_a_pace_each_word_is_a_step():
    script = ask("a short poem about a brick", pace=0.25)
    assert {(step.delay, len(step.items)) for step in script.steps} == {(0.25, 1)}
    assert text(script) == text(ask("a short poem about a brick"))


def test_an_answer_that_is_not_streamed_is_one_chunk():
    script = ask("a short poem about a brick", stream=False)
    assert [len(step.items) for step in script.steps] == [1]


def test_usage_counts_words():
    script = ask(system("Be brief"), "one two three")
    assert result(script).usage == Usage(5, len(text(script).split()))


def test_thinking_gives_reasoning_and_counts_it():
    script = ask("hello there", options={"thinking": True})
    thoughts = [event.chunk for event in events(script)]
    usage = result(script).usage
    assert {event.type for event in events(script)} == {"reasoning"}
    assert usage is not None
    assert usage.details == {"reasoning_tokens": len("".join(thoughts).split())}
    assert events(ask("hello there", options={"thinking": True}, hide_reasoning=True)) == []


def test_calls_are_streamed_and_given_with_the_same_ids():
    script = ask("Convert panda to uppercase then pelican to uppercase", tools=[UPPER])
    calls = result(script).tool_calls
    assert calls == [
        ToolCall("upper", {"string": "panda"}, "call_1"),
        ToolCall("upper", {"string": "pelican"}, "call_2"),
    ]
    assert result(script).stop_reason == "tool_calls"
    parts = assemble([item for step in script.steps for item in step.items])[0].parts
    assert parts == [ToolCallPart(call.name, call.arguments, call.tool_call_id) for call in calls]


def test_ids_of_calls_are_new_in_each_turn():
    history = [*after_call("Convert a to uppercase", {"string": "a"}, "A"), assistant("A")]
    assert [
        call.tool_call_id for call in result(ask(*history, "Convert b to uppercase", tools=[UPPER])).tool_calls
    ] == ["call_2"]


def test_results_of_tools_are_told_with_their_calls():
    script = ask(*after_call("Convert panda to uppercase", {"string": "panda"}, "PANDA"), tools=[UPPER])
    assert text(script) == '[scripted] upper(string="panda") gave PANDA.'
    assert result(script).tool_calls == []


def test_a_failed_tool_is_told_as_failed():
    script = ask(*after_call("Convert x to uppercase", {}, "Error: no", exception="ValueError: no"), tools=[UPPER])
    assert text(script) == "[scripted] upper() failed: Error: no."


def test_a_result_without_its_call_is_told_by_its_name():
    script = ask("go", assistant("..."), tool_message(ToolResultPart("other", "1" * 500)), "and?", tools=[UPPER])
    assert text(script).startswith("[scripted] other gave 111")
    assert text(script).endswith("....")


def test_files_that_a_tool_gave_do_not_make_a_new_prompt():
    history = after_call("Convert x to uppercase", {"string": "x"}, "X")
    files = user(Attachment(type="image/png", content=b"1"))
    assert "gave X" in text(ask(*history, files, tools=[UPPER]))


def test_a_schema_gives_an_instance_with_values_of_the_prompt():
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
    }
    assert json.loads(text(ask("Invent a dog named Cleo, age 5", schema=schema))) == {"name": "Cleo", "age": 5}


def test_with_tools_and_a_schema_the_tools_come_first():
    schema = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
    first = ask("Convert panda to uppercase", tools=[UPPER], schema=schema)
    assert result(first).tool_calls
    then = ask(*after_call("Convert panda to uppercase", {"string": "panda"}, "PANDA"), tools=[UPPER], schema=schema)
    assert isinstance(json.loads(text(then))["word"], str)


def test_a_schema_that_nothing_fits_is_a_typed_error():
    outcome = ask("x", schema={"type": "string", "pattern": "^zebra{77}$"}).outcome
    assert isinstance(outcome, InvalidRequestError)
    assert "zebra" in str(outcome)


# ---- control prompts -----------------------------------------------------------------------------------------------------------


def control(done_rounds: int = 0, /, *, tools=(UPPER,), **fields) -> Script:
    """The script for a control prompt after so many rounds of calls."""
    done: list[Message] = []
    for number in range(done_rounds):
        call = ToolCallPart("upper", {"string": "x"}, f"c{number}")
        done += [assistant(call), tool_message(ToolResultPart("upper", "X", f"c{number}"))]
    return ask(user(json.dumps(fields)), *done, tools=tools)


def test_control_says_a_text_as_it_is_in_its_own_chunks():
    script = control(text=["a", " b", "", "c"])
    assert [item for step in script.steps for item in step.items] == ["a", " b", "c"]
    assert text(control(text="  two\nlines ")) == "  two\nlines "
    assert text(ask(json.dumps({"text": ["a", "b"]}), stream=False)) == "ab"


def test_control_makes_calls_first_and_says_its_text_after_them():
    fields = {
        "tool_calls": [{"name": "upper", "arguments": {"string": "a"}, "id": "mine"}, "other"],
        "text": "bye",
        "reasoning": "so so",
    }
    first = control(0, **fields)
    assert result(first).tool_calls == [ToolCall("upper", {"string": "a"}, "mine"), ToolCall("other", {}, "call_2")]
    assert text(first) == ""
    assert "".join(event.chunk for event in events(first) if event.type == "reasoning") == "so so"
    assert text(control(1, **fields)) == "bye"
    assert result(control(1, **fields)).tool_calls == []
    assert events(control(1, **fields)) == []


def test_control_without_a_text_tells_the_results():
    assert "gave X" in text(control(1, tool_calls=["upper"]))


def test_control_repeats_its_calls_for_ever_when_asked():
    assert all(result(control(rounds, tool_calls=["upper"], repeat=True)).tool_calls for rounds in range(5))


def test_control_gives_wrong_calls():
    assert result(control(wrong_tool=True)).tool_calls[0].name == "no_such_tool"
    assert result(control(wrong_tool="mine")).tool_calls[0].name == "mine"
    assert result(control(wrong_arguments=True)).tool_calls == [
        ToolCall("upper", {"string": ["not", "this"]}, "call_1")
    ]
    broken = control(tool_calls=[{"name": "upper", "arguments": '{"string": "pan'}])
    assert result(broken).tool_calls[0].arguments == {"_raw": '{"string": "pan'}
    assert "".join(event.chunk for event in events(broken) if event.type == "tool_call_args") == '{"string": "pan'


def test_wrong_arguments_of_a_tool_without_parameters_are_unknown_ones():
    plain = ToolSpec("now", None, {"type": "object", "properties": {}})
    lists = ToolSpec("sum", None, {"type": "object", "properties": {"of": {"type": "array"}}})
    assert result(control(tools=[plain], wrong_arguments=True)).tool_calls[0].arguments == {"no_such_parameter": True}
    assert result(control(tools=[lists], wrong_arguments=True)).tool_calls[0].arguments == {"of": {"not": "this"}}
    assert isinstance(control(tools=[], wrong_arguments=True).outcome, InvalidRequestError)


def test_control_plays_one_object_for_each_round():
    rounds = [{"text": "first ", "tool_calls": ["upper"]}, {"tool_calls": ["upper"]}, {"text": "last"}]
    scripts = [control(number, rounds=rounds, tool_calls=[]) for number in range(3)]
    assert [text(script) for script in scripts] == ["first ", "", "last"]
    assert [len(result(script).tool_calls) for script in scripts] == [1, 1, 0]
    assert "gave X" in text(control(3, rounds=rounds))


def test_control_sets_stop_reason_and_usage():
    assert result(control(text="cut", stop_reason="length")).stop_reason == "length"
    assert result(control(stop_reason="refusal")).stop_reason == "refusal"
    assert result(control(text="x", usage={"input": 7, "output": 8})).usage == Usage(7, 8)
    assert result(control(text="x", usage=None)).usage is None
    assert result(control(text="x")).usage is not None


def test_calls_that_were_cut_by_the_length_are_not_to_be_run():
    outcome = result(control(tool_calls=["upper"], stop_reason="length"))
    assert outcome.tool_calls == []
    assert [call.name for call in outcome.cut_calls] == ["upper"]


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("broken", ModelError),
        ({"status": 401}, AuthenticationError),
        ({"status": 404}, InvalidRequestError),
        ({"status": 429, "retry_after": 3}, RateLimitError),
        ({"status": 503}, OverloadedError),
        ({"status": 500}, ServerError),
        ({"kind": "truncated"}, StreamTruncatedError),
        ({"kind": "timeout"}, ModelTimeoutError),
        ({"kind": "nonsense"}, InvalidRequestError),
    ],
)
def test_control_ends_with_a_typed_error_after_what_was_said(asked, kind):
    script = control(text="Hello ", error=asked)
    assert type(script.outcome) is kind
    assert asked == {"kind": "nonsense"} or text(script) == "Hello "


def test_an_error_carries_status_and_delay():
    error = control(error={"status": 429, "retry_after": 3, "message": "slow down"}).outcome
    assert isinstance(error, RateLimitError)
    assert (str(error), error.status, error.retry_after) == ("slow down", 429, 3)


def test_an_error_with_calls_comes_after_their_results():
    assert isinstance(control(0, tool_calls=["upper"], error="no").outcome, RoundResult)
    assert isinstance(control(1, tool_calls=["upper"], error="no").outcome, ModelError)


def test_control_sets_the_pace():
    assert {step.delay for step in control(text="a b c", pace=0.5).steps} == {0.5}
    assert {step.delay for step in control(rounds=[]).steps} == {0.0}
    assert {step.delay for step in control(0, rounds=[{"text": "a", "pace": 2}], pace=1).steps} == {2}


@pytest.mark.parametrize("prompt", ['{"text": "x", "txet": 1}', '{"pace": -1}', '{"tool_calls": [{"arguments": {}}]}'])
def test_a_control_prompt_with_a_mistake_is_an_error_that_names_the_fields(prompt):
    outcome = ask(prompt).outcome
    assert isinstance(outcome, InvalidRequestError)
    assert "wrong_arguments" in str(outcome)


@pytest.mark.parametrize("prompt", ["{}", '{"question": "x"}', "{not json}", "[1]", '"text"'])
def test_other_json_is_an_ordinary_prompt(prompt):
    assert "You said" in text(ask(prompt))


def test_no_message_at_all_is_answered():
    assert text(ask()).startswith("[scripted]")


@given(st.text(max_size=200), st.booleans())
def test_any_prompt_is_answered_and_its_pieces_join_to_the_text(prompt, stream):
    script = ask(prompt, tools=[UPPER], stream=stream)
    if isinstance(script.outcome, RoundResult) and not script.outcome.tool_calls:
        assert text(script).strip()
        msgspec.json.encode(script.steps)
    else:
        assert isinstance(script.outcome, ModelError) or script.outcome.tool_calls


@given(st.text(max_size=80))
def test_a_text_is_given_back_character_by_character_the_same(said):
    assert text(control(text=said)) == said
