"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from spot_relay.domain.lint.draft import Draft, Surroundings
from spot_relay.domain.values import dataclass


class Severity(StrEnum):
    """How bad a finding is: an error costs training or money, a warning may."""

    ERROR = "error"
    WARNING = "warning"


class Found(NamedTuple):
    """A place in the document that breaks a rule, and what was found there."""

    path: str
    message: str


@dataclass(frozen=True)
class Rule:
    """A rule for specs. Its texts are what the docs and each finding say."""

    id: str
    severity: Severity
    why: str
    """One sentence."""
    fix: str
    find: Callable[[Draft, Surroundings], Iterable[Found]]
    details: str = ""
    """What the docs say beyond that."""


@dataclass(frozen=True)
class Finding:
    """A place in a document that breaks a rule."""

    rule: Rule
    path: str
    message: str

    def document(self) -> dict[str, str]:
        """Return the finding as plain JSON with a stable shape."""
        return {
            "rule": self.rule.id,
            "severity": self.rule.severity.value,
            "path": self.path,
            "message": self.message,
            "why": self.rule.why,
            "fix": self.rule.fix,
            "page": f"docs/lint.md#{self.rule.id}",
        }
