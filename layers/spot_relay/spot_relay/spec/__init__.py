"""What users submit: read text into a validated submission or request, or report every problem with its path."""

from spot_relay.request.problem import InvalidSpecError, Problem
from spot_relay.spec.change import read_deadline_change, read_move
from spot_relay.spec.document import Format, read_document
from spot_relay.spec.job_rules import Allowlist
from spot_relay.spec.raw_document import MAX_BYTES
from spot_relay.spec.resumption import read_resumption
from spot_relay.spec.submission import parse_submission, read_submission

__all__ = [
    "MAX_BYTES",
    "Allowlist",
    "Format",
    "InvalidSpecError",
    "Problem",
    "parse_submission",
    "read_deadline_change",
    "read_document",
    "read_move",
    "read_resumption",
    "read_submission",
]
