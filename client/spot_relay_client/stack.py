"""Finds a deployed stack by its name, through the outputs of CloudFormation, which are kept in a small file."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from spot_relay_client.errors import StackNotFoundError

if TYPE_CHECKING:
    from botocore.session import Session

DEFAULT_NAME: Final = "spot-relay"
NAME_VARIABLE: Final = "SPOT_RELAY_STACK"
# The address of the API, where it is not what CloudFormation says: with a stack on this machine, or behind a gateway.
URL_VARIABLE: Final = "SPOT_RELAY_API_URL"
_KEPT_SECONDS: Final = 24 * 3600


@dataclass(frozen=True)
class Stack:
    """A deployed stack, as its outputs describe it."""

    name: str
    region: str
    outputs: dict[str, str]

    @property
    def api_url(self) -> str:
        """The address of the API."""
        return os.environ.get(URL_VARIABLE) or self.outputs["ApiUrl"]


def find(session: Session, name: str | None = None, *, region: str | None = None, fresh: bool = False) -> Stack:
    """Return the stack of a name, by default that of SPOT_RELAY_STACK or else ``spot-relay``.

    ``region`` is by default that of the session. What CloudFormation said is kept for a day for the same name, region
    and credentials; ``fresh`` asks again. Raises `StackNotFoundError`.
    """
    name = name or os.environ.get(NAME_VARIABLE) or DEFAULT_NAME
    region = region or region_of(session)
    if not region:
        raise StackNotFoundError("No AWS region is set. Set AWS_REGION, or the region of your profile.")
    kept = _file(session, name, region)
    stack = None if fresh else _load(kept)
    if stack is None:
        stack = Stack(name, region, _outputs(session, name, region))
        _save(kept, stack)
    return stack


def region_of(session: Session) -> str | None:
    """Return the region of a session, or None. botocore does not read AWS_REGION, which other SDKs and the CLI do."""
    region: str | None = session.get_config_variable("region") or os.environ.get("AWS_REGION")
    return region


def _outputs(session: Session, name: str, region: str) -> dict[str, str]:
    try:
        client: Any = session.create_client("cloudformation", region_name=region)
        (described,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        raise StackNotFoundError(_advice(name, region, error.response["Error"].get("Message", str(error)))) from error
    except BotoCoreError as error:
        raise StackNotFoundError(_advice(name, region, str(error))) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
    if "ApiUrl" not in outputs:
        raise StackNotFoundError(f"The stack {name} in {region} is no stack of Spot Relay: it has no output ApiUrl.")
    return outputs


def _advice(name: str, region: str, why: str) -> str:
    return (
        f"The stack {name} was not found in {region}: {why} Name yours with --stack or {NAME_VARIABLE}, and check "
        "AWS_REGION and AWS_PROFILE."
    )


def _file(session: Session, name: str, region: str) -> Path:
    """Return where a stack is kept; other credentials may belong to another account, which has stacks of its own."""
    credentials = session.get_credentials()
    of = [name, region, getattr(credentials, "access_key", None), session.get_config_variable("endpoint_url")]
    key = hashlib.sha256(json.dumps(of).encode()).hexdigest()[:24]
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "spot-relay" / f"{key}.json"


def _load(path: Path) -> Stack | None:
    """Return what is kept, or None if it is missing, old, or not what was written."""
    try:
        age = time.time() - path.stat().st_mtime
        kept: dict[str, Any] = json.loads(path.read_bytes())
        return Stack(**kept) if 0 <= age < _KEPT_SECONDS and "ApiUrl" in kept["outputs"] else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _save(path: Path, stack: Stack) -> None:
    """Keep a stack. Another process may do so at the same time, so that the file is put in place whole."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(asdict(stack), file)
        Path(file.name).replace(path)
