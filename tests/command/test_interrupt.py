"""Ctrl-C: once to cancel, twice to leave."""

import signal
import threading

import pytest

from llm_actors.command import interrupt


class Asked:
    """Stands where a response stands: tells when it was cancelled, and by which thread."""

    def __init__(self):  # not of a log
        self.cancelled = threading.Event()
        self.by = None

    def cancel(self):
        self.by = threading.current_thread()
        self.cancelled.set()


@pytest.fixture(autouse=True)
def _as_before():
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def test_one_press_cancels_the_answer_from_another_thread_and_is_raised_at_the_end():
    done, response = [], Asked()
    with pytest.raises(KeyboardInterrupt), interrupt.caught() as presses:
        presses.cancel(response)
        signal.raise_signal(signal.SIGINT)
        assert response.cancelled.wait(30)
        done.append("whole")
    assert done == ["whole"]
    assert response.by is not threading.main_thread()
    assert presses.came == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_press_before_the_prompt_is_sent_cancels_it_when_it_is():
    response = Asked()
    with pytest.raises(KeyboardInterrupt), interrupt.caught() as presses:
        signal.raise_signal(signal.SIGINT)
        presses.cancel(response)
        assert response.cancelled.wait(30)


def test_a_second_press_is_raised_at_once_and_the_third_is_left_to_the_system():
    with pytest.raises(KeyboardInterrupt), interrupt.caught() as presses:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert presses.came == 2
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


def test_without_a_press_nothing_is_raised_and_errors_pass():
    with interrupt.caught():
        pass
    with pytest.raises(ValueError, match="its own"), interrupt.caught():
        raise ValueError("its own")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_thread_that_cancels_ends_with_the_block():
    before = set(threading.enumerate())
    with interrupt.caught():
        (mine,) = set(threading.enumerate()) - before
    mine.join(30)
    assert not mine.is_alive()


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *_: None], ids=["ignored", "somebody else's"])
def test_another_handler_is_left_alone(handler):
    signal.signal(signal.SIGINT, handler)
    with interrupt.caught():
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is handler


def test_the_last_one_is_left_to_the_system():
    interrupt.last()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


def test_where_it_is_ignored_the_last_one_is_too():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupt.last()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
