"""Read traces of spot availability from the files in a folder."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

Window = tuple[float, float]
Ones = Literal["available", "preempted"]

COUNT_COLUMNS: Final = ("count", "nodes", "available_nodes", "instances")
_START: Final = "start_s"
_AVAILABLE: Final = "available"
_FORMATS: Final = (".csv", ".json")


class TraceError(ValueError):
    """A trace is invalid; the message names the file and the place, what was found, and what to do."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The ``windows`` in which spot was available, in seconds since the start of the trace.

    ``doubt`` says what in the file may have been misunderstood.
    """

    name: str
    windows: tuple[Window, ...]
    end_s: float
    doubt: str = ""

    def cut_windows(self, start_s: float, lasting_s: float) -> tuple[Window, ...]:
        """Return the windows in the ``lasting_s`` seconds after ``start_s``, relative to it.

        The trace repeats after its end. A window that spans the end is one window.
        """
        windows: list[Window] = []
        turn = 0.0
        while turn < start_s + lasting_s:
            for opens, closes in self.windows:
                window = (max(0.0, opens + turn - start_s), min(lasting_s, closes + turn - start_s))
                if window[1] <= window[0]:
                    continue
                if windows and windows[-1][1] == window[0]:
                    window = (windows.pop()[0], window[1])
                windows.append(window)
            turn += self.end_s
        return tuple(windows)

    @property
    def availability(self) -> float:
        """The share of time in which spot was available."""
        return sum(closes - opens for opens, closes in self.windows) / self.end_s


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read the files: the number of nodes needed, and the meaning of a 1 in a JSON file (default: available)."""

    nodes: int = 1
    ones: Ones | None = None


class _Metadata(msgspec.Struct):
    gap_seconds: Annotated[float, msgspec.Meta(gt=0)]
    price_info: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Document(msgspec.Struct):
    metadata: _Metadata
    data: Annotated[list[int], msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class _Samples:
    """The contents of a file: each count is valid from its time to the next, the last one until ``end``."""

    times: Sequence[float]
    counts: Sequence[int]
    end: float
    doubt: str = ""


def read_folder(folder: Path, reading: Reading = Reading()) -> tuple[Trace, ...]:
    """Read every .csv and .json file under ``folder``, sorted by name."""
    if not folder.is_dir():
        raise TraceError(f"{folder}: no such folder. Use the folder that contains the traces.")
    files = sorted(file for file in folder.rglob("*") if file.suffix in _FORMATS and file.is_file())
    if not files:
        raise TraceError(f"{folder}: no {' or '.join(_FORMATS)} files. Use the folder that contains the traces.")
    return tuple(_read(file, file.relative_to(folder).with_suffix("").as_posix(), reading) for file in files)


def _read(file: Path, name: str, reading: Reading) -> Trace:
    read = _read_csv if file.suffix == ".csv" else _read_json
    try:
        samples = read(file, reading)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{file}: {error}. Expected a readable text file.") from error
    if reading.nodes > 1 and max(samples.counts) <= 1:
        raise TraceError(
            f"{file}: no count is above 1, so it does not say when {reading.nodes} nodes were available. "
            "Remove NODES, or use traces that count nodes."
        )
    return Trace(name, tuple(_find_windows(samples, reading.nodes)), samples.end, samples.doubt)


def _find_windows(samples: _Samples, nodes: int) -> Iterator[Window]:
    opened: float | None = None
    for moment, count in zip(samples.times, samples.counts, strict=True):
        if count >= nodes and opened is None:
            opened = moment
        elif count < nodes and opened is not None:
            yield opened, moment
            opened = None
    if opened is not None:
        yield opened, samples.end


def _read_json(file: Path, reading: Reading) -> _Samples:
    try:
        document = msgspec.json.decode(file.read_bytes(), type=_Document)
    except msgspec.DecodeError as error:
        raise TraceError(
            f'{file}: {error}. Expected {{"metadata": {{"gap_seconds": 300}}, "data": [1, 0, …]}}, '
            "with the number of available nodes at each step."
        ) from error
    gap, counts = document.metadata.gap_seconds, document.data
    if min(counts) < 0:
        raise TraceError(f"{file}: data[{counts.index(min(counts))}] is {min(counts)}. Expected a number of nodes.")
    doubt = ""
    if reading.ones == "preempted":
        counts = _invert(file, counts)
    elif reading.ones is None and document.metadata.price_info is not msgspec.UNSET:
        doubt = (
            "Read with 1 = available, but it has a price_info, like files in which 1 = preempted. "
            "Set ONES=preempted, or confirm with ONES=available."
        )
    return _Samples([gap * step for step in range(len(counts))], counts, gap * len(counts), doubt)


def _invert(file: Path, ones: Sequence[int]) -> list[int]:
    wrong = next((place for place, one in enumerate(ones) if one > 1), None)
    if wrong is not None:
        raise TraceError(
            f"{file}: data[{wrong}] is {ones[wrong]}, but with ONES=preempted it must be 0 or 1. "
            "Remove ONES for traces that count nodes."
        )
    return [1 - one for one in ones]


def _read_csv(file: Path, _reading: Reading) -> _Samples:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        table = csv.DictReader(lines)
        column = _find_column(file, table.fieldnames or ())
        rows = [(table.line_num, row) for row in table]
    if len(rows) < 2:
        raise TraceError(f"{file}: {len(rows)} rows. Expected at least two: a row is valid until the next one.")
    times = list(_read_times(file, rows))
    if times[0] != 0:
        raise TraceError(f"{file}, line {rows[0][0]}: {_START} is {times[0]:g}. Expected 0 in the first row.")
    counts = [_read_count(file, line, column, row[column]) for line, row in rows[:-1]]
    return _Samples(times[:-1], counts, times[-1])


def _find_column(file: Path, columns: Iterable[str]) -> str:
    found = list(columns)
    named = [name for name in (*COUNT_COLUMNS, _AVAILABLE) if name in found]
    if _START not in found or not named:
        raise TraceError(
            f"{file}, line 1: the columns are {', '.join(found) or 'none'}. "
            f"Expected {_START}, and {_AVAILABLE} or one of {', '.join(COUNT_COLUMNS)}."
        )
    return named[0]


def _read_times(file: Path, rows: Sequence[tuple[int, dict[str, str]]]) -> Iterator[float]:
    before = -1.0
    for line, row in rows:
        found = row[_START]
        try:
            moment = float(found or "")
        except ValueError:
            raise TraceError(f"{file}, line {line}: {_START} is {found!r}. Expected a number of seconds.") from None
        if not before < moment < float("inf"):
            raise TraceError(
                f"{file}, line {line}: {_START} is {found}, after {before:g} in the row before. "
                "Expected rows sorted by time, starting at 0."
            )
        before = moment
        yield moment


def _read_count(file: Path, line: int, column: str, found: str | None) -> int:
    if found is not None and found.strip().isdecimal():
        count = int(found)
        if count <= 1 or column != _AVAILABLE:
            return count
    expected = "0 or 1" if column == _AVAILABLE else "a whole number of nodes"
    raise TraceError(
        f"{file}, line {line}: {column} is {found!r}. Expected {expected}. Only the last row may leave it out."
    )
