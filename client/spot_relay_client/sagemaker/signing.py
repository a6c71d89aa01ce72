"""Calls of SageMaker and CloudWatch Logs passed on to AWS, signed with the credentials of a session."""

from __future__ import annotations

import re
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from spot_relay_client.sagemaker.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.session import Session

_SCOPE: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/[0-9]{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z]+)/"
)
# The access keys of users. Those of roles are other ones in each process, even of the same profile.
_LASTING: Final = "AKIA"
# Headers of the call that AWS is to see. The rest belongs to the connection or to the earlier signature.
_KEPT: Final = frozenset(
    {"accept", "amz-sdk-invocation-id", "amz-sdk-request", "content-encoding", "content-type", "user-agent"}
    | {"x-amz-target", "x-amz-user-agent"}
)
_DROPPED: Final = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
# SDKs give up after 60 seconds, unless told otherwise.
_SECONDS: Final = 55


@dataclass(frozen=True)
class Passed:
    """The answer of AWS."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Scope:
    """What a request is signed with and for."""

    key: str
    region: str


def read_scope(authorization: str, service: str) -> Scope | None:
    """Return the scope of a signature, or None if it is not one for a service."""
    found = _SCOPE.match(authorization)
    return Scope(found["key"], found["region"]) if found and found["service"] == service else None


class Signer:
    """Passes calls on with the credentials of a session. Its clients call AWS, wherever the session has it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._verify = session.get_config_variable("ca_bundle") or True
        self._clients: dict[tuple[str, str], Any] = {}
        self._sessions: dict[str, URLLib3Session] = {}
        self._lock = Lock()

    def client(self, service: str, region: str) -> Any:
        """Return the client of a service in a region."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.create_client(service, region_name=region)
            return self._clients[service, region]

    def check_identity(self, key: str) -> None:
        """Raise ServiceError if a program signs with the access key of a user, but the session has another one."""
        credentials = self._session.get_credentials()
        if key.startswith(_LASTING) and (credentials is None or credentials.access_key != key):
            raise ServiceError(
                "AccessDeniedException",
                f"The program signs with the access key {key}, but Spot Relay's proxy has other credentials. Run "
                "spot-relay with the profile of the program, for example with AWS_PROFILE.",
            )

    def pass_on(self, service: str, region: str, headers: Mapping[str, str], body: bytes) -> Passed:
        """Send a call to AWS, and return the answer; raise ServiceError if there is none."""
        kept = {name: value for name, value in headers.items() if name.lower() in _KEPT}
        try:
            url = f"{self.client(service, region).meta.endpoint_url.rstrip('/')}/"
            request = AWSRequest("POST", url, kept, body)
            credentials = self._session.get_credentials()
            if credentials is None:
                raise ServiceError("AccessDeniedException", "The proxy has no AWS credentials.")
            SigV4Auth(credentials.get_frozen_credentials(), service, region).add_auth(request)
            answer = self._http(url).send(request.prepare())
        except BotoCoreError as error:
            # Whoever called tries again, as after any answer that is lost.
            raise ServiceError("ServiceUnavailable", f"Spot Relay's proxy could not reach AWS: {error}", 503) from error
        found = [(name, value) for name, value in answer.headers.items() if name.lower() not in _DROPPED]
        return Passed(answer.status_code, found, answer.content)

    def _http(self, url: str) -> URLLib3Session:
        """Return what sends requests to an address, by the user's own settings for HTTP."""
        with self._lock:
            if url not in self._sessions:
                proxies = get_environ_proxies(url)
                self._sessions[url] = URLLib3Session(verify=self._verify, proxies=proxies, timeout=_SECONDS)
            return self._sessions[url]
