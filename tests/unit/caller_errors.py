"""One of each error that is answered to the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.adapters.inbound import InvalidQueryError
from spot_relay.domain.decide.acceptance import Objection
from spot_relay.ports import NewerSchemaError, PrefixTakenError
from spot_relay.service import NameConflictError, NoSuchRunError, RejectedError, UnacceptableError
from spot_relay.spec import InvalidSpecError, Problem

if TYPE_CHECKING:
    from spot_relay.domain.errors import CallerError

EXAMPLES: list[CallerError] = [
    InvalidSpecError((Problem("", "Empty."), Problem("policy.ladder", "Too long."))),
    UnacceptableError((Objection("policy.deadline", "Too early."),)),
    NameConflictError("churn", "churn"),
    PrefixTakenError("s3://checkpoints/churn/", "churn"),
    InvalidQueryError("limit is 0"),
    NoSuchRunError("churn"),
    RejectedError("the run has completed"),
    NewerSchemaError("churn", 9, 4),
]
