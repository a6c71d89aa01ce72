"""Parse JSON so that problems can be reported with their paths."""

from __future__ import annotations

import json
from typing import Any

from spot_relay.spec.raw_document import InvalidValue, RawMapping, refuse, refuse_nesting, reject_long_number


def read_json(text: str) -> Any:
    """Parse one JSON document; raise ``InvalidSpecError`` if it is not JSON or is nested too deeply."""
    try:
        return json.loads(
            text,
            object_pairs_hook=_build_mapping,
            parse_int=lambda number: reject_long_number(number) or int(number),
            parse_float=lambda number: reject_long_number(number) or float(number),
            parse_constant=lambda name: InvalidValue(f"{name} is not a JSON number. Use a finite number."),
        )
    except json.JSONDecodeError as error:
        refuse(f"The spec is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}).")
    except RecursionError:
        refuse_nesting()


def _build_mapping(pairs: list[tuple[str, Any]]) -> RawMapping:
    mapping = RawMapping()
    for key, value in pairs:
        mapping.put(key, value)
    return mapping
