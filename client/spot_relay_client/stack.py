"""Finds a deployed stack by its name, through what CloudFormation says of it, which is kept in a small file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from spot_relay_client.errors import SpotRelayError, StackNotFoundError

if TYPE_CHECKING:
    from botocore.session import Session

DEFAULT_NAME: Final = "spot-relay"
NAME_VARIABLE: Final = "SPOT_RELAY_STACK"
# The address of the API, where it is not what CloudFormation says: with a stack on this machine, or behind a gateway.
URL_VARIABLE: Final = "SPOT_RELAY_API_URL"
_KEPT_SECONDS: Final = 24 * 3600
_VALUE: Final = re.compile(r"\{stack\.([^{}]*)\}")
# What a spec may have filled in.
_VALUES: Final = ("role", "bucket", "account", "region")


@dataclass(frozen=True)
class Stack:
    """A deployed stack, as CloudFormation describes it."""

    name: str
    region: str
    outputs: dict[str, str]
    parameters: dict[str, str] = field(default_factory=dict)
    account: str = ""

    @property
    def api_url(self) -> str:
        """The address of the API."""
        return os.environ.get(URL_VARIABLE) or self.outputs["ApiUrl"]

    @property
    def role(self) -> str:
        """The role for training jobs: the first of AllowedRoleArns."""
        return self._list("AllowedRoleArns")[0]

    @property
    def bucket(self) -> str:
        """The bucket for data, checkpoints and models.

        It is SageMaker's default bucket if AllowedCheckpointBuckets has it, and else the first that is named there.
        """
        patterns = self._list("AllowedCheckpointBuckets")
        default = f"sagemaker-{self.region}-{self.account}"
        if any(fnmatchcase(default, pattern) for pattern in patterns):
            return default
        named = [pattern for pattern in patterns if "*" not in pattern]
        if not named:
            raise SpotRelayError(
                f"The stack {self.name} allows the buckets {', '.join(patterns)}, so {{stack.bucket}} could be any of "
                "them. Write a bucket's name instead."
            )
        return named[0]

    def fill_in(self, document: Any) -> Any:
        """Return a document with ``{stack.role}``, ``{stack.bucket}`` and so on filled in, in its strings only.

        Raises `SpotRelayError` for another name after ``stack.``. Everything else in braces stays as it is.
        """
        if isinstance(document, dict):
            return {key: self.fill_in(value) for key, value in document.items()}
        if isinstance(document, list):
            return [self.fill_in(value) for value in document]
        return _VALUE.sub(self._value, document) if isinstance(document, str) else document

    def _value(self, found: re.Match[str]) -> str:
        if found[1] not in _VALUES:
            known = ", ".join(f"{{stack.{name}}}" for name in _VALUES)
            raise SpotRelayError(f"The spec contains {found[0]}, which is not known. Known are {known}.")
        value: str = getattr(self, found[1])
        return value

    def _list(self, parameter: str) -> list[str]:
        values = [value.strip() for value in self.parameters.get(parameter, "").split(",")]
        if not any(values):
            raise SpotRelayError(f"CloudFormation shows no {parameter} of the stack {self.name}. Update the stack.")
        return values


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
        stack = _describe(session, name, region)
        _save(kept, stack)
    return stack


def region_of(session: Session) -> str | None:
    """Return the region of a session, or None. botocore does not read AWS_REGION, which other SDKs and the CLI do."""
    region: str | None = session.get_config_variable("region") or os.environ.get("AWS_REGION")
    return region


def _describe(session: Session, name: str, region: str) -> Stack:
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
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in described.get("Parameters", ())}
    # arn:aws:cloudformation:region:account:stack/…
    return Stack(name, region, outputs, parameters, described["StackId"].split(":")[4])


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
        usable = 0 <= age < _KEPT_SECONDS and "ApiUrl" in kept["outputs"] and "parameters" in kept
        return Stack(**kept) if usable else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _save(path: Path, stack: Stack) -> None:
    """Keep a stack. Another process may do so at the same time, so that the file is put in place whole."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(asdict(stack), file)
        Path(file.name).replace(path)
