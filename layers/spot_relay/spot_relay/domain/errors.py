"""Errors that are reported to the caller, who can act on them. Any other exception is a bug or an outage.

::

    CallerError
    ├── SpecError                    the document has to change; details say where
    │   ├── InvalidSpecError         request.problem     400 InvalidSpec
    │   ├── UnacceptableError        service             400 InvalidSpec
    │   ├── NameConflictError        service             409 NameConflict
    │   └── PrefixTakenError         ports               409 CheckpointPrefixTaken
    ├── InvalidQueryError            adapters.inbound    400 InvalidQuery
    ├── NoSuchRunError               service             404 NoSuchRun
    ├── RejectedError                service             409 Rejected
    └── NewerSchemaError             ports               503 NewerSchema

An uploaded spec that raises a `SpecError` gets an error report; after any other error its queue delivers it again. The
API answers each of them with its status and code, and adds `NoSuchRouteError` for a path that it does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class CallerError(Exception):
    """A request could not be fulfilled, and the message tells the caller what to do about it."""

    code: ClassVar[str]
    """Names the kind of error in the API's answer; clients may depend on it."""
    status: ClassVar[int] = 400
    """The HTTP status of the API's answer."""

    def __init__(self, message: str, problems: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.details = [{"path": path, "message": text} for path, text in problems]
        """Each problem of the document that the caller sent: its path from the top, and what to do."""


class SpecError(CallerError):
    """The document that was sent can't be accepted as it is; `details` has at least one entry."""

    code = "InvalidSpec"
