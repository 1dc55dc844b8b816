"""What a user's type checker sees of the end of a system."""

import signal
from typing import assert_type

import llm_actors as llm


async def serve() -> None:
    async with llm.ActorSystem(drain=10.0) as system:
        assert_type(system, llm.ActorSystem)
        with system.shutdown_on_signal(signal.SIGTERM, drain=3.0) as signals:
            assert_type(signals, llm.ShutdownSignals)
            assert_type(await signals.report, llm.ShutdownReport)
            assert_type(signals.received, list[str])
        report = await system.shutdown(drain=3)
        assert_type(report, llm.ShutdownReport)
        assert_type(report.abandoned, tuple[llm.AbandonedCall, ...])
        assert_type(report.clean, bool)


def serve_blocking() -> None:
    report = llm.default_system.shutdown().get(timeout=5)
    assert_type(report, llm.ShutdownReport)
    assert_type(report.seconds, float)
