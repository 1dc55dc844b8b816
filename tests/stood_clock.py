"""A clock that stands still until it is told how long something took: stalls without waiting, whatever else the machine does."""

from llm_actors.runtime import SystemClock, running


class StoodClock(SystemClock):
    def __init__(self):
        super().__init__()
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def hold(self, seconds):
        """What ran held its loop for so long."""
        self.now += seconds


def stand():
    """The clock of the running loop stands still from here on."""
    clock = running().clock = StoodClock()
    return clock


def hold(seconds):
    """The code that calls this holds its loop for so long."""
    running().clock.hold(seconds)
