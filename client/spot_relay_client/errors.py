"""What can go wrong between a client and a stack. Each message says what to do next.

::

    SpotRelayError
    ├── StackNotFoundError           no stack of this name in this account and region
    ├── UnreachableError             the API gave no usable answer, also after retries
    ├── WaitTimeoutError             a run was still open when the time for waiting was over
    └── RefusedError                 the API's answer is a no; `code` says which
        ├── InvalidSpecError         400 InvalidSpec; `details` name each problem
        ├── NoSuchRunError           404 NoSuchRun
        └── ConflictError            409 NameConflict, CheckpointPrefixTaken or Rejected
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class SpotRelayError(Exception):
    """Something went wrong, and the message says what to do."""


class StackNotFoundError(SpotRelayError):
    """No stack was found."""


class UnreachableError(SpotRelayError):
    """The API gave no usable answer."""


class WaitTimeoutError(SpotRelayError):
    """The run was still open when the time for waiting was over."""


class RefusedError(SpotRelayError):
    """The API refused the request.

    ``code`` is the API's name for the kind of error, ``details`` its list of problems, each ``{"path", "message"}``.
    ``repeated`` says whether an earlier request had no answer, and may have been carried out.
    """

    repeated = False

    def __init__(self, status: int, code: str, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        lines = [message, *(f"  {detail.get('path') or '(the document)'}: {detail['message']}" for detail in details)]
        super().__init__("\n".join(lines))
        self.status = status
        self.code = code
        self.details = list(details)


class InvalidSpecError(RefusedError):
    """The document has problems; nothing was submitted."""


class NoSuchRunError(RefusedError):
    """There is no run of this name."""


class ConflictError(RefusedError):
    """The request does not fit what exists already."""


_BY_STATUS = {400: InvalidSpecError, 404: NoSuchRunError, 409: ConflictError}
_CODES = {InvalidSpecError: {"InvalidSpec"}, NoSuchRunError: {"NoSuchRun"}}


def refusal(status: int, answer: Mapping[str, Any]) -> RefusedError:
    """Return the API's error answer as an exception."""
    code = str(answer["code"])
    kind = _BY_STATUS.get(status, RefusedError)
    if code not in _CODES.get(kind, {code}):
        kind = RefusedError
    return kind(status, code, str(answer.get("message", "")), answer.get("details", ()))
