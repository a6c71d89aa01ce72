"""The JSON Schemas of Spot Relay's events, as docs/events/ has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema_rs

from spot_relay.domain.shown.events import ATTEMPT_CHANGE, HOSTING_CHANGE, NOTICE, RUN_CHANGE

if TYPE_CHECKING:
    from spot_relay.domain.shown.events import Event

FOLDER = Path(__file__).parents[1] / "docs" / "events"
NAMES = {
    RUN_CHANGE: "run-state-change-1.json",
    ATTEMPT_CHANGE: "attempt-state-change-1.json",
    HOSTING_CHANGE: "hosting-state-change-1.json",
    NOTICE: "notice-1.json",
}
SCHEMAS = {detail_type: json.loads((FOLDER / name).read_text()) for detail_type, name in NAMES.items()}
_VALIDATORS = {
    detail_type: jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    for detail_type, schema in SCHEMAS.items()
}
# Of a detail, encoded. EventBridge takes 256 KB for all events of one call, of which there are ten.
MOST_BYTES = 16_384


def find_flaw(event: Event) -> str | None:
    """Return what is wrong with an event by its schema, or None."""
    encoded = json.dumps(event.detail, ensure_ascii=False)
    if len(encoded.encode()) > MOST_BYTES:
        return f"{event.id} takes {len(encoded.encode())} bytes"
    # As consumers get it: without the types that only Python has.
    found = next(_VALIDATORS[event.detail_type].iter_errors(json.loads(encoded)), None)
    return None if found is None else f"{event.id}: {found}"
