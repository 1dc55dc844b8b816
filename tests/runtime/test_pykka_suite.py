"""Everything that Pykka promises of a runtime holds for ours: its own suite says so."""

import pytest

from tests.runtime import pykka_suite


@pytest.mark.slow
@pytest.mark.timeout(360)
def test_pykkas_own_suite_passes_with_our_actors_among_its_runtimes(pytestconfig):
    folder = pytestconfig.cache.mkdir("pykka_suite")

    outcomes = pykka_suite.run(folder)

    failed = {name: outcome for name, outcome in outcomes.items() if outcome != "passed"}
    assert not failed, "\n".join(f"{name}: {outcome}" for name, outcome in failed.items())
    for runtime in ("asyncio", "thread", "threading"):
        assert sum(f"[{runtime}" in name or f"-{runtime}" in name for name in outcomes) > 130, runtime
