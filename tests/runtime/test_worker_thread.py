"""An actor with a thread that only its pool knows."""

import threading
from typing import Any

import pykka
import pytest

from llm_actors.runtime.worker_thread import WorkerThread


class Echo(WorkerThread):
    def on_receive(self, message):
        return message, threading.current_thread()


def test_a_worker_has_a_daemon_thread_of_its_name_and_is_not_in_the_registry():
    worker = Echo("worker-of-this-test")
    worker.begin()
    answer: Any = worker.actor_ref.ask("hello", timeout=10)
    message, thread = answer
    assert (message, thread.name, thread.daemon) == ("hello", "worker-of-this-test", True)
    assert worker.actor_ref not in pykka.ActorRegistry.get_all()
    worker.stop()
    worker.join(10)
    assert not thread.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        worker.actor_ref.tell("late")
