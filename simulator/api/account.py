"""The account that owns everything, and the names of its resources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """The number and the region of an account."""

    number: str = "000000000000"
    region: str = "us-east-1"

    def arn(self, name: str, kind: str = "training-job") -> str:
        """Return an ARN. It has the name in lower case, so that the name is taken in another case, too."""
        return f"arn:aws:sagemaker:{self.region}:{self.number}:{kind}/{name.lower()}"
