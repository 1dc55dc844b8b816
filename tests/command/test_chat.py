"""The chat, in a real terminal against a server that refuses a history that is not valid."""

import os
import signal

import pytest

from llm_actors.testing import Answer, Gate, Send, Speak, Stall, chunk, head, reply
from tests.command.terminal import COMMAND, CTRL_C, CTRL_D, Terminal
from tests.extras.processes import Watched, children

PROMPT = "> "
TOOLS = """
import asyncio, sys, threading
def add(a: int, b: int) -> int:
    "Adds."
    return a + b
def hang() -> str:
    "Hangs, and hears of no cancel."
    threading.Event().wait(60)
    return ""
async def refuse() -> str:
    "Refuses to be cancelled."
    print("running", file=sys.stderr, flush=True)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
"""


@pytest.fixture
def chat(server):
    """A chat at its first prompt; more words and environment may be given."""
    open_ = []

    def start(*words, **environment):
        terminal = Terminal("-m", "4o-mini", *words, **environment)
        open_.append(terminal)
        terminal.expect("Chatting with gpt-4o-mini. Ctrl-C cancels an answer, Ctrl-D ends the chat.\n> ")
        return terminal

    yield start
    for terminal in open_:
        with terminal:
            if terminal.process.poll() is None:  # whatever has happened in it, it ends as it should
                terminal.press(CTRL_D)
                assert terminal.status() == 0


def _said(server, number=-1):
    """What the server was told by a request, as (role, text) pairs."""
    return [(message["role"], message.get("content")) for message in server.requests[number].json()["messages"]]


def test_a_chat_goes_on_with_what_was_said_and_ends_with_ctrl_d(chat, server):
    terminal = chat("-s", "Be brief.")
    terminal.type("one")
    terminal.expect("echo: one\n> ")
    terminal.type("   ")
    terminal.expect(PROMPT)
    terminal.type("two")
    terminal.expect("echo: two\n> ")
    said = [("user", "one"), ("assistant", "echo: one"), ("user", "two")]
    assert [pair for pair in _said(server) if pair[0] != "system"] == said
    assert _said(server)[0] == ("system", "Be brief.")
    terminal.press(CTRL_D)
    assert terminal.status() == 0


@pytest.mark.parametrize("word", ["exit", "quit"])
def test_a_word_ends_it_too(chat, server, word):
    terminal = chat()
    terminal.type(word)
    assert terminal.status() == 0
    assert not server.requests


def test_an_answer_is_seen_while_it_comes(chat, server):
    first = b'data: {"choices": [{"index": 0, "delta": {"content": "first"}}]}\n\n'
    done = (
        b'data: {"choices": [{"index": 0, "delta": {"content": " last"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    )
    server.play(Answer([Send(head()), Send(chunk(first)), Gate("seen"), Send(chunk(done) + chunk(b""))]))
    terminal = chat("-u")
    terminal.type("go")
    terminal.expect("first")
    server.release("seen")
    terminal.expect(" last\n[? tokens in, ? tokens out]\n> ")


def test_with_no_stream_an_answer_is_seen_when_it_is_whole(chat):
    terminal = chat("--no-stream")
    terminal.type("a b")
    terminal.expect("\necho: a b\n> ")


def test_ctrl_c_cancels_the_running_answer_and_the_next_prompt_works(chat, server):
    start = b'data: {"choices": [{"index": 0, "delta": {"content": "half an"}}]}\n\n'
    server.play(Answer([Send(head()), Send(chunk(start)), Stall()]))
    terminal = chat()
    terminal.type("long")
    terminal.expect("half an")
    terminal.press(CTRL_C)
    terminal.expect("^C\n[cancelled]\n> ")
    server.wait_until_idle()
    assert server.requests[-1].closed_early
    terminal.type("next")
    terminal.expect("echo: next\n> ")
    assert _said(server)[-1] == ("user", "next")
    assert ("user", "long") in _said(server)


def test_ctrl_c_before_anything_came_takes_the_prompt_back(chat, server):
    server.play(Answer([Stall()]))
    terminal = chat()
    terminal.type("forget me")
    server.wait_for_requests(1)
    terminal.press(CTRL_C)
    terminal.expect("[cancelled]\n> ")
    terminal.type("next")
    terminal.expect("echo: next\n> ")
    assert _said(server) == [("user", "next")]


def test_ctrl_c_in_a_tool_that_hangs_leaves_a_history_that_the_server_takes(chat, server, module):
    terminal = chat("-T", f"{module(TOOLS)}:hang")
    terminal.type("call hang {}")
    terminal.expect("[hang({})]\n")
    terminal.press(CTRL_C)
    terminal.expect("[cancelled]\n> ")
    terminal.type("next")
    terminal.expect("echo: next\n> ")
    assert [role for role, _ in _said(server)] == ["user", "assistant", "tool", "user"]
    terminal.press(CTRL_D)
    assert terminal.status() == 0  # the thread that hangs holds nobody


def test_a_second_ctrl_c_leaves_a_chat_that_a_tool_holds_up(chat, module):
    terminal = chat("-T", f"{module(TOOLS)}:refuse")
    terminal.type("call refuse {}")
    terminal.expect("running")
    terminal.press(CTRL_C)
    terminal.expect("^C")
    terminal.press_until(CTRL_C, "[cancelled]\n")  # two that come at the same moment are one signal
    terminal.press(CTRL_C)  # and one more does not wait for the tool either
    assert terminal.status() in {130, -signal.SIGINT}
    assert "Traceback" not in terminal.screen


def test_ctrl_c_at_the_prompt_drops_the_line_and_asks_for_another(chat, server):
    terminal = chat()
    terminal.press("never mind")
    terminal.expect("never mind")
    terminal.press_until(CTRL_C, "\n> ")
    terminal.type("hello")
    terminal.expect("echo: hello\n> ")
    assert _said(server) == [("user", "hello")]


def test_tool_calls_are_shown_as_they_happen_on_lines_of_their_own(chat, server, module):
    terminal = chat("-T", f"{module(TOOLS)}:add")
    terminal.type('call add {"a": 1, "b": 2}')
    terminal.expect('\n[add({"a":1,"b":2})]\n[add -> 3]\nresults: add=3\n> ')


def test_a_tool_call_behind_some_text_begins_a_new_line(chat, server, module):
    call = '{"index": 0, "id": "c1", "type": "function", "function": {"name": "add", "arguments": "{\\"a\\": 1, \\"b\\": 2}"}}'
    lines = [
        '{"choices": [{"index": 0, "delta": {"content": "Let me see."}}]}',
        f'{{"choices": [{{"index": 0, "delta": {{"tool_calls": [{call}]}}, "finish_reason": "tool_calls"}}]}}',
        "[DONE]",
    ]
    body = b"".join(chunk(f"data: {line}\n\n".encode()) for line in lines)
    server.play(Answer([Send(head() + body + chunk(b""))]))
    terminal = chat("-T", f"{module(TOOLS)}:add")
    terminal.type("what is 1 + 2?")
    terminal.expect('\nLet me see.\n[add({"a":1,"b":2})]\n[add -> 3]\nresults: add=3\n> ')


def test_an_error_is_told_and_the_chat_goes_on(chat, server):
    server.play(reply(400, {"error": {"message": "no such luck"}}))
    terminal = chat()
    terminal.type("one")
    assert "no such luck" in terminal.expect("\n> ")
    terminal.type("two")
    terminal.expect("echo: two\n> ")
    assert _said(server) == [("user", "two")]


def test_keys_that_are_no_text_are_told_and_the_chat_goes_on(chat):
    terminal = chat(PYTHONIOENCODING="utf-8:strict")
    os.write(terminal._keyboard, b"\xff\xfe\r")
    terminal.expect("Error: ")
    terminal.expect("\n> ")
    terminal.type("two")
    terminal.expect("echo: two\n> ")


def test_several_lines_that_are_pasted_are_one_prompt(chat, server):
    terminal = chat()
    terminal.press("\x1b[200~one\ntwo\x1b[201~\r")
    terminal.expect("echo: one\ntwo\n> ")
    assert _said(server) == [("user", "one\ntwo")]


def test_the_line_before_comes_back_with_the_arrow_key(chat):
    terminal = chat()
    terminal.type("again")
    terminal.expect("echo: again\n> ")
    terminal.press("\x1b[A")
    terminal.expect("again")
    terminal.press("\r")
    terminal.expect("echo: again\n> ")


def test_words_of_a_model_do_not_move_the_cursor(chat, server):
    text = (
        b'data: {"choices": [{"index": 0, "delta": {"content": "a\\u001b[2Jb\\u0007"}, "finish_reason": "stop"}]}\n\n'
    )
    server.play(Answer([Send(head() + chunk(text + b"data: [DONE]\n\n") + chunk(b""))]))
    terminal = chat()
    terminal.type("go")
    terminal.expect("\na[2Jb\n> ")


def test_a_file_goes_with_the_first_prompt_that_stays(chat, server, tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 9)
    server.play(Answer([Stall()]))
    terminal = chat("-a", str(tmp_path / "a.png"))
    terminal.type("one")
    server.wait_for_requests(1)
    terminal.press(CTRL_C)
    terminal.expect("[cancelled]\n> ")
    terminal.type("two")
    terminal.expect("echo: two [image_url]\n> ")
    terminal.type("three")
    terminal.expect("echo: three\n> ")
    assert [len(content) for _, content in _said(server)] == [2, len("echo: two [image_url]"), len("three")]


def test_a_missing_key_is_told_before_anything_is_typed(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with Terminal("-m", "4o-mini") as terminal:
        assert terminal.status() == 1
        assert "No key found" in terminal.screen
        assert PROMPT not in terminal.screen


def test_an_error_is_folded_between_words_in_a_narrow_terminal(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with Terminal("-m", "4o-mini", columns=50) as terminal:
        assert terminal.status() == 1
        lines = terminal.screen.splitlines()
        assert len(lines) > 3
        assert max(map(len, lines)) <= 50


def test_where_the_answer_goes_to_a_file_there_is_no_chat(server, tmp_path):
    with (tmp_path / "out").open("wb") as out, Terminal("-m", "4o-mini", stdout=out) as terminal:
        assert terminal.status() == 2
        assert "there is no prompt" in terminal.screen
    with (tmp_path / "out").open("wb") as out, Terminal("-m", "4o-mini", "hi", stdout=out) as terminal:
        assert terminal.status() == 0
        assert terminal.screen == ""
    assert (tmp_path / "out").read_text() == "echo: hi\n"


def test_one_prompt_on_a_terminal_is_cancelled_by_ctrl_c(server):
    server.play(Answer([Send(head()), Stall()]))
    with Terminal("-m", "4o-mini", "hi") as terminal:
        server.wait_for_requests(1)
        terminal.press(CTRL_C)
        terminal.expect("^C\n[cancelled]\n")
        assert terminal.status() == 130
    server.wait_until_idle()


def test_where_interrupts_are_ignored_they_stay_ignored(server):
    """As `nohup` and `&` start it: SIGINT is ignored, and sending a prompt must not change that."""
    line = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    server.play(Answer([Gate("interrupted"), Speak()]))
    with Terminal("-m", "4o-mini", "hi", program=(COMMAND[0], "-c", line, *COMMAND)) as terminal:
        server.wait_for_requests(1)
        terminal.press(CTRL_C)
        terminal.expect("^C")
        server.release("interrupted")
        terminal.expect("echo: hi\n")
        assert terminal.status() == 0


@pytest.mark.real
@pytest.mark.timeout(180)
def test_the_embedded_model_streams_in_a_chat_and_outlives_a_ctrl_c(gguf):
    # At temperature 0 it says the same each time: more than the twenty characters that are waited for.
    with Terminal("-o", "temperature", "0", LLM_ACTORS_CACHE=str(gguf.parent.parent)) as terminal:
        terminal.expect("Chatting with local/smollm2-135m")
        terminal.expect(PROMPT)
        terminal.type("Write a long story about a dog.")
        terminal.expect("\n", 10)
        while len(terminal.screen.rpartition("about a dog.\n")[2]) < 20:
            assert terminal._look(60), terminal.screen
        terminal.press(CTRL_C)
        terminal.expect("[cancelled]\n> ", 30)
        terminal.type("Say hello.")
        assert len(terminal.expect("\n> ", 60)) > len("Say hello.\n")
        (engine,) = map(Watched, children(terminal.process.pid))
        terminal.press(CTRL_D)
        assert terminal.status() == 0
    assert engine.gone(within=5)
