"""The stored form of a run: its item in DynamoDB, written by this release and read as any earlier one wrote it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from spot_relay.domain.run.run import Run, Waiting
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.ports import NewerSchemaError

if TYPE_CHECKING:
    from datetime import timedelta

# Increase this with every change to what is stored about a run, even for a new field with a default: an earlier release
# reads only the fields it knows, and its next save would drop the rest. tests/integration/stored/ has documents of each
# version.
SCHEMA_VERSION = 8
# The only partition key of the sparse index `due`, which contains only open runs.
OPEN = "open"

_decoder = msgspec.json.Decoder(Run)


def build_item(run: Run, retention: timedelta) -> dict[str, Any]:
    """Return the item of a run; it expires ``retention`` after the run has ended."""
    item: dict[str, Any] = {
        "id": {"S": run.id},
        "version": {"N": str(run.version)},
        "schema_version": {"N": str(SCHEMA_VERSION)},
        "status": {"S": str(run.status)},
        "created": {"S": _build_age_key(run)},
        "updated_at": {"S": format_sortable(run.updated_at)},
        "reason": {"S": run.reason},
        "attempts": {"N": str(len(run.attempts))},
        "document": {"S": msgspec.json.encode(run).decode()},
    }
    waits_for = _name_what_it_waits_for(run)
    if waits_for is not None:
        item |= {"waits_for": {"S": waits_for}, "waits_since": {"S": _build_age_key(run)}}
    if run.due_at is not None:
        item |= {"open": {"S": OPEN}, "check_at": {"S": format_sortable(run.due_at)}}
    elif run.ended_at is not None:
        item["expires_at"] = {"N": str(int((run.ended_at + retention).timestamp()))}
    return item


def _name_what_it_waits_for(run: Run) -> str | None:
    """Return the key under which a run is in the index `waiting`, or None if it is not; no pool's key contains a #."""
    if run.waits_for is not None:
        return run.waits_for.key
    if run.waits_for_run is not None:
        return name_followed(run.waits_for_run)
    return name_queue(str(run.start.template)) if run.waits_for_place else None


def name_followed(run_id: str) -> str:
    """Return the key of the runs that wait for the end of a run, however its name is spelt."""
    return f"run#{run_id.lower()}"


def name_queue(template: str) -> str:
    """Return the key of the runs that wait for others of their template."""
    return f"template#{template}"


def read_run(run_id: str, item: dict[str, Any]) -> Run:
    """Return a run from an item of its schema version or an earlier one; missing fields get their defaults."""
    version = int(item["schema_version"]["N"])
    if version > SCHEMA_VERSION:
        raise NewerSchemaError(run_id, version, SCHEMA_VERSION)
    document = item["document"]["S"]
    run = _decoder.decode(document)
    return run if version == SCHEMA_VERSION else _upgrade(_set_missing_fields(run), document)


class _OldOutbox(msgspec.Struct):
    """What the outbox of a run that was stored before version 8 had in place of news."""

    announce: bool = False
    announce_hosting: bool = False


class _OldRun(msgspec.Struct):
    outbox: _OldOutbox


def _upgrade(run: Run, document: str) -> Run:
    """Return a run that was stored by an earlier release: with news that it owes.

    Before version 4, canaries kept their refusal as their phase.
    """
    # Imported here to keep cold starts short: only the first functions after an update find such runs.
    from spot_relay.domain.shown.news import owe_news

    owed = msgspec.json.decode(document, type=_OldRun).outbox
    run = owe_news(run, of_run=owed.announce, of_hosting=owed.announce_hosting)
    refusals = set(Refusal)
    canaries = tuple(
        replace(canary, phase=None, refusal=Refusal(canary.phase)) if canary.phase in refusals else canary
        for canary in run.canaries
    )
    return replace(run, canaries=canaries)


def _set_missing_fields(value: Any) -> Any:
    """Return a value with all fields set.

    For a field missing from the document, msgspec relies on the default of the class. Such a field can be read, but
    would be neither copied nor stored.
    """
    match value:
        case tuple() if not hasattr(value, "_fields"):
            return tuple(_set_missing_fields(one) for one in value)
        case dict():
            return {key: _set_missing_fields(one) for key, one in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return type(value)(
                **{field.name: _set_missing_fields(getattr(value, field.name)) for field in fields(value)}
            )
        case _:
            return value


def read_waiting(item: dict[str, Any]) -> Waiting:
    """Return which run waits for room, and since when, from its entry in the index `waiting`."""
    stamp, _, run_id = item["waits_since"]["S"].partition("#")
    return Waiting(datetime.fromisoformat(stamp), run_id)


def summarise_item(item: dict[str, Any]) -> dict[str, Any]:
    """Return what a list of runs shows of one, from its entry in the index `by_status`."""
    return {
        "run_id": item["id"]["S"],
        "status": item["status"]["S"],
        "reason": item["reason"]["S"],
        "attempts": int(item["attempts"]["N"]),
        "created_at": _shorten_moment(item["created"]["S"]),
        "updated_at": _shorten_moment(item["updated_at"]["S"]),
    }


def _shorten_moment(stamp: str) -> str:
    """Return a stored moment in milliseconds, as users see it everywhere else."""
    return stamp[: len("2026-01-01T00:00:00.000")] + "Z"


def format_sortable(moment: datetime) -> str:
    """Return a moment as text that sorts by time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _build_age_key(run: Run) -> str:
    """Return a key that sorts runs by age."""
    return f"{format_sortable(run.created_at)}#{run.id}"
