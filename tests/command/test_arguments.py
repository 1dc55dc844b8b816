"""The words of the command line: help, version, what is wrong with them."""

import re
from importlib.metadata import version

import pytest

import llm_actors as llm
from llm_actors.errors import PauseChain


@pytest.mark.parametrize(
    "words", [["--help"], ["models", "--help"], ["models", "install", "-h"], ["models", "default", "-h"]]
)
def test_help_fits_a_terminal_of_80_columns(run, words):
    status, out, err = run(*words, columns=80)
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80


def test_help_names_every_flag_and_the_models_words(run):
    out = run("-h").out
    for word in ("--model", "--system", "--tool", "--option", "--attachment", "--schema", "--key", "--timeout"):
        assert word in out
    for word in ("--no-stream", "--usage", "--version", "llm-actors models install smollm2-135m"):
        assert word in out


def test_the_version_is_that_of_the_package(run):
    assert run("--version").out == f"llm-actors {version('llm-actors')}\n"
    assert re.fullmatch(r"\d+\.\d+\S*", version("llm-actors"))


@pytest.mark.parametrize(
    "words",
    [
        ["--nope"],
        ["--mod", "demo", "hi"],  # flags are not guessed from their beginnings: a new one would break scripts
        ["-o", "pace"],
        ["-m"],
        ["models", "nope"],
        ["models", "--nope"],
        ["models", "default", "a", "b"],
    ],
)
def test_wrong_words_are_one_line_and_status_2(run, words):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert err.startswith("Error: ")
    assert "--help" in err
    assert err.count("\n") == 1


def test_a_prompt_about_models_is_a_prompt(run):
    asked = "models of the atom"
    assert asked in run("-m", "demo", asked).out


class Fails(llm.Model):
    """Raises what it was made with."""

    def __init__(self, error):
        self.model_id = "fails"
        self.error = error

    def execute(self, prompt, stream, response, conversation):
        yield "some "
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("of the model's own"), "RuntimeError: of the model's own"),
        (KeyError("name"), "KeyError: 'name'"),
        (ValueError("in\nlines\x1b[2J"), "in lines [2J"),
        (ValueError(), "ValueError"),
        (OSError("no number"), "no number"),
        (PauseChain("ask a person"), "ask a person"),
    ],
)
def test_whatever_a_model_raises_is_one_paragraph_without_a_traceback(run, error, said):
    llm.register_model(Fails(error))
    try:
        assert run("-m", "fails", "hi") == (1, "some \n", f"Error: {said}\n")
    finally:
        llm.unregister_model("fails")


def test_what_an_error_notes_beside_its_text_is_told(run, monkeypatch, tmp_path):
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    (tmp_path / "aliases.json").write_text("{")
    outcome = run("-m", "nope", "hi")
    assert outcome.status == 1
    assert "aliases.json is not valid JSON" in outcome.err


def test_a_broken_keys_file_is_told_without_its_content(run, monkeypatch, tmp_path):
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    (tmp_path / "keys.json").write_text('{"openai": "sk-secret-in-a-file')
    for words in (["-m", "4o-mini", "hi"], ["models"]):
        outcome = run(*words)
        assert outcome.status == 1
        assert "keys.json" in outcome.err
        assert "sk-secret" not in outcome.err + outcome.out
