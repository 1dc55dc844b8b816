"""A chain that pauses for a human, is written down, and goes on in another process: what had finished is not run again."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

from llm_actors.messages import Message
from tests.complaints import complaints
from tests.strict import check_next

PROGRAM = """
    import json
    import sys
    from pathlib import Path

    import llm_actors as llm

    base_url, folder, step, dress = sys.argv[1:]
    file, ran = Path(folder, "conversation.json"), Path(folder, "ran.txt")

    def note(text):
        with ran.open("a") as out:
            out.write(f"{step}: {text}\\n")

    def look(n: int) -> str:
        note(f"look {n}")
        return f"seen {n}"

    def pay(amount: int) -> str:
        note(f"pay {amount}")
        return f"paid {amount}"

    def ask_a_human(tool, call):
        if tool.name == "pay" and step != "approved":
            raise llm.PauseChain("may it pay?")

    pair = llm.endpoint("m", wire="openai-chat", base_url=base_url, key="k")
    model = pair.async_model if dress == "async" else pair.model
    settings = {"tools": [look, pay], "before_call": ask_a_human}
    kind = llm.AsyncConversation if dress == "async" else llm.Conversation
    if file.exists():
        conversation = kind.from_dict(json.loads(file.read_text()), model=model, **settings)
    else:
        conversation = model.conversation(**settings)
    prompt = 'call look {"n": 1} and call pay {"amount": 5} and call look {"n": 2}' if step == "begin" else None

    async def main():
        return await conversation.chain(prompt).text()

    try:
        if dress == "async":
            import asyncio
            print(asyncio.run(main()))
        else:
            print(conversation.chain(prompt).text())
    except llm.PauseChain as pause:
        print(f"paused at {pause.tool_call.name}{pause.tool_call.arguments}: {pause}")
    file.write_text(json.dumps(conversation.to_dict()))
"""


@pytest.mark.parametrize("dress", ["async", "sync"])
def test_an_approval_after_a_restart_runs_what_was_left_open_and_nothing_again(server, tmp_path, dress):
    def process(step):
        command = [
            sys.executable,
            "-X",
            "dev",
            "-W",
            "error",
            "-c",
            dedent(PROGRAM),
            server.base_url,
            tmp_path,
            step,
            dress,
        ]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, complaints(ended.stderr)) == (0, "")
        return ended.stdout.strip()

    assert process("begin") == "paused at pay{'amount': 5}: may it pay?"
    check_kept(tmp_path)
    assert process("asked again") == "paused at pay{'amount': 5}: may it pay?"
    check_kept(tmp_path)
    assert process("approved") == "results: look=seen 1; pay=paid 5; look=seen 2"
    check_kept(tmp_path)
    ran = (tmp_path / "ran.txt").read_text("utf-8").splitlines()
    assert sorted(ran[:2]) == ["begin: look 1", "begin: look 2"]
    assert ran[2:] == ["approved: pay 5"]
    assert len(server.requests) == 2  # a pause asks the model nothing


def check_kept(folder):
    """What was written down is a history that every provider takes, at each of its stages."""
    plain = json.loads((folder / "conversation.json").read_text("utf-8"))
    check_next([Message.from_dict(message) for message in plain["messages"]])
