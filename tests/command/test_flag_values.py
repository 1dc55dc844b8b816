"""What the flags stand for; what can't be meant is said in one line, with status 2, before anything is sent."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llm_actors as llm
from llm_actors.command import flag_values
from llm_actors.command.flag_values import WrongFlag

DEMO = ("-m", "demo", "hi")


@pytest.mark.parametrize("name", ["add", "module:", ":add", ""])
def test_a_tool_is_named_by_module_and_function(run, name):
    outcome = run(*DEMO, "-T", name)
    assert outcome.status == 2
    assert outcome.err.startswith("Error: -T takes MODULE:FUNCTION")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:add", "No module named 'no_such_module'"),
        ("mytools.py:add", "without .py, mytools:..."),
        ("os:no_such_name", "has no attribute 'no_such_name'"),
        ("os:path.nope", "has no attribute 'nope'"),
    ],
)
def test_a_tool_that_is_not_there_is_told(run, name, said):
    outcome = run(*DEMO, "-T", name)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"Error: -T {name}: ")
    assert said in outcome.err


def test_a_module_that_fails_is_told_with_the_place(run, module):
    name = module("x = 1\nundefined\n")
    assert f"NameError: name 'undefined' is not defined ({Path.cwd()}" in run(*DEMO, "-T", f"{name}:f").err
    assert ", line 2)" in run(*DEMO, "-T", f"{name}:f").err
    assert "SyntaxError: " in run(*DEMO, "-T", f"{module('def')}:f").err


def test_a_toolbox_that_wants_arguments_is_to_be_named_as_an_instance(run, module):
    text = "import llm_actors as llm\nclass Box(llm.Toolbox):\n    def __init__(self, where):\n        pass\n"
    outcome = run(*DEMO, "-T", f"{module(text)}:Box")
    assert outcome.status == 2
    assert "Box() failed: TypeError: " in outcome.err
    assert "Name an instance instead" in outcome.err


def test_what_is_no_tool_is_told(run):
    outcome = run(*DEMO, "-T", "os:name")
    assert outcome.status == 1
    assert "Invalid tool" in outcome.err


def test_a_missing_file_and_a_folder_are_told_by_name(run, tmp_path):
    missing = str(tmp_path / "missing")
    assert run(*DEMO, "-a", missing) == (1, "", f"Error: {missing}: No such file or directory\n")
    assert run(*DEMO, "-a", str(tmp_path)) == (1, "", f"Error: {tmp_path}: Is a directory\n")


def test_a_url_is_left_to_the_library():
    assert flag_values.attachment("https://example.org/a.png") == llm.Attachment(url="https://example.org/a.png")


def test_a_pipe_as_a_file_is_read_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[b"%PDF-1.7"])
    writer.start()
    found = flag_values.attachment(str(tmp_path / "pipe"))
    writer.join(10)
    assert (found.content, found.path) == (b"%PDF-1.7", None)
    assert found.resolve_type() == "application/pdf"


def test_no_standard_input_is_an_empty_attachment(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert flag_values.attachment("-").content == b""


@given(st.text())
def test_any_value_of_an_option_is_taken_as_json_or_as_the_text_it_is(value):
    name, found = flag_values.option("x", value)
    assert name == "x"
    try:
        assert found == json.loads(value) or isinstance(found, float)  # nan is no equal of itself
    except ValueError:
        assert found == value


def test_a_schema_is_json_a_file_or_the_short_form(tmp_path):
    plain = {"type": "object", "properties": {"name": {"type": "string"}}}
    (tmp_path / "dog.json").write_text(json.dumps(plain), encoding="utf-8-sig")
    assert flag_values.schema(json.dumps(plain)) == plain
    assert flag_values.schema(str(tmp_path / "dog.json")) == plain
    assert flag_values.schema("name, age int") == llm.schema_dsl("name, age int")
    long = ", ".join(f"field_{number} int: {'x' * 80}" for number in range(99))
    assert len(flag_values.schema(long)["properties"]) == 99


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "--schema is not valid JSON"),
        ("[1]", "--schema is a JSON object, not '[1]'"),
        ("dog.json", "--schema: no file 'dog.json'"),
        ("name colour", "--schema: Invalid schema DSL: unknown type 'colour'"),
        ("", "--schema is empty"),
        (" , ", "--schema is empty"),
    ],
)
def test_a_schema_that_is_none_is_told(run, text, said):
    outcome = run(*DEMO, "--schema", text)
    assert outcome.status == 2
    assert said in outcome.err


def test_a_file_that_is_no_schema_is_told_by_name(run, tmp_path):
    (tmp_path / "dog.json").write_text("not json")
    with pytest.raises(WrongFlag, match=r"--schema .*dog\.json is not valid JSON"):
        flag_values.schema(str(tmp_path / "dog.json"))


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", ""])
def test_a_timeout_is_a_finite_number_of_seconds(run, text):
    assert run(*DEMO, f"--timeout={text}").status == 2
    assert flag_values.seconds("0.5") == 0.5


def test_the_script_finds_modules_of_the_current_folder(module):
    name = module('def shout(text: str) -> str:\n    "Shouts."\n    return text.upper()')
    asked = '{"tool_calls": [{"name": "shout", "arguments": {"text": "hey"}}], "text": "done"}'
    script = Path(sys.executable).with_name("llm-actors")
    ran = subprocess.run(
        [script, "-m", "demo", "-T", f"{name}:shout", asked],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "done\n")
    assert "[shout -> HEY]" in ran.stderr
