"""Read the bodies of requests that change an open run: its move to another market, and its deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.domain.run.observation import DeadlineRequested, MoveRequested
from spot_relay.domain.sagemaker.job import Market
from spot_relay.request.problem import InvalidSpecError, Problem, Problems, format_key
from spot_relay.spec.document import Format, read_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_DEADLINE = "deadline"


def read_move(data: bytes) -> MoveRequested:
    """Read the body of a move: ``{"market": "on-demand"}`` or ``{"market": "spot"}``.

    Raises
    ------
    InvalidSpecError
        With all problems, or the first 100.
    """
    # Imported here, and below, to keep cold starts short: most requests need no model.
    from spot_relay.spec.change_model import check_move

    return MoveRequested(Market(check_move(_read(data)).market))


def read_deadline_change(data: bytes) -> DeadlineRequested:
    """Read the body of a change of the deadline; ``{"deadline": null}`` removes it.

    Raises
    ------
    InvalidSpecError
        With all problems, or the first 100.
    """
    document = _read(data)
    if not document:
        message = "This key is required. Write a new deadline, or null to remove it."
        raise InvalidSpecError((Problem(_DEADLINE, message),))
    if _DEADLINE in document and document[_DEADLINE] is None:
        return _read_removal(document)
    from spot_relay.spec.change_model import check_deadline_change

    return DeadlineRequested(check_deadline_change(document).build())


def _read_removal(document: Mapping[str, Any]) -> DeadlineRequested:
    problems = Problems()
    for key in document:
        if key != _DEADLINE:
            problems.add(format_key(key), "This key has no effect when the deadline is removed. Remove the key.")
    problems.raise_if_any()
    return DeadlineRequested(None)


def _read(data: bytes) -> Mapping[str, Any]:
    return read_document(data, Format.JSON) if data.strip() else {}
