import pytest

from llm_actors.testing import ScriptedServer


@pytest.fixture(scope="module")
def module_server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def server(module_server):
    """A scripted server without script or memory."""
    module_server.wait_until_idle()
    module_server.set()
    module_server.forget()
    return module_server
