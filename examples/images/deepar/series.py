"""Time series in JSON lines, and what the network sees of them: scale, lags and the time of each value."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_FREQUENCY: Final = re.compile(r"(\d*)(min|H|D|W|M)")
_MINUTES: Final = {"min": 1, "H": 60, "D": 24 * 60, "W": 7 * 24 * 60}
# How many steps back the network also sees a value, by the unit of the frequency: a day and a week, for example.
_LAGS: Final = {"min": (24 * 60, 7 * 24 * 60), "H": (24, 7 * 24), "D": (7, 28), "W": (4, 52), "M": (1, 12)}


class SeriesError(ValueError):
    """A time series, or a frequency, cannot be read; the message says which."""


@dataclass(frozen=True)
class Frequency:
    """The time between two values: ``multiple`` times ``unit``."""

    unit: str
    multiple: int

    @staticmethod
    def of(text: str) -> Frequency:
        """Read ``time_freq``, such as H or 15min."""
        found = _FREQUENCY.fullmatch(text)
        if found is None:
            raise SeriesError(f"time_freq is {text}, but must be M, W, D, H or min, perhaps with a number before it")
        return Frequency(found[2], int(found[1] or 1))

    @property
    def lags(self) -> tuple[int, ...]:
        """How many steps back the network also sees a value."""
        return tuple(sorted({max(1, lag // self.multiple) for lag in _LAGS[self.unit]}))

    def features(self, start: str, first: int, count: int) -> Values:
        """Return the times of ``count`` values of a series from the ``first`` on, as columns from -0.5 to 0.5."""
        try:
            began = np.datetime64(start.strip().replace(" ", "T"), "m")
        except ValueError:
            raise SeriesError(f"A time series starts at {start}, but must start at YYYY-MM-DD HH:MM:SS") from None
        steps = (np.arange(count) + first) * self.multiple
        if self.unit == "M":
            times = (began.astype("datetime64[M]") + steps).astype("datetime64[m]")
        else:
            times = began + steps * _MINUTES[self.unit]
        minutes = times.astype(np.int64)
        days = minutes // (24 * 60)
        months = times.astype("datetime64[M]").astype(np.int64)
        columns = (minutes % (24 * 60) / (24 * 60 - 1), (days + 3) % 7 / 6, months % 12 / 11)
        return np.stack(columns, axis=1) - 0.5


@dataclass(frozen=True)
class Series:
    """A time series; a value that is missing is NaN."""

    start: str
    target: Values

    @staticmethod
    def of(document: Mapping[str, Any], where: str) -> Series:
        """Read a time series from JSON: its ``start``, and its ``target``, where null and "NaN" are missing values."""
        try:
            target = [float("nan") if value is None else float(value) for value in document["target"]]
            return Series(str(document["start"]), np.array(target))
        except (KeyError, TypeError, ValueError) as error:
            raise SeriesError(f"{where} is not a time series with start and target: {error!r}") from None

    def window(self, begin: int, length: int, frequency: Frequency) -> Window:
        """Return ``length`` values from ``begin`` on, with those before them; what is not there is missing."""
        lags = frequency.lags
        known = np.full(length + lags[-1], np.nan)
        first = begin - lags[-1]
        there = self.target[max(0, first) : max(0, begin + length)]
        known[max(0, -first) :][: len(there)] = there
        target = known[lags[-1] :]
        lagged = np.stack([known[lags[-1] - lag :][:length] for lag in lags], axis=1)
        return Window(target, lagged, frequency.features(self.start, begin, length))


@dataclass(frozen=True)
class Window:
    """A stretch of a time series: its values, the same values some lags before, and their times."""

    target: Values
    lagged: Values
    times: Values

    def scale(self, context_length: int) -> float:
        """Return the mean size of the values in the context, by which the network divides: 1 if there are none."""
        context = np.abs(self.target[:context_length])
        known = context[~np.isnan(context)]
        return float(known.mean()) if known.size and known.mean() > 0 else 1.0

    def inputs(self, scale: float) -> Values:
        """Return what the network sees before each value: the value before it, the lags, the times and the scale."""
        before = np.concatenate([self.lagged[:1, 0] * np.nan, self.target[:-1]])[:, None]
        seen = np.concatenate([before, self.lagged], axis=1) / scale
        sizes = np.full((len(self.target), 1), np.log(scale))
        return np.concatenate([np.nan_to_num(seen), self.times, sizes], axis=1)


def read_series(paths: Iterable[Path]) -> list[Series]:
    """Read all time series in files of JSON lines."""
    found = []
    for path in paths:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            where = f"{path.name}, line {number},"
            try:
                document = json.loads(line) if line.strip() else None
            except ValueError as error:
                raise SeriesError(f"{where} is not JSON: {error}") from None
            if document is not None:
                found.append(Series.of(document, where))
    return found
