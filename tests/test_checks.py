"""What says whether all is well must be able to say that it isn't."""

import subprocess
import sys

from tests.__main__ import run
from tests.house.source import REPOSITORY

UNTESTED = {
    "test_skip.py": "import pytest\ndef test_it():\n    pytest.skip('no server')",
    "test_module.py": "import pytest\npytest.importorskip('no_such_module')\ndef test_it(): pass",
    "test_failure.py": "import pytest\n@pytest.mark.xfail\ndef test_it():\n    assert False",
    "test_pass.py": "def test_it(): pass",
}


def python(code):
    return (sys.executable, "-c", code)


def test_one_failed_check_fails_the_whole_and_keeps_no_other_from_running(capfd):
    status = run({"first": python("print('well'); raise SystemExit(3)"), "second": python("print('fine')")})
    said = capfd.readouterr().out
    assert status == 1
    assert "FAILED  first" in said
    assert "ok      second" in said
    assert said.endswith("1 of 2 checks passed, not: first\n")


def test_all_checks_passed_is_a_pass_and_no_check_is_not(capfd):
    assert run({"one": python("pass")}) == 0
    assert capfd.readouterr().out.endswith("1 of 1 checks passed\n")
    assert run({}) == 1


def test_what_was_not_tested_fails_where_no_skips_are_allowed(tmp_path):
    for name, text in UNTESTED.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", f"{tmp_path}/pytest.ini", str(tmp_path)]
    allowed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    command += ["--no-skips", "--continue-on-collection-errors"]
    refused = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr
    assert "1 passed, 2 skipped, 1 xfailed" in allowed.stdout
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "2 failed, 1 passed, 1 error" in refused.stdout
    assert "skipped, which counts as failed here" in refused.stdout
