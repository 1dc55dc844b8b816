"""The page's programs against a loopback server in another process that speaks the wire: nothing changed but the import."""

import functools

import pytest

from llm_actors.testing import ScriptedServer
from tests.page.running import PROGRAMS, PROMPTS, TOOLS, program, run

PELICANS = "echo: Five fun facts about pelicans\necho: Now do skunks\n"
BRICK = "Usage: Usage(input=6, output=7, details=None)\necho: a short poem about a brick\n"
UPPER = "results: upper=PANDA; upper=PELICAN"
SCHEMA = "{'type': 'object', 'properties': {'string': {'type': 'string'}}, 'required': ['string']}"
UPPER_TOOL = (
    f"Tool(name='upper', description='Converts string to uppercase', input_schema={SCHEMA}, plugin=None, timeout=None)"
)
CALLS = "".join(
    f"{UPPER_TOOL} ToolCall(name='upper', arguments={{'string': '{word}'}}, tool_call_id='call_1_{place}')"
    f" ToolResult(name='upper', output='{word.upper()}', attachments=[], tool_call_id='call_1_{place}', instance=None,"
    " exception=None)\n"
    for place, word in enumerate(["panda", "pelican"])
)
NEWS = "results: search_web=Results for: recent news about pelicans\nresults: search_web=Results for: flamingos\n"
WHOLE = """\
=== Turn 1 ===
results: celsius_to_fahrenheit=212.0

=== Turn 2 ===
results: celsius_to_fahrenheit=-40.0

=== Usage ===
Turn 1: input=5, output=3
Turn 2: input=6, output=2
Turn 3: input=10, output=3
Turn 4: input=11, output=2
"""
OUTPUT = {
    "text": "echo: Five surprising names for a pet pelican\n",
    "sync_text": "echo: Five surprising names for a pet pelican\n",
    "conversation": PELICANS,
    "sync_conversation": PELICANS,
    "on_done": BRICK,
    "sync_on_done": BRICK,
    "async_tool": "results: hello=Hello there Percival\n",
    "async_tool_in_sync_code": "results: hello=Hello there Percival\n",
    "sync_tool_in_async_code": f"{CALLS}{UPPER}\n",
    "sync_chain": f"{CALLS}{UPPER}\n",
    "chain_stream": UPPER,
    "sync_chain_stream": UPPER,
    "conversation_tools": NEWS,
    "sync_conversation_tools": NEWS,
    "whole": WHOLE,
    "sync_whole": WHOLE,
    "unknown_model": "Unknown model: no-such-model\n" * 2,
}


@pytest.fixture(scope="module")
def server():
    with ScriptedServer(key="sk-page-1234") as server:
        yield server


@pytest.fixture(scope="module")
def outcomes(server, tmp_path_factory):
    """Runs a program, once; gives its output and the requests it made."""
    folder = tmp_path_factory.mktemp("page")

    @functools.cache
    def outcome(name):
        server.forget()
        out = run(program(name), cwd=folder, OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-page-1234")
        return out, server.requests

    return outcome


@pytest.fixture
def outcome(outcomes):
    """The same, with the requests' bodies alone."""

    def outcome(name):
        out, requests = outcomes(name)
        return out, [request.json() for request in requests]

    return outcome


@pytest.mark.parametrize("name", OUTPUT)
def test_the_program_says_what_the_server_answered(outcome, name):
    said, expected = outcome(name)[0].splitlines(), OUTPUT[name].splitlines()
    if CALLS in OUTPUT[name]:  # hooks come as their tools end: of two that run side by side the second may be the first
        said = [*sorted(said[:-1]), *said[-1:]]
    assert said == expected


@pytest.mark.parametrize("name", TOOLS)
def test_the_tool_is_offered_and_its_results_go_back_in_call_order(outcome, name):
    _, requests = outcome(name)
    assert len(requests) in (2, 4)  # a question and its results, once or twice
    for question, answered in zip(requests[::2], requests[1::2], strict=True):
        assert [tool["function"]["name"] for tool in question["tools"]] == [TOOLS[name]]
        said = len(question["messages"])
        asked, *results = answered["messages"][said:]
        assert answered["messages"][:said] == question["messages"]
        assert [call["id"] for call in asked["tool_calls"]] == [result["tool_call_id"] for result in results] != []


@pytest.mark.parametrize("name", ["conversation", "sync_conversation"])
def test_the_second_prompt_carries_the_first_and_its_answer(outcome, name):
    _, requests = outcome(name)
    assert [[message["content"] for message in request["messages"]] for request in requests] == [
        ["Five fun facts about pelicans"],
        ["Five fun facts about pelicans", "echo: Five fun facts about pelicans", "Now do skunks"],
    ]


@pytest.mark.parametrize("name", [*PROMPTS, *TOOLS])
def test_model_and_key_go_out_as_the_program_and_its_environment_have_them(outcomes, name):
    _, requests = outcomes(name)
    text = program(name).read_text("utf-8")
    assert all(f'"{request.json()["model"]}"' in text for request in requests)
    assert {request.headers["authorization"] for request in requests} == {"Bearer sk-page-1234"}


def test_all_models_are_listed_with_their_aliases(outcome):
    models = outcome("models")[0].split()
    assert {"gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "demo", "local/smollm2-135m"} <= set(models)
    sync_models, requests = outcome("sync_models")
    assert sync_models.split()[: len(models)] == models
    assert "WireModel: gpt-4o-mini AsyncWireModel (async): gpt-4o-mini ['4o-mini']\n" in sync_models
    assert requests == []


def test_no_program_is_left_out():
    assert {path.stem for path in PROGRAMS.glob("*.py")} == {*OUTPUT, "models", "sync_models"}
    assert {*OUTPUT} == {*PROMPTS, *TOOLS, "unknown_model"}
