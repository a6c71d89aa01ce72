"""The keys of a resumption, and the domain's request built from them. Whatever is left out stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.observation import DeadlineChange, ResumeRequested
from spot_relay.spec.change_model import DeadlineChangeModel
from spot_relay.spec.policy_model import BUDGETS, BudgetsModel, PolicyModel
from spot_relay.spec.strict_model import validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.request.problem import Problems


class ResumptionModel(DeadlineChangeModel):
    """The whole body of a resumption."""

    budgets: BudgetsModel = BudgetsModel()

    def request(self) -> ResumeRequested:
        """Return the domain's request, which contains only what was given."""
        change = self.build()
        budgets = self.budgets.model_dump(exclude_unset=True)
        return ResumeRequested(budgets, None if change == DeadlineChange() else change)


_KNOWN = {(): tuple(ResumptionModel.model_fields), ("budgets",): BUDGETS}
_FIXED = frozenset(PolicyModel.model_fields) - frozenset(ResumptionModel.model_fields)


def check_resumption(document: Mapping[str, Any], problems: Problems) -> ResumptionModel | None:
    """Return the resumption in a document, or None after adding every problem with it."""
    for key in document:
        if key in _FIXED:
            message = "A resumption cannot change this. Remove the key, or submit the spec under another name."
            problems.add(key, message)
    rest = {key: value for key, value in document.items() if key not in _FIXED}
    return validate(ResumptionModel, rest, "", _KNOWN, problems)
