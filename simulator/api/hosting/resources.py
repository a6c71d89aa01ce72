"""The resources of one kind, such as all models, by their ARN."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from simulator.api.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from simulator.api.account import Account


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What all resources have. ``created_at`` is in epoch seconds."""

    name: str
    arn: str
    created_at: float
    tags: Mapping[str, str] = field(default_factory=dict)


Kept = TypeVar("Kept", bound=Resource)


class Resources(Generic[Kept]):
    """Finds a resource by its name in any case, because ARNs have names in lower case.

    ``kind`` is what ARNs call it, ``title`` what error messages do.
    """

    def __init__(self, account: Account, kind: str, title: str) -> None:
        self._account = account
        self._kind = kind
        self._title = title
        self._kept: dict[str, Kept] = {}

    def __iter__(self) -> Iterator[Kept]:
        return iter(list(self._kept.values()))

    def arn(self, name: str) -> str:
        """Return the ARN that a name has, or would have."""
        return self._account.arn(name, self._kind)

    def by_arn(self, arn: str) -> Kept | None:
        """Return a resource, or ``None`` if there is none."""
        return self._kept.get(arn)

    def existing(self, name: str) -> Kept:
        """Return a resource; a ValidationException if there is none."""
        found = self._kept.get(self.arn(name))
        if found is None:
            raise invalid(f'Could not find {self._title} "{self.arn(name)}".')
        return found

    def check_free(self, name: str) -> None:
        """Raise a ValidationException if a name is taken."""
        if self.arn(name) in self._kept:
            raise invalid(f'Cannot create already existing {self._title} "{self.arn(name)}".')

    def keep(self, resource: Kept) -> None:
        """Add a resource, or replace the one with its ARN."""
        self._kept[resource.arn] = resource

    def remove(self, resource: Kept) -> None:
        """Forget a resource."""
        del self._kept[resource.arn]
