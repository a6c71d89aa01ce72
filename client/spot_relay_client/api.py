"""The API of a stack, called through botocore, which signs, retries, and keeps to the user's AWS configuration.

botocore reads what the API has from `model/`, as it does for any AWS service. Answers come as they are:
docs/openapi.yaml describes their shapes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from spot_relay_client.errors import UnreachableError, refusal

_MODEL: Final = Path(__file__).with_name("model")
# API Gateway gives a function 29 seconds.
_READ_SECONDS: Final = 35
_CONFIG: Final = Config(
    connect_timeout=10,
    read_timeout=_READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 4},
    parameter_validation=True,
    user_agent_extra="spot-relay",
)


class Api:
    """The operations of one stack's API; each returns the JSON of its answer.

    Every operation raises `UnreachableError` if no usable answer comes, even after retries, and `RefusedError` if the
    API refuses the request.
    """

    def __init__(self, session: Session, url: str, region: str) -> None:
        self.url = url
        self._client = _session_with_model(session).create_client(
            "spot-relay", region_name=region, endpoint_url=url, config=_CONFIG
        )
        # Errors are told by their answers, which hold more than botocore reads of them.
        self._client.meta.events.register("after-call.spot-relay", _refuse)

    def submit(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Submit a spec; the same spec again is the same run."""
        return self._call("submit_run", body=_encode(spec))

    def plan(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Return what would happen to a spec: ``{"problems": [...], "warnings": [...], "plan": {...}}``."""
        return self._call("submit_run", body=_encode(spec), dry_run=True)

    def list(self, *, status: str | None = None, limit: int | None = None, token: str | None = None) -> dict[str, Any]:
        """Return a page of runs, newest first: ``{"runs": [...], "next_token": ...}``."""
        wanted = {"status": status, "limit": limit, "token": token}
        return self._call("list_runs", **{name: value for name, value in wanted.items() if value is not None})

    def show(self, run: str) -> dict[str, Any]:
        """Return a run."""
        return self._call("show_run", id=run)

    def stop(self, run: str) -> dict[str, Any]:
        """Ask a run to stop."""
        return self._call("stop_run", id=run)

    def resume(self, run: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Resume a run with changes, such as ``{"budgets": {...}}``."""
        return self._call("resume_run", id=run, body=_encode(changes))

    def move(self, run: str, market: str) -> dict[str, Any]:
        """Move an open run to a market."""
        return self._call("move_run", id=run, body=_encode({"market": market}))

    def change_deadline(self, run: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change the deadline of an open run, such as ``{"deadline": "P2D"}``, or remove it: ``{"deadline": None}``."""
        return self._call("change_deadline", id=run, body=_encode(changes))

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            body = getattr(self._client, operation)(**parameters)["body"]
            answer = json.loads(body)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            raise UnreachableError(_advice(self.url, f"answered {status}: {error}")) from error
        except (BotoCoreError, ValueError) as error:
            raise UnreachableError(_advice(self.url, str(error))) from error
        if not isinstance(answer, dict):
            raise UnreachableError(_advice(self.url, "answered what is no JSON object"))
        return answer


def _session_with_model(session: Session) -> Session:
    """Return a session that knows the API, with the credentials of another one.

    A session lists the services it knows only once, so that its loader learns of no more after its first client.
    """
    own = Session(profile=session.profile)
    own.get_component("data_loader").search_paths.append(str(_MODEL))
    own.register_component("credential_provider", _CredentialsOf(session))
    return own


@dataclass(frozen=True)
class _CredentialsOf:
    """Loads the credentials of another session, which refresh themselves if they have to."""

    session: Session

    def load_credentials(self) -> Any:
        return self.session.get_credentials()


def _refuse(http_response: Any, parsed: Any, **_: Any) -> None:
    """Raise the API's own error with all its details, once retries are over."""
    if not 400 <= http_response.status_code < 500:
        return
    try:
        answer = json.loads(http_response.content)
    except ValueError:
        return
    if isinstance(answer, dict) and "code" in answer:
        error = refusal(http_response.status_code, answer)
        error.repeated = parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0
        raise error


def _advice(url: str, what: str) -> str:
    return (
        f"The API of Spot Relay at {url} could not be used: {what}. It may have carried out the request all the same; "
        "you can safely repeat it. `spot-relay doctor` looks for the cause."
    )


def _encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
