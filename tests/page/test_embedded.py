"""The page's programs on the embedded model: import and model id changed, nothing else. Its prose is not judged."""

import re

import pytest

from tests.page.running import PROMPTS, TOOLS, Observed, program, run, with_model
from tests.page.test_real_server import calls_the_tool_and_answers

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.usefixtures("weights")]


@pytest.fixture
def observed(tmp_path, request):
    """A busy machine writes 20 tokens in a second: as few as do."""
    length = 130 if request.node.callspec.params["name"] in TOOLS else 40  # room for the longest call
    return Observed(tmp_path, PAGE_LENGTH=str(length))


@pytest.fixture
def outcome(observed, tmp_path):
    def outcome(name):
        text = with_model(name, "local/smollm2-135m")
        return run(program(name), text=text, cwd=tmp_path, **observed.environment)

    return outcome


@pytest.mark.parametrize("name", PROMPTS)
def test_the_program_is_answered(outcome, observed, name):
    assert outcome(name).strip()
    turns = observed("TurnFinished")
    assert [(turn["rounds"], turn["error"]) for turn in turns] == [(1, None)] * (2 if "conversation" in name else 1)
    counts = [(each["input_tokens"], each["output_tokens"]) for each in observed("RoundEnded")]
    assert counts == sorted(counts, key=lambda count: count[0])  # the second prompt carries the first
    assert all(written > 0 for _, written in counts)


@pytest.mark.parametrize("name", TOOLS)
def test_the_tool_is_called_and_the_model_answers(outcome, observed, name):
    out = outcome(name)
    assert out.strip()
    calls_the_tool_and_answers(observed, TOOLS[name])
    if "whole" in name:
        counts = [(str(each["input_tokens"]), str(each["output_tokens"])) for each in observed("RoundEnded")]
        assert re.findall(r"Turn \d: input=(\d+), output=(\d+)", out) == counts
        assert len(counts) == 4


def test_only_the_model_id_is_another():
    for name in [*PROMPTS, *TOOLS]:
        was = program(name).read_text("utf-8").splitlines()
        now = with_model(name, "local/smollm2-135m").splitlines()
        [changed] = [new for old, new in zip(was, now, strict=True) if old != new]
        assert re.fullmatch(r' *model = llm\.get_(async_)?model\("local/smollm2-135m"\)', changed)
