"""The fixtures for pytest, in a pytest of its own."""

import subprocess
import sys
import textwrap

import pytest


@pytest.fixture
def ran(tmp_path):
    """Runs these tests with the plugin; gives what pytest said."""

    def run(text, *arguments):
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["llm_actors.testing.plugin"]\n')
        (tmp_path / "test_it.py").write_text(textwrap.dedent(text))
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments, "test_it.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        return done.stdout + done.stderr

    return run


def test_a_test_that_asks_for_a_simulation_runs_in_virtual_time_async_or_not(ran):
    said = ran(
        """
        import asyncio, time
        import llm_actors as llm
        from llm_actors.testing import ScriptedModel, says

        def test_sync(simulation):
            time.sleep(3600)
            assert simulation.now == 3600
            assert ScriptedModel("ho").model.prompt("hi").text() == "ho"

        async def test_async(simulation, tmp_path):
            await asyncio.sleep(3600)
            assert simulation.now == 3600
            assert tmp_path.exists()

        def test_servers(simulation, memory_server, scripted_server):
            model = llm.endpoint("m", base_url=memory_server.base_url, client=memory_server.client).model
            assert model.prompt("hi").text() == "echo: hi"
            assert 0 < simulation.now < 1

        def test_no_simulation(memory_server, scripted_server):
            assert scripted_server.requests == []
            model = llm.endpoint("m", base_url=scripted_server.base_url).model
            assert model.prompt("hi").text() == "echo: hi"
        """
    )
    assert "4 passed" in said


def test_a_failure_says_its_seed_and_the_end_of_the_trace_and_the_seed_can_be_set(ran):
    text = """
        from llm_actors.testing import ScriptedModel

        def test_it(simulation):
            ScriptedModel("ho").model.prompt("hi").text()
            assert simulation.seed == "17"
        """
    said = ran(text)
    assert "simulation of seed" in said
    assert "--simulation-seed=" in said
    assert '"record":"TurnFinished"' in said
    assert "1 passed" in ran(text, "--simulation-seed=17")


def test_a_test_has_the_same_seed_each_time(ran):
    text = "def test_it(simulation):\n    assert simulation.seed == 0, f'seed {simulation.seed}'\n"
    seeds = {line for _ in range(2) for line in ran(text).splitlines() if line.startswith("E   ") and "seed" in line}
    assert len({line for line in seeds if "AssertionError" in line}) == 1


def test_a_cassette_is_recorded_at_the_first_run_and_replayed_at_the_next(ran, tmp_path):
    text = """
        import asyncio
        import llm_actors as llm

        def test_it(cassette, scripted_server):
            model = llm.endpoint("m", base_url="http://memory/v1", client=cassette.client).async_model
            if cassette.recording:
                from llm_actors.testing.memory import MemoryServer
                cassette._transport._transport = MemoryServer().client._transport

            async def main():
                return await model.prompt("hi").text()

            assert asyncio.run(main()) == "echo: hi"
            print("RECORDING" if cassette.recording else "REPLAYING")
        """
    assert "RECORDING" in ran(text, "-s")
    assert (tmp_path / "cassettes" / "test_it.test_it.json").exists()
    assert "REPLAYING" in ran(text, "-s")
    assert "RECORDING" in ran(text, "-s", "--record-cassettes")
