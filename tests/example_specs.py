"""The example specs, as the client sends them to a stack in us-east-1."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from spot_relay.spec import Allowlist
from spot_relay_client.spec_file import read_spec
from spot_relay_client.stack import Stack

FOLDER: Final = Path(__file__).resolve().parents[1] / "examples"
SPECS: Final = sorted(path for path in FOLDER.iterdir() if path.suffix in {".json", ".yaml"})
ROLE: Final = "arn:aws:iam::111122223333:role/spot-relay-training"
BUCKET: Final = "example-training-111122223333"
STACK: Final = Stack(
    "spot-relay",
    "us-east-1",
    outputs={},
    parameters={"AllowedRoleArns": ROLE, "AllowedCheckpointBuckets": BUCKET},
    account="111122223333",
)
ALLOWLIST: Final = Allowlist(
    allowed_role_arns=(ROLE,),
    allowed_images=("*.dkr.ecr.us-east-1.amazonaws.com/*",),
    allowed_checkpoint_buckets=(BUCKET,),
    region="us-east-1",
    allow_hosting=True,
)


def read_example(path: Path) -> dict[str, Any]:
    """Return the spec in a file, with the values of the stack filled in."""
    filled_in: dict[str, Any] = STACK.fill_in(read_spec(path.read_text("utf-8"), path.name))
    return filled_in
