"""The shape of the repository: what lies at its top, and that the README's commands, `.ci/run` and the packaging say the same."""

import re
import subprocess
import tomllib

from tests.house.source import REPOSITORY

TOP = {"pyproject.toml", "llm_actors", "tests", "examples", "README.md", "LICENSE"}


def tracked():
    """The files git knows; where there is no git, those a copy of the repository would show."""
    command = ["git", "-c", f"safe.directory={REPOSITORY}", "ls-files"]
    try:
        return subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return [path.name for path in REPOSITORY.iterdir() if path.suffix != ".egg-info"]


def commands():
    """The README's shell commands in their order."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines() if line]


def test_the_visible_top_level_is_what_the_design_says():
    assert {path.partition("/")[0] for path in tracked() if not path.startswith(".")} == TOP


def test_the_readme_starts_with_a_command_for_the_main_job_and_one_for_the_tests():
    main_job, tests = commands()[:2]
    assert main_job.startswith("python3 -m venv .venv && ")
    assert ".venv/bin/llm-actors models install smollm2-135m" in main_job
    assert (
        tests == "python3 -m venv .venv && .venv/bin/pip install -q -e '.[local,test,sdk]' && .venv/bin/python -m tests"
    )


def test_ci_runs_the_readmes_second_command_in_an_environment_of_its_own():
    script = (REPOSITORY / ".ci/run").read_text(encoding="utf-8").replace('"', "")
    _, *steps = commands()[1].split(" && ")
    for step in steps:
        assert step.replace(".venv/", "$venv/") in script
    assert "$python -m venv --clear $venv" in script


def test_the_extras_and_scripts_of_the_readmes_commands_are_there():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = " ".join(commands())
    extras = {extra for group in re.findall(r"'\.\[([\w,]+)\]'", said) for extra in group.split(",")}
    assert extras == {"local", "test", "sdk"}
    assert extras <= set(project["optional-dependencies"])
    assert set(re.findall(r"\.venv/bin/([\w-]+)", said)) - {"pip", "python"} <= set(project["scripts"])


def test_no_path_of_one_machine_is_in_the_repository():
    # Assembled, so that this line is not one of them.
    machine = re.compile("|".join(("/" + "work/", "/" + "tmp/w/", "/" + "root/", "/home" + r"/\w+/")))
    texts = [REPOSITORY / path for path in tracked() if (REPOSITORY / path).is_file()]
    assert [str(path) for path in texts if machine.search(path.read_text(encoding="utf-8", errors="replace"))] == []
