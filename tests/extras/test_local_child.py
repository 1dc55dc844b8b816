"""The real server with the real weights, as plain HTTP sees it: what our wire builds on."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import asdict
from importlib import resources

import httpx
import pytest

from llm_actors.extras.local_process import EngineProcess, Settings
from tests.extras.processes import Watched

pytestmark = pytest.mark.real

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def process(gguf):
    template = resources.files("llm_actors.extras").joinpath("tools.jinja").read_text("utf-8")
    process = EngineProcess(Settings(gguf, "smollm2-135m", template), lambda process: None)
    process.start()
    process.answered.get(timeout=30)
    assert process.error is None
    yield process
    process.stop()


@pytest.fixture
def client(process):
    headers = {"Authorization": f"Bearer {process.key.reveal()}"}
    with httpx.Client(base_url=process.address, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def _stream(client, prompt, **fields):
    messages = fields.pop("messages", [{"role": "user", "content": prompt}])
    body = {"messages": messages, "stream": True, "temperature": 0} | fields
    if fields.get("tools"):
        messages.append({"role": "assistant", "content": "<tool_call>\n"})
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200, response.read()
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def _text(chunks):
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_it_streams_text_and_counts_tokens(client):
    chunks = _stream(client, "Say hello.", max_tokens=8, stream_options={"include_usage": True})
    assert _text(chunks)
    assert len(chunks) > 4
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    assert chunks[-1]["model"] == "smollm2-135m"


def test_with_the_prefill_a_tool_is_called(client):
    chunks = _stream(client, "What is the weather in Paris?", tools=[WEATHER], tool_choice="required", max_tokens=80)
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    assert calls[0]["function"]["name"] == "weather"
    arguments = "".join(call["function"].get("arguments", "") for call in calls if call["index"] == 0)
    assert json.loads(arguments)["city"] == "Paris"


def test_after_a_tool_s_result_it_answers(client):
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    messages = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "18 degrees and rain"},
    ]
    chunks = _stream(client, "", messages=messages, max_tokens=30)
    assert "rain" in _text(chunks)


def test_a_schema_is_obeyed(client):
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "maximum": 30}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    format_ = {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}
    chunks = _stream(client, "Invent a dog.", response_format=format_, max_tokens=80, temperature=1)
    dog = json.loads(_text(chunks))
    assert set(dog) == {"name", "age"}
    assert dog["age"] <= 30


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer guess"}])
def test_without_the_key_nothing_is_answered(process, headers):
    response = httpx.post(
        f"{process.address}/v1/chat/completions", headers=headers, json={"messages": []}, trust_env=False
    )
    assert response.status_code == 401


def test_a_page_in_a_browser_is_not_let_in(client):
    response = client.get("/v1/models", headers={"Origin": "http://evil.example"})
    assert response.headers.get("access-control-allow-origin") in (None, "")
    assert client.get("/").status_code == 404


def test_closing_the_connection_ends_the_answer(process):
    async def main():
        headers = {"Authorization": f"Bearer {process.key.reveal()}"}
        async with httpx.AsyncClient(base_url=process.address, headers=headers, trust_env=False) as client:

            async def busy():
                return any(slot["is_processing"] for slot in (await client.get("/slots")).json())

            body = {
                "messages": [{"role": "user", "content": "Count to a million."}],
                "stream": True,
                "ignore_eos": True,
            }
            async with client.stream("POST", "/v1/chat/completions", json=body) as response:
                await anext(response.aiter_raw())
                assert await busy()
            async with asyncio.timeout(5):
                while await busy():  # each look is a request, so the loop doesn't spin
                    pass

    asyncio.run(main())


PROGRAM = "from llm_actors.extras import local_child; local_child.main()"


def _child(**fields):
    """The program by itself, told what `fields` say; as a module, so that what it runs is measured."""
    child = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(json.dumps({"parent": os.getpid(), "path": []} | fields).encode() + b"\n")
    child.stdin.flush()
    return child


def _settings(gguf):
    return asdict(Settings(gguf, "a", slots=1, context=256)) | {"model": str(gguf), "key": "k"}


def test_the_end_of_stdin_ends_it(gguf):
    with _child(**_settings(gguf)) as child:
        while not child.stdout.readline().startswith(b"@ready"):
            pass
        child.stdin.close()
        assert child.wait(5) == 0


def test_it_ends_when_its_parent_is_another_than_the_one_that_started_it(gguf):
    with _child(**_settings(gguf), parent=1) as child:
        assert child.wait(5) == 0
        assert b"@" not in child.stdout.read()


def test_asked_only_whether_the_engine_is_there_it_says_so_and_ends(tmp_path):
    with _child(model=None, path=[str(tmp_path)]) as child:
        out, _ = child.communicate(timeout=10)
    assert out == b"\n@ready \n"


@pytest.mark.parametrize("model", [None, "/nowhere/model.gguf"])
def test_without_the_engine_it_says_why(tmp_path, monkeypatch, model):
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('no\\nluck')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with _child(model=model) as child:
        assert child.wait(5) == 3
        assert child.stdout.read() == b"\n@failed import no luck\n"


def test_with_a_file_that_is_no_model_it_says_why(tmp_path):
    with _child(**_settings(tmp_path / "none.gguf")) as child:
        assert child.wait(5) == 3
        assert b"\n@failed load " in child.stdout.read()


WITHOUT_PRCTL = """
import json, os, subprocess, sys
program, fields, descriptor = sys.argv[1:]
process = subprocess.Popen([sys.executable, "-c", program], stdin=0, stdout=1)
print(process.pid, flush=True)
os.write(int(descriptor), json.dumps(json.loads(fields) | {"parent": os.getpid(), "path": []}).encode() + b"\\n")
process.wait()
"""


def test_it_ends_with_its_parent_though_stdin_stays_open_and_the_kernel_tells_nothing(gguf):
    read, write = os.pipe()
    try:
        program = PROGRAM.replace("; ", "; import sys; sys.platform = 'other'; ")
        command = [sys.executable, "-c", WITHOUT_PRCTL, program, json.dumps(_settings(gguf)), str(write)]
        with subprocess.Popen(command, stdin=read, stdout=subprocess.PIPE, pass_fds=[write]) as parent:
            assert parent.stdout is not None
            child = Watched(parent.stdout.readline())
            while not parent.stdout.readline().startswith(b"@ready"):
                pass
            parent.kill()
            assert child.gone(within=5)
    finally:
        os.close(read)
        os.close(write)
