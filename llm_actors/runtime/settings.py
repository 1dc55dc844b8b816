"""What a supervisor and its children are told to go by, in OTP's words; see supervision.py."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from .intensity import Intensity

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
Restart: TypeAlias = Literal["permanent", "transient", "temporary"]

GRACE = 5.0
"""Seconds that a child has to stop in, where its specification says nothing else."""


def check_settings(strategy: Strategy, intensity: int, period: float) -> Strategy:
    """The strategy. Raises ValueError for what a supervisor can't go by."""
    if strategy not in get_args(Strategy):
        msg = f"strategy is one of {', '.join(get_args(Strategy))}, not {strategy!r}"
        raise ValueError(msg)
    Intensity(intensity, period)
    return strategy
