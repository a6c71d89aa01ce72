"""The keys of requests that change an open run, and the domain's change of a deadline built from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from spot_relay.domain.run.observation import DeadlineChange
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.request.problem import Problems
from spot_relay.spec.deadline_model import DeadlineKeys
from spot_relay.spec.strict_model import Strict, validate

if TYPE_CHECKING:
    from collections.abc import Mapping


class MoveModel(Strict):
    """The whole body of a move."""

    market: Literal["on-demand", "spot"]


class DeadlineChangeModel(DeadlineKeys):
    """The whole body of a change of the deadline; what is left out stays as it is."""

    def build(self) -> DeadlineChange:
        """Return the domain's change, which contains only what was given."""
        return DeadlineChange(
            at=self.at,
            within_seconds=self.within_seconds,
            expected_runtime_seconds=self.expected_runtime,
            changeover_seconds=self.changeover,
            return_to_spot=None if self.return_to_spot is None else ReturnToSpot(self.return_to_spot),
        )


_Model = TypeVar("_Model", MoveModel, DeadlineChangeModel)


def check_move(document: Mapping[str, Any]) -> MoveModel:
    """Return the move in a document; raise InvalidSpecError with every problem with it."""
    return _check(MoveModel, document)


def check_deadline_change(document: Mapping[str, Any]) -> DeadlineChangeModel:
    """Return the change of a deadline in a document; raise InvalidSpecError with every problem with it."""
    return _check(DeadlineChangeModel, document)


def _check(model: type[_Model], document: Mapping[str, Any]) -> _Model:
    problems = Problems()
    checked = validate(model, document, "", {(): tuple(model.model_fields)}, problems)
    if checked is None:
        raise problems.error
    return checked
