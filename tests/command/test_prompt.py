"""One prompt: what is asked, what is printed where, and the exit status."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llm_actors.testing import Answer, Gate, Send, Stall, chunk, events, head, reply
from tests.command.conftest import KEY

MODEL = ("-m", "4o-mini")
SCRIPT = str(Path(sys.executable).with_name("llm-actors"))
ADDS = """
import llm_actors as llm
def add(a: int, b: int) -> int:
    "Adds."
    return a + b
class Clock(llm.Toolbox):
    def now(self) -> str:
        "The time."
        return "noon"
clock = Clock()
class Inner:
    tool = staticmethod(add)
"""


def test_the_words_of_the_command_line_are_the_prompt_and_the_answer_goes_to_standard_output(run, server):
    assert run(*MODEL, "hello", "you") == (0, "echo: hello you\n", "")
    request = server.requests[0].json()
    assert request["messages"] == [{"role": "user", "content": "hello you"}]
    assert request["stream"] is True


def test_flags_may_stand_before_between_and_behind_the_words(run, server):
    assert run("one", *MODEL, "two", "-u").out == "echo: one two\n"
    assert run("--", "-5", "+3", stdin=b"").status == 1  # no model, but no complaint about a flag -5 either
    assert run(*MODEL, "--", "-5 + 3").out == "echo: -5 + 3\n"


def test_standard_input_is_the_prompt_or_follows_it(run, server):
    assert run(*MODEL, stdin="grüße".encode()).out == "echo: grüße\n"
    assert run(*MODEL, "Sum this:", stdin=b"a\nb\n").out == "echo: Sum this:\na\nb\n"
    assert run(*MODEL, "alone", stdin=b" \n").out == "echo: alone\n"
    assert run(*MODEL, "alone", stdin=None).out == "echo: alone\n"
    assert run(*MODEL, stdin=b"\xef\xbb\xbfwith a mark").out == "echo: with a mark\n"


@pytest.mark.parametrize("stdin", [b"", b" \n", None])
def test_without_a_prompt_it_says_so(run, stdin):
    outcome = run(*MODEL, stdin=stdin)
    assert outcome == (2, "", 'Error: there is no prompt: llm-actors "a prompt", or pipe one in\n')
    assert run(*MODEL, "", stdin=stdin) == outcome


@pytest.mark.parametrize("stdin", [b"\x89PNG\xff\xfe", b"a\0b"])
def test_bytes_on_standard_input_are_not_taken_for_text(run, stdin):
    outcome = run(*MODEL, "what is this", stdin=stdin)
    assert outcome.status == 2
    assert "`-a -` sends it as an attachment" in outcome.err


def test_a_prompt_that_is_no_utf_8_is_refused(run, server):
    assert run(*MODEL, "\udcff") == (1, "", "Error: the prompt is not valid UTF-8 text\n")


def test_system_prompt_options_and_key_go_along(run, server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    outcome = run(*MODEL, "hi", "-s", "Be brief.", "-o", "temperature", "0.5", "-o", "stop", "END", "--key", KEY)
    assert outcome.out == "echo: hi\n"
    request = server.requests[0]
    assert request.json()["messages"][0]["content"] == "Be brief."
    assert (request.json()["temperature"], request.json()["stop"]) == (0.5, "END")
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_no_stream_asks_for_no_stream_and_prints_nothing_of_an_answer_that_fails(run, server):
    assert run(*MODEL, "--no-stream", "hi").out == "echo: hi\n"
    assert "stream" not in server.requests[0].json() or server.requests[0].json()["stream"] is False
    server.play(reply(500, {"error": {"message": "on fire"}}, times=9))
    outcome = run(*MODEL, "--no-stream", "hi")
    assert (outcome.status, outcome.out) == (1, "")
    assert "on fire" in outcome.err


def test_usage_tells_the_tokens_on_standard_error(run, server):
    assert run(*MODEL, "one two", "--usage").err == "[2 tokens in, 3 tokens out]\n"
    server.play(events('{"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}', "[DONE]"))
    assert run(*MODEL, "one two", "-u").err == "[? tokens in, ? tokens out]\n"


def test_an_answer_that_the_provider_cut_short_says_so(run, server):
    outcome = run(*MODEL, "a b c d", "-o", "max_tokens", "2")
    assert outcome == (0, "echo: a\n", "[the answer ended early: length]\n")


def test_tools_are_called_and_seen_but_not_in_the_answer(run, server, module):
    name = module(ADDS)
    asked = 'call add {"a": 1, "b": 2} and call Clock_now {}'
    outcome = run(*MODEL, "-T", f"{name}:add", "-T", f"{name}:Clock", "-u", asked)
    assert outcome.status == 0
    assert outcome.out == "results: add=3; Clock_now=noon\n"
    lines = outcome.err.splitlines()
    assert {'[add({"a":1,"b":2})]', "[Clock_now({})]", "[add -> 3]", "[Clock_now -> noon]"} == set(lines[:-1])
    assert lines.index('[add({"a":1,"b":2})]') < lines.index("[add -> 3]")


@pytest.mark.parametrize("path", ["Clock", "clock", "clock.now"])
def test_a_toolbox_may_be_a_class_an_instance_or_one_method(run, server, module, path):
    called = "now" if path == "clock.now" else "Clock_now"
    assert run(*MODEL, "-T", f"{module(ADDS)}:{path}", f"call {called} {{}}").out == f"results: {called}=noon\n"


def test_a_dotted_path_leads_inside(run, server, module):
    assert run(*MODEL, "-T", f"{module(ADDS)}:Inner.tool", 'call add {"a": 2, "b": 2}').out == "results: add=4\n"


def test_a_long_tool_call_is_cut_to_the_line_and_shows_no_control_characters(run, server, module):
    name = module('def noise(text: str) -> str:\n    "Noise."\n    return "\\x1b[2J" + "y" * 500')
    err = run(*MODEL, "-T", f"{name}:noise", f'call noise {{"text": "{"x" * 300}"}}').err
    first, second = err.splitlines()
    assert len(first) < 100
    assert first.endswith("...]")
    assert second.startswith("[noise -> [2Jyyy")
    assert len(second) < 100


def test_the_whole_turn_has_its_timeout_also_in_a_tool_that_hangs(run, server, module):
    name = module('import threading\ndef hang() -> str:\n    "Hangs."\n    threading.Event().wait(60)\n    return ""')
    outcome = run(*MODEL, "-T", f"{name}:hang", "--timeout", "0.3", "call hang {}")
    assert outcome.status == 1
    assert outcome.err.splitlines()[0] == "[hang({})]"
    assert outcome.err.splitlines()[1].startswith("Error: ")
    assert len(outcome.err.splitlines()) == 2


def test_a_schema_is_asked_for_and_its_json_printed(run, server):
    assert run(*MODEL, "--schema", "name, age int", "a dog").out == '{"name": "", "age": 0}\n'
    sent = server.requests[0].json()["response_format"]["json_schema"]["schema"]
    assert sent["properties"]["age"]["type"] == "integer"


def test_attachments_go_along_by_path_and_from_standard_input(run, server, tmp_path):
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
    (tmp_path / "picture.png").write_bytes(png)
    assert run(*MODEL, "what is this", "-a", str(tmp_path / "picture.png")).out == "echo: what is this [image_url]\n"
    assert run(*MODEL, "and this", "-a", "-", stdin=png).out == "echo: and this [image_url]\n"
    assert run(*MODEL, "-a", "-", stdin=png).out.startswith("echo: ")
    first, second, third = [request.json()["messages"][0]["content"] for request in server.requests]
    assert first[-1] == second[-1] == third[-1]
    assert first[-1]["image_url"]["url"].startswith("data:image/png;base64,")


# ---- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_one_line_without_the_key(run, server):
    outcome = run(*MODEL, "hi", "--key", "sk-wrong-abcdefgh")
    assert outcome.status == 1
    assert outcome.err.startswith("Error: ")
    assert "401" in outcome.err
    assert "sk-wrong" not in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_no_key_says_how_to_give_one(run):
    outcome = run(*MODEL, "hi")
    assert (outcome.status, outcome.out) == (1, "")
    assert "OPENAI_API_KEY" in outcome.err


def test_an_unknown_model_says_where_the_known_ones_are(run):
    expected = "Error: Unknown model: nope (`llm-actors models` lists those that are known)\n"
    assert run("-m", "nope", "hi") == (1, "", expected)


def test_no_model_at_all_lists_the_ways_to_get_one(run):
    outcome = run("hi")
    assert outcome.status == 1
    for way in ("OPENAI_API_KEY", "llm-actors models install", "-m demo"):
        assert way in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_dead_server_is_told_as_that(run, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    outcome = run(*MODEL, "hi", "--key", KEY)
    assert outcome.status == 1
    assert "no connection to http://127.0.0.1:9/v1" in outcome.err


def test_of_a_cut_stream_what_came_is_shown_and_the_status_is_an_error(run, server):
    start = b'data: {"choices": [{"index": 0, "delta": {"content": "half an"}}]}\n\n'
    server.play(Answer([Send(head()), Send(chunk(start)), Send(chunk(b""))]))
    outcome = run(*MODEL, "hi")
    assert (outcome.status, outcome.out) == (1, "half an\n")
    assert outcome.err.startswith("Error: ")


def test_an_option_that_the_model_does_not_have_is_told_with_those_it_has(run):
    outcome = run("-m", "demo", "hi", "-o", "bogus", "1")
    assert outcome.status == 1
    assert "Options of this model: pace, thinking" in outcome.err


def test_a_model_without_attachments_is_told_with_its_name(run, tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    outcome = run("-m", "gpt-4", "--key", KEY, "hi", "-a", str(tmp_path / "a.png"))
    assert (outcome.status, outcome.out) == (1, "")
    assert "does not support attachments" in outcome.err
    assert "gpt-4" in outcome.err


# ---- as a program ---------------------------------------------------------------------------------------------------


def _program(*words, program=(sys.executable, "-m", "llm_actors"), **how):
    return subprocess.run([*program, *words], capture_output=True, text=True, timeout=60, check=False, **how)


@pytest.mark.parametrize("program", [(sys.executable, "-m", "llm_actors"), (SCRIPT,)], ids=["module", "script"])
def test_the_module_and_the_script_are_the_same_command(server, program):
    ran = _program(*MODEL, "hi", program=program, stdin=subprocess.DEVNULL)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "echo: hi\n", "")


def test_a_reader_that_goes_away_is_not_worth_a_word_and_ends_the_request(server):
    line = Send(chunk(_delta("line\n")))
    server.play(Answer([Send(head()), line, Gate("closed"), line, Stall()]))
    with subprocess.Popen(
        [sys.executable, "-m", "llm_actors", *MODEL, "hi"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"line\n"
        process.stdout.close()
        server.release("closed")
        assert process.stderr.read() == b""
        assert process.wait(30) == 1
    server.wait_until_idle()


def test_a_list_into_a_pipe_that_is_closed_is_silent():
    line = f"{sys.executable} -m llm_actors models | head -c 1"
    ran = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == ("d", "")


def test_a_full_disk_is_told_once():
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "llm_actors", "-m", "demo", "hi"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 1
    assert ran.stderr == "Error: [Errno 28] No space left on device\n"


def test_a_character_that_the_terminal_does_not_have_costs_one_question_mark():
    ran = _program(
        "-m", "demo", '{"text": "5 €"}', env=os.environ | {"PYTHONIOENCODING": "latin-1"}, stdin=subprocess.DEVNULL
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "5 ?\n", "")


def test_an_interrupt_ends_the_request_and_the_program_with_130(server):
    server.play(Answer([Send(head()), Send(chunk(_delta("half an"))), Stall()]))
    with subprocess.Popen(
        [sys.executable, "-m", "llm_actors", *MODEL, "hi"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(7) == b"half an"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"\n"
        assert process.stderr.read() == b"[cancelled]\n"
        assert process.wait(30) == 130
    server.wait_until_idle()
    assert server.requests[-1].closed_early


def _delta(text):
    return b'data: {"choices": [{"index": 0, "delta": {"content": %s}}]}\n\n' % repr(text).replace("'", '"').encode()
