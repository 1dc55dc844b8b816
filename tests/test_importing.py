"""What `import llm_actors` brings, and what waits until it is used."""

import os
import subprocess
import sys

import pytest

import llm_actors
import llm_actors.runtime

WIRE = ("httpx", "httpcore", "h11", "anyio", "aiohttp", "httpx_aiohttp", "uvloop", "llm_actors.transport")
HEAVY = (
    "urllib.request",
    "http.client",
    "email.message",
    "tempfile",
    "hashlib",
    "pathlib",
    "multiprocessing",
    "unittest",
)
FEW_USE = (
    "llm_actors.chat.group",
    "llm_actors.chat.compaction_policies",
    "llm_actors.providers.openai_chat",
    "llm_actors.providers.scripted",
    "llm_actors.runtime.supervisor",
    "llm_actors.runtime.topic",
    "llm_actors.signals",
    "llm_actors.system_tree",
)


def brought(program, names):
    """Those of the names that a fresh interpreter has imported after this program, and had not before it."""
    text = f"""
import sys
before = set(sys.modules)
{program}
print(*sorted((set(sys.modules) - before) & set({names!r})))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, env=environment, check=True
    )
    return done.stdout.split()


def test_importing_brings_no_http_client_and_nothing_that_only_some_programs_use():
    assert brought("import llm_actors", [*WIRE, *HEAVY, *FEW_USE]) == []


def test_actors_and_a_scripted_model_answer_without_an_http_client():
    program = """
import llm_actors as llm
class Echo(llm.Actor):
    def on_receive(self, message):
        return message
assert llm.default_system.start(Echo).ask("hi") == "hi"
assert llm.get_model("demo").prompt("hi").text()
"""
    assert brought(program, WIRE) == []


def test_a_model_of_a_wire_brings_the_pump_and_still_no_http_client():
    assert brought("import llm_actors; llm_actors.get_model('gpt-4o-mini')", WIRE) == ["llm_actors.transport"]


@pytest.mark.parametrize("package", [llm_actors, llm_actors.runtime])
def test_names_that_are_imported_later_are_like_all_others(package):
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is getattr(package, name)
    text = f"from {package.__name__} import *; from {package.__name__} import Topic, Child; print(Topic.__name__, Child.__name__)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, env=environment, check=True
    )
    assert done.stdout.split() == ["Topic", "Child"]


def test_a_name_that_is_not_there_is_an_attribute_error_with_a_hint():
    wrong = "Tpoic"
    with pytest.raises(AttributeError, match=r"module 'llm_actors' has no attribute 'Tpoic'") as caught:
        getattr(llm_actors, wrong)
    assert caught.value.name == wrong
    assert caught.value.obj is llm_actors
    assert not hasattr(llm_actors.runtime, "nothing")
