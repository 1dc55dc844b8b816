"""What one child process comes to, beside the engine's own tests: starts that fail, ends that are odd."""

import signal
import sys
from pathlib import Path

import pytest

from llm_actors.extras import local_process
from llm_actors.extras.local_process import EngineProcess, Settings, import_problem


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Puts a program in the child's place."""

    def put(text):
        program = tmp_path / "program.py"
        program.write_text(text, encoding="utf-8")
        monkeypatch.setattr(local_process, "_PROGRAM", program)

    return put


def _started(settings=None):
    gone: list[EngineProcess] = []
    process = EngineProcess(settings or Settings(Path("model.gguf"), "small"), gone.append)
    process.start()
    process.answered.get(timeout=10)
    return process, gone


def _failed():
    process, gone = _started()
    assert process.gone.wait(5)
    assert gone == [process]
    return process.error


def test_a_child_that_ends_without_a_word_is_a_crash_with_its_exit_code(fake):
    fake("raise SystemExit(7)")
    assert "the local engine of small crashed (exit code 7)" in _failed()


def test_a_child_killed_by_a_signal_without_a_name_is_a_crash_too(fake):
    fake(f"import os; os.kill(os.getpid(), {signal.SIGRTMIN + 1})")
    assert f"crashed (signal {signal.SIGRTMIN + 1})" in _failed()


def test_its_last_words_are_told_without_time_stamps_and_without_the_key(fake):
    fake("import sys; line = input(); print('0.00.008.893 E half', line[-200:]); print('@failed load no'); sys.exit(1)")
    process, _ = _started()
    assert process.gone.wait(5)
    assert "It said: half" in str(process.error)
    assert process.key.reveal() not in str(process.error)


def test_native_words_without_an_end_of_line_do_not_hide_the_answer(fake):
    child = "import os, sys; os.write(1, b'x' * 200_000); os.write(1, b'\\n@ready http://there\\n'); sys.stdin.read()"
    fake(child)
    process, _ = _started()
    assert process.address == "http://there"
    assert process.error is None
    process.stop()
    process.stop()
    assert process.gone.is_set()


def test_a_child_that_does_not_end_with_its_stdin_is_killed(fake, monkeypatch):
    monkeypatch.setattr(local_process, "_STOP_GRACE", 0.2)
    fake("import threading; print('@ready http://there', flush=True); threading.Event().wait(60)")
    process, _ = _started()
    process.stop()
    assert process.gone.wait(5)
    assert "it was stopped" in str(process.error)


def test_a_child_that_does_not_read_its_settings_is_a_crash(fake):
    fake("import os; os.close(0)")
    huge = Settings(Path("model.gguf"), "small", template="x" * 2_000_000)
    process, _ = _started(huge)
    assert process.gone.wait(5)
    assert "it did not read its settings" in str(process.error)


@pytest.mark.parametrize(
    ("executable", "text"), [("", "this interpreter is embedded"), ("/nowhere/python", "No such file")]
)
def test_an_interpreter_that_can_t_be_started_is_named(monkeypatch, executable, text):
    monkeypatch.setattr(sys, "executable", executable)
    error = _failed()
    assert "is not running: could not start" in error
    assert text in error


def test_stopped_before_its_child_runs_it_ends_all_the_same(fake, monkeypatch):
    """The stop comes between the order to start and the start."""
    fake("import os; os.read(0, 1) and os.read(0, 9999)")
    process = EngineProcess(Settings(Path("model.gguf"), "small"), lambda process: None)
    monkeypatch.setattr(local_process, "_STOP_GRACE", 0.0)
    process.stop("not wanted any more")
    process.start()
    assert process.gone.wait(5)
    assert "not wanted any more" in str(process.error)


def test_the_engine_is_there():
    assert import_problem() is None


def test_no_descriptor_is_left_open(fake):
    fake("print('@ready http://there', flush=True); input(); input()")
    before = set(Path("/proc/self/fd").iterdir())
    process, _ = _started()
    process.stop()
    assert set(Path("/proc/self/fd").iterdir()) == before
