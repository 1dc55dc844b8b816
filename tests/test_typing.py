"""The programs of tests/typing_programs say what types a user's checker finds; mypy and pyright must agree with each line of them."""

import subprocess
import sys

import pytest

from tests.house.source import REPOSITORY

WRONG = '''"""A wrong claim beside the right ones: a check that lets it through checks nothing."""

from typing import assert_type

from llm_actors.messages import user

assert_type(user("hi").text, bytes)
'''
CHECKERS = {
    "mypy": ("mypy",),
    "pyright": ("pyright", "--pythonpath", sys.executable),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", CHECKERS)
def test_the_typing_programs_hold_and_a_wrong_claim_is_found_by(checker, tmp_path, monkeypatch):
    monkeypatch.setenv("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1")
    programs = sorted(str(file.relative_to(REPOSITORY)) for file in (REPOSITORY / "tests/typing_programs").glob("*.py"))
    wrong = tmp_path / "wrong_claim.py"
    wrong.write_text(WRONG)
    command = [sys.executable, "-m", *CHECKERS[checker], *programs, str(wrong)]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=280, stdin=subprocess.DEVNULL, check=False
    )
    errors = [line for line in done.stdout.splitlines() if "error:" in line or " - error" in line]
    assert programs
    assert len(errors) == 1, done.stdout + done.stderr
    assert "wrong_claim.py:7" in errors[0]
