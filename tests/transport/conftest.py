from contextlib import ExitStack

import pytest

from llm_actors.testing import ScriptedServer


@pytest.fixture(params=["default", "fast"])
def either_stack(request, monkeypatch, _nothing_of_the_user):
    """The test runs over httpcore, and over the extra `fast`."""
    monkeypatch.setenv("LLM_ACTORS_FAST", "0" if request.param == "default" else "1")
    return request.param


@pytest.fixture(scope="module")
def module_servers():
    """A server for each stack: a gate that one test has released stays open."""
    with ExitStack() as stack:
        servers = {}

        def server(name):
            if name not in servers:
                servers[name] = stack.enter_context(ScriptedServer())
            return servers[name]

        yield server


@pytest.fixture
def server(request, module_servers):
    """A scripted server without script or memory."""
    named = "either_stack" in request.fixturenames
    server = module_servers(request.getfixturevalue("either_stack") if named else "any")
    server.wait_until_idle()
    server.set()
    server.forget()
    return server
