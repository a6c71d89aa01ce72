"""The keys of a resumption, and the request they make: what is left out stays as the run has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.observation import DeadlineChange, ResumeRequested
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.spec.deadline_model import DeadlineKeys
from spot_relay.spec.policy_model import BUDGETS, BudgetsModel, PolicyModel
from spot_relay.spec.strict_model import validated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.spec.problem import Problems


class ResumptionModel(DeadlineKeys):
    """The whole body."""

    budgets: BudgetsModel = BudgetsModel()

    def request(self) -> ResumeRequested:
        """Give the domain's request, with what was given alone."""
        change = DeadlineChange(
            at=self.at,
            within_seconds=self.within_seconds,
            expected_runtime_seconds=self.expected_runtime,
            changeover_seconds=self.changeover,
            return_to_spot=None if self.return_to_spot is None else ReturnToSpot(self.return_to_spot),
        )
        budgets = self.budgets.model_dump(exclude_unset=True)
        return ResumeRequested(budgets, None if change == DeadlineChange() else change)


_KNOWN = {(): tuple(ResumptionModel.model_fields), ("budgets",): BUDGETS}
_FIXED = frozenset(PolicyModel.model_fields) - frozenset(ResumptionModel.model_fields)


def check_resumption(document: Mapping[str, Any], problems: Problems) -> ResumptionModel | None:
    """Give the resumption that a document asks for, or None after noting every problem of it."""
    for key in document:
        if key in _FIXED:
            message = "A resumption cannot change it: submit the spec under another name, or remove the key."
            problems.add(key, message)
    rest = {key: value for key, value in document.items() if key not in _FIXED}
    return validated(ResumptionModel, rest, "", _KNOWN, problems)
