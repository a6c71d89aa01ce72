"""Hourly electricity consumption of a few customers, as JSON lines: what DeepAR trains on here.

The same seed gives the same series on every machine.
"""

from __future__ import annotations

import json
from typing import Final

import numpy as np

_START: Final = "2014-01-01 00:00:00"
_DAY, _WEEK = 24, 24 * 7
PREDICTED: Final = 48


def draw_customer(hours: int, rng: np.random.Generator) -> list[float]:
    """Return what a customer uses in each hour, with the rhythm of days and weeks."""
    hour = np.arange(hours)
    peak, width = rng.uniform(8, 20), rng.uniform(2.5, 5)
    daily = np.exp(-0.5 * (((hour % _DAY) - peak) / width) ** 2)
    weekend = np.where(hour % _WEEK >= 5 * _DAY, rng.uniform(0.4, 0.8), 1.0)
    base, size = rng.uniform(0.3, 1.0), rng.lognormal(3, 1)
    noise = 1 + 0.08 * rng.standard_normal(hours)
    return [round(float(value), 2) for value in size * (base + daily * weekend) * noise]


def build_electricity(prefix: str, customers: int = 40, hours: int = 5 * _WEEK) -> dict[str, bytes]:
    """Return the objects of both channels by their keys; the channel test also has the hours to predict."""
    rng = np.random.default_rng(5)
    series = [draw_customer(hours, rng) for _ in range(customers)]
    ends = {"train": -PREDICTED, "test": None}
    return {
        f"{prefix}/{channel}/{channel}.json": "".join(
            json.dumps({"start": _START, "target": target[:end]}) + "\n" for target in series
        ).encode()
        for channel, end in ends.items()
    }
