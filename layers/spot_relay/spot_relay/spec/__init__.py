"""What users submit: text to a validated submission or resumption, or every problem with its path."""

from spot_relay.spec.document import MAX_BYTES, Format, read_document
from spot_relay.spec.parse import parse, read_submission
from spot_relay.spec.problem import InvalidSpecError, Problem
from spot_relay.spec.resumption import read_resumption
from spot_relay.spec.training_job import Rules

__all__ = [
    "MAX_BYTES",
    "Format",
    "InvalidSpecError",
    "Problem",
    "Rules",
    "parse",
    "read_document",
    "read_resumption",
    "read_submission",
]
