"""Read the body of a resumption: the budgets it changes, and the parts of the deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.domain.run.observation import ResumeRequested
from spot_relay.request.problem import Problems
from spot_relay.spec.document import Format, read_document

if TYPE_CHECKING:
    from spot_relay.spec.resumption_model import ResumptionModel


def read_resumption(data: bytes) -> ResumeRequested:
    """Read the body of a resumption, which may be empty.

    Raises
    ------
    InvalidSpecError
        With all problems, or the first 100.
    """
    if not data.strip():
        return ResumeRequested()
    document = read_document(data, Format.JSON)
    # Imported here to keep cold starts short: most resumptions have no body.
    from spot_relay.spec.resumption_model import check_resumption

    problems = Problems()
    model: ResumptionModel | None = check_resumption(document, problems)
    problems.raise_if_any()
    return model.request() if model else ResumeRequested()
