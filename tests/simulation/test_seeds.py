"""Ten thousand random programs, each checked after every turn of its loop."""

import json
import subprocess
import sys

import msgspec
import pytest

from .hunt import hunt_all
from .play import play
from .program import Program, draw_program
from .shrink import shown, shrink

SEEDS = 10_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_random_programs_keep_every_promise():
    found = hunt_all(0, SEEDS, processes=2)
    if found.outcome is not None:
        pytest.fail(f"seed {found.failed} of the simulation failed, shrunk:\n{shown(shrink(found.outcome, plays=800))}")
    assert found.seeds == SEEDS
    assert found.responses > SEEDS


def test_a_program_is_drawn_the_same_each_time_and_survives_being_written_down():
    for seed in range(50):
        program = draw_program(seed)
        assert program == draw_program(seed) == Program.decode(program.encode())


def test_the_same_program_has_the_same_trace():
    for seed in range(20):
        first, second = (play(draw_program(seed), keep_trace=True).trace for _ in range(2))
        assert first == second
        assert first or not draw_program(seed).users


def test_the_same_seed_has_the_same_trace_in_a_process_with_other_hashes():
    code = (
        "import sys; from tests.simulation.play import play; from tests.simulation.program import draw_program\n"
        "for seed in range(60, 75): sys.stdout.buffer.write(play(draw_program(seed), keep_trace=True).trace)"
    )
    traces = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env={"PYTHONHASHSEED": hashes, "PYTHONPATH": "."},
            capture_output=True,
            timeout=120,
            check=True,
        ).stdout
        for hashes in ("0", "1", "4711")
    }
    (trace,) = traces
    assert len(trace) > 10_000


def test_every_action_model_and_tool_is_drawn():
    drawn = json.dumps([msgspec.to_builtins(draw_program(seed)) for seed in range(400)])
    from .actions import ACTIONS
    from .answers import FAULTS
    from .program import HOOKS, MODELS, POLICIES
    from .tools import TOOLS

    kinds = [kind.__name__ for kind, _ in ACTIONS]
    defaults = {"Prompt", "queue", "script", "", "text"}
    for name in {*kinds, *FAULTS, *HOOKS, *MODELS, *POLICIES, *TOOLS} - defaults:
        assert f'"{name}"' in drawn, name


def test_the_command_shows_a_program_and_runs_seeds():
    command = [sys.executable, "-W", "ignore", "-m", "tests.simulation"]
    clean = subprocess.run(
        [*command, "--seeds", "20", "--processes", "1"], capture_output=True, text=True, timeout=120, check=False
    )
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "20 seeds ran clean" in clean.stdout
    program = draw_program(3).encode().decode()
    shown_one = subprocess.run(
        [*command, "--program", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert shown_one.returncode == 0
    assert "what happened:" in shown_one.stdout
