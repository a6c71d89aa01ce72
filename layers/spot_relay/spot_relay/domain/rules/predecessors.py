"""Questions about the runs that another one comes after, or that it must not crowd."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spot_relay.domain.run.run import Run
    from spot_relay.domain.run.start import Start

# How many runs are looked at to find out whether runs wait for each other.
MOST_LOOKED_AT = 100


def may_close_cycle(run: Run) -> bool:
    """Whether runs may wait for each other because this one was accepted before one that it comes after."""
    return run.start.known_within_seconds is not None


def gather_predecessors(run: Run, load: Callable[[str], Run | None], *, follow: bool = True) -> dict[str, Run | None]:
    """Load the runs that a run waits for and, to ``follow`` them, those that they wait for, and so on.

    A run that is unknown is None. At most `MOST_LOOKED_AT` are loaded, the nearest first.
    """
    known: dict[str, Run | None] = {}
    names = list(run.open_predecessors)
    for name in names:
        if name in known or name.lower() == run.id.lower():
            continue
        if len(known) == MOST_LOOKED_AT:
            break
        known[name] = other = load(name)
        if follow and other is not None and other.waits_to_begin and not other.has_ended:
            names += other.open_predecessors
    return known


def find_cycle(run: Run, known: Mapping[str, Run | None]) -> tuple[str, ...] | None:
    """Return the names along which runs wait for each other, from this run back to itself; None if there is no way.

    ``known`` is what `gather_predecessors` returned.
    """
    ways: list[tuple[str, ...]] = [(run.id,)]
    seen: set[str] = set()
    for way in ways:
        here = run if len(way) == 1 else known.get(way[-1])
        if here is None or not here.waits_to_begin or here.has_ended:
            continue
        for name in here.open_predecessors:
            if name.lower() == run.id.lower():
                return (*way, name)
            if name.lower() not in seen:
                seen.add(name.lower())
                ways.append((*way, name))
    return None


def describe_place(start: Start) -> str:
    """Return when there is a place for a run among those of its template: a clause."""
    most, template = start.at_most, start.template
    others = f"no other run of {template} is" if most == 1 else f"fewer than {most} other runs of {template} are"
    return f"{others} under way"
