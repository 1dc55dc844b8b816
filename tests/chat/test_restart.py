"""`PauseChain`, approval by a human after a restart of the process from `to_dict()`, resume: in two real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.complaints import complaints

ROOT = Path(__file__).parents[2]


def run(step, tmp_path, dress, what):
    """One process; gives what it printed."""
    arguments = [step, str(tmp_path / "kept.json"), str(tmp_path / "counts"), dress, what]
    program = [sys.executable, "-X", "dev", "-W", "error", "-m", "tests.chat.approval", *arguments]
    ended = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert (ended.returncode, complaints(ended.stderr)) == (0, "")
    return ended.stdout.strip()


@pytest.mark.parametrize("what", ["conversation", "response"])
@pytest.mark.parametrize("dress", ["async", "sync"])
def test_the_finished_sibling_tools_are_not_run_again(tmp_path, dress, what):
    """approval by a human after a restart of the process from `to_dict()`, resume: the finished sibling tools are not run again."""
    said = run("pause", tmp_path, dress, what)
    assert said == "shall I pay? {'pounds': 3} ['look_up', 'reserve']"
    counts = tmp_path / "counts"
    assert sorted(counts.read_text().splitlines()) == ["pause look_up fish", "pause reserve fish"]
    counts.write_text("")
    results = run("resume", tmp_path, dress, what)
    assert results == "[('look_up', 'fish: 3 pounds'), ('pay', 'paid'), ('reserve', 'reserved')]"
    assert counts.read_text().splitlines() == ["resume pay 3"]
