"""Ctrl-C, held back while a prompt is sent."""

import signal

import pytest

from llm_actors.command import interrupt


def test_an_interrupt_inside_is_raised_at_the_end_and_the_block_is_whole():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupt.held():
        signal.raise_signal(signal.SIGINT)
        done.append("whole")
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_an_interrupt_nothing_is_raised_and_errors_pass():
    with interrupt.held():
        pass
    with pytest.raises(ValueError, match="its own"), interrupt.held():
        raise ValueError("its own")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *_: None], ids=["ignored", "somebody else's"])
def test_another_handler_is_left_alone(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        with interrupt.held():
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is handler
        interrupt.last()
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_last_one_is_left_to_the_system():
    before = signal.getsignal(signal.SIGINT)
    try:
        interrupt.last()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
