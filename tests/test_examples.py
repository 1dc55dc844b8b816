"""The programs that users read run, and print what is written beside them: examples/ and the README."""

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.complaints import complaints
from tests.house.source import parsed
from tests.page.running import run

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def documented(path):
    """What its docstring says that it prints."""
    text = ast.get_docstring(parsed(path.read_text("utf-8"))) or ""
    said = re.search(r"prints\b[^\n]*:\n\n(?P<output>(?: {4}[^\n]*\n|\n)+)", text + "\n")
    assert said is not None, f"{path.name} does not say what it prints"
    return dedent(said["output"]).strip("\n") + "\n"


@pytest.mark.parametrize(
    "path", [path for path in EXAMPLES if path.stem != "terminal_chat"], ids=lambda path: path.stem
)
def test_an_example_prints_what_its_docstring_says(path, tmp_path):
    assert run(path, cwd=tmp_path, ignore=r"[\d.]+ s\n" if path.stem == "many_conversations" else "") == documented(
        path
    )


def test_there_are_the_examples_of_the_readme():
    assert [path.stem for path in EXAMPLES] == [
        "agent_tests",
        "debate",
        "many_conversations",
        "quickstart",
        "structured_output",
        "team",
        "terminal_chat",
        "tools",
        "web_service",
    ]


CHAT = ROOT / "examples" / "terminal_chat.py"


def test_the_chat_answers_what_is_typed_as_its_docstring_says(tmp_path):
    session = documented(CHAT)
    typed = "".join(re.findall(r"^> (.*\n)", session, re.MULTILINE))
    printed = re.sub(r"^> .*\n", "> ", session, flags=re.MULTILINE)  # nobody echoes what comes from a pipe
    assert run(CHAT, cwd=tmp_path, stdin=typed) == f"{printed}> "


def test_ctrl_c_cancels_the_chats_answer_and_the_conversation_goes_on(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", str(CHAT)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as chat:
        assert chat.stdin is not None
        assert chat.stdout is not None
        try:
            chat.stdin.write('{"text": "one two three four five six seven eight nine ten", "pace": 20}\n')
            chat.stdin.write("Two fun facts about skunks\n")
            chat.stdin.flush()
            assert chat.stdout.read(5) == "> one"
            chat.send_signal(signal.SIGINT)
            out, err = chat.communicate(timeout=60)
        finally:
            chat.kill()
    assert (chat.returncode, complaints(err)) == (0, "")
    assert re.match(r"\n\[cancelled; 3 characters had arrived\]\n> \[scripted\] 1\. A skunk can spray", out)


def test_the_readmes_first_program_prints_what_it_says(tmp_path):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    kinds = [kind for kind, _ in blocks]
    place = kinds.index("python")
    assert kinds[place + 1] == ""
    program, output = blocks[place][1], blocks[place + 1][1]
    assert run(Path("first.py"), text=program, cwd=tmp_path) == output
