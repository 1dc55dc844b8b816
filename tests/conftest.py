"""What holds for every test: no skip counts as passed where `--no-skips` is given, and nothing of the user's own set-up is seen."""

import itertools
import os
import signal

import hypothesis
import pytest

# A shared machine stalls: an example's time says nothing. Failures print what is needed to repeat them.
hypothesis.settings.register_profile("llm_actors", deadline=None, print_blob=True)
hypothesis.settings.load_profile("llm_actors")

# A shell's `&` and nohup have interrupts ignored, and the programs that tests start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

_user_paths = itertools.count()


def pytest_addoption(parser):
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="a skipped or expectedly failing test fails: what was not tested has not passed",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    return _without_skip(item.config, report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    return _without_skip(collector.config, report)


def _without_skip(config, report):
    if report.skipped and config.getoption("--no-skips"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as failed here (--no-skips): {report.longrepr}"
        vars(report).pop("wasxfail", None)
    return report


@pytest.fixture(autouse=True)
def _nothing_of_the_user(monkeypatch, tmp_path_factory):
    """No key, model, address or settings of whoever runs the tests is seen by them; loopback is reached without a proxy."""
    for name in list(os.environ):
        if name.endswith("_API_KEY") or name.startswith(("OPENAI_", "ANTHROPIC_", "LLM_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LLM_ACTORS_FAST", "0")  # the default install; tests of the extra `fast` take it back
    # Not made: a test that reads finds nothing, one that writes shows that the library makes it.
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path_factory.getbasetemp() / f"user-{next(_user_paths)}"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "localhost,127.0.0.1,::1")
