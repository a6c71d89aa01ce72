"""Availability traces, read from the files of a folder: when the spot capacity that a job needs could be had."""

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
    """A trace that cannot be used; the text names file and place, what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Spot availability over time: ``windows`` in which it could be had, in seconds since the trace began.

    ``doubt`` says what in its file may mean something else than was read.
    """

    name: str
    windows: tuple[Window, ...]
    end_s: float
    doubt: str = ""

    def windows_from(self, start_s: float, lasting_s: float) -> tuple[Window, ...]:
        """Give the windows of the ``lasting_s`` seconds after ``start_s``, counted from there.

        The trace is a ring: after its end it begins again. A window that reaches over the seam is one window.
        """
        seen: list[Window] = []
        turn = 0.0
        while turn < start_s + lasting_s:
            for opens, closes in self.windows:
                window = (max(0.0, opens + turn - start_s), min(lasting_s, closes + turn - start_s))
                if window[1] <= window[0]:
                    continue
                if seen and seen[-1][1] == window[0]:
                    window = (seen.pop()[0], window[1])
                seen.append(window)
            turn += self.end_s
        return tuple(seen)

    @property
    def availability(self) -> float:
        """The share of the time in which spot could be had."""
        return sum(closes - opens for opens, closes in self.windows) / self.end_s


@dataclass(frozen=True, slots=True)
class Reading:
    """How the files are read: nodes needed at once, and what a 1 in a JSON file means (by default: available)."""

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
    """What a file says: each count holds from its time to the next, the last one until ``end``."""

    times: Sequence[float]
    counts: Sequence[int]
    end: float
    doubt: str = ""


def read_folder(folder: Path, reading: Reading = Reading()) -> tuple[Trace, ...]:
    """Read every .csv and .json below ``folder``, in the order of their names."""
    if not folder.is_dir():
        raise TraceError(f"{folder}: no such folder. Give the folder that holds the trace files.")
    files = sorted(file for file in folder.rglob("*") if file.suffix in _FORMATS and file.is_file())
    if not files:
        raise TraceError(f"{folder}: holds no {' or '.join(_FORMATS)} file. Give the folder that holds the traces.")
    return tuple(_read(file, file.relative_to(folder).with_suffix("").as_posix(), reading) for file in files)


def _read(file: Path, name: str, reading: Reading) -> Trace:
    read = _read_csv if file.suffix == ".csv" else _read_json
    try:
        samples = read(file, reading)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{file}: {error}. Expected a readable text file.") from error
    if reading.nodes > 1 and max(samples.counts) <= 1:
        raise TraceError(
            f"{file}: no count above 1, so it cannot say when {reading.nodes} nodes could be had. "
            "Leave NODES out, or give traces that count nodes."
        )
    return Trace(name, tuple(_windows(samples, reading.nodes)), samples.end, samples.doubt)


def _windows(samples: _Samples, nodes: int) -> Iterator[Window]:
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
            "with the number of nodes that could be had at each step."
        ) from error
    gap, counts = document.metadata.gap_seconds, document.data
    if min(counts) < 0:
        raise TraceError(f"{file}: data[{counts.index(min(counts))}] is {min(counts)}. Expected a number of nodes.")
    doubt = ""
    if reading.ones == "preempted":
        counts = _turned(file, counts)
    elif reading.ones is None and document.metadata.price_info is not msgspec.UNSET:
        doubt = (
            "read with 1 = available, but it has a price_info, as files have in which 1 = preempted. "
            "ONES=preempted reads it so; ONES=available says that it is right."
        )
    return _Samples([gap * step for step in range(len(counts))], counts, gap * len(counts), doubt)


def _turned(file: Path, ones: Sequence[int]) -> list[int]:
    wrong = next((place for place, one in enumerate(ones) if one > 1), None)
    if wrong is not None:
        raise TraceError(
            f"{file}: data[{wrong}] is {ones[wrong]}, but 1 is to mean preempted: expected 0 or 1. "
            "Leave ONES out for traces that count nodes."
        )
    return [1 - one for one in ones]


def _read_csv(file: Path, _reading: Reading) -> _Samples:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        table = csv.DictReader(lines)
        column = _column(file, table.fieldnames or ())
        rows = [(table.line_num, row) for row in table]
    if len(rows) < 2:
        raise TraceError(f"{file}: {len(rows)} rows. Expected two at least: a row holds until the next one begins.")
    times = list(_times(file, rows))
    if times[0] != 0:
        raise TraceError(f"{file}, line {rows[0][0]}: {_START} is {times[0]:g}. Expected 0 in the first row.")
    counts = [_count(file, line, column, row[column]) for line, row in rows[:-1]]
    return _Samples(times[:-1], counts, times[-1])


def _column(file: Path, columns: Iterable[str]) -> str:
    found = list(columns)
    named = [name for name in (*COUNT_COLUMNS, _AVAILABLE) if name in found]
    if _START not in found or not named:
        raise TraceError(
            f"{file}, line 1: the columns are {', '.join(found) or 'none'}. "
            f"Expected {_START}, and {_AVAILABLE} or one of {', '.join(COUNT_COLUMNS)}."
        )
    return named[0]


def _times(file: Path, rows: Sequence[tuple[int, dict[str, str]]]) -> Iterator[float]:
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
                "Expected the rows in the order of their time, from 0 on."
            )
        before = moment
        yield moment


def _count(file: Path, line: int, column: str, found: str | None) -> int:
    if found is not None and found.strip().isdecimal():
        count = int(found)
        if count <= 1 or column != _AVAILABLE:
            return count
    expected = "0 or 1" if column == _AVAILABLE else "a whole number of nodes"
    raise TraceError(f"{file}, line {line}: {column} is {found!r}. Expected {expected}; only the last row may lack it.")
