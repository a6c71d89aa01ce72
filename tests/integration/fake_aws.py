"""What stands for AWS: moto in this process, the simulator for SageMaker, and a small server for Step Functions."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from botocore import useragent
from moto import backend_index, mock_aws
from moto.core import responses
from moto.core.base_backend import BaseBackend
from moto.core.utils import method_names_from_class
from moto.moto_api._internal.models import moto_api_backend

from embedded.patience import give_time
from simulator.api.account import Account
from simulator.api.audit import AuditLog
from simulator.api.server import Application, bind
from simulator.api.service import Service
from simulator.world.scenario import Scenario, parse_scenario
from spot_relay import bootstrap
from tests.integration.step_functions import StepFunctions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

HOST = "127.0.0.1"
SERVICES = ("dynamodb", "s3", "sqs", "events", "sagemaker", "stepfunctions", "scheduler")


@contextmanager
def calls_to(client: DynamoDBClient) -> Iterator[list[str]]:
    """Record the names of the calls to the table while the block runs."""
    calls: list[str] = []

    def note(event_name: str, **_: Any) -> None:
        calls.append(event_name.rpartition(".")[2])

    client.meta.events.register_first("before-send.dynamodb", note)
    try:
        yield calls
    finally:
        client.meta.events.unregister("before-send.dynamodb", note)


class Moto:
    """moto, which answers the clients of this process without a connection, but leaves SageMaker to the simulator."""

    def __init__(self) -> None:
        self._patch = pytest.MonkeyPatch()
        # moto compares each address with those of all its services, which takes longer than many answers.
        patterns = [
            entry
            for entry in backend_index.backend_url_patterns
            if entry[0] in SERVICES and entry[0] != "stepfunctions"
        ]
        self._patch.setattr(backend_index, "backend_url_patterns", patterns)
        # For each call it also lists the addresses of the service and the methods of what answers, which never change.
        list_addresses = vars(BaseBackend)["urls"].fget

        @cache
        def addresses(kind: type[BaseBackend]) -> Any:
            return list_addresses(object.__new__(kind))

        self._patch.setattr(BaseBackend, "urls", property(lambda backend: addresses(backend.__class__)))
        self._patch.setattr(responses, "method_names_from_class", cache(method_names_from_class))
        # And botocore cleans the words in which it speaks of itself letter by letter.
        clean = cache(useragent.sanitize_user_agent_string_component)
        self._patch.setattr(useragent, "sanitize_user_agent_string_component", clean)
        self._mock = mock_aws(config={"core": {"mock_credentials": False, "passthrough": {"services": ["sagemaker"]}}})
        self._mock.start()

    def forget(self) -> None:
        """Let everything that was created be gone."""
        moto_api_backend.reset()

    def close(self) -> None:
        """Stop answering."""
        self._mock.stop()
        self._patch.undo()


class Simulator:
    """The simulator on a free port of this machine; its jobs live by the clock that a test gives."""

    def __init__(self) -> None:
        self._sagemaker = Service(Account(), Scenario(), AuditLog())
        self._server = bind(self._sagemaker, HOST, 0)
        self.url = f"http://{HOST}:{self._server.port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def begin(self, clock: Callable[[], datetime]) -> None:
        """Forget every job and go on by another clock."""
        self._sagemaker = Service(Account(), Scenario(), AuditLog(), lambda: clock().timestamp())
        self._server.app = Application(self._sagemaker)

    def play(self, **scenario: Any) -> None:
        """Put a scenario in force."""
        self._sagemaker.play(parse_scenario(scenario))

    def calls(self, operation: str) -> list[tuple[str, str]]:
        """Return the job and the outcome of every call of an operation, in order."""
        entries = self._sagemaker.audit.entries(kind="call")
        return [(entry["job_name"], entry["outcome"]) for entry in entries if entry["operation"] == operation]

    def outcomes(self, operation: str) -> list[str]:
        """Return the outcome of every call of an operation, in order."""
        entries = self._sagemaker.audit.entries(kind="call")
        return [entry["outcome"] for entry in entries if entry["operation"] == operation]

    def created(self) -> list[str]:
        """Name the jobs that were created, in order."""
        return [name for name, outcome in self.calls("CreateTrainingJob") if outcome == "ok"]

    def most_live(self, pattern: str) -> int:
        """Count how many jobs whose names match a pattern were alive at the same moment, at most."""
        live: set[str] = set()
        most = 0
        for entry in self._sagemaker.audit.entries(job=pattern, kind="transition"):
            (live.add if entry["live"] else live.discard)(entry["job_name"])
            most = max(most, len(live))
        return most

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join(timeout=give_time(5))
        self._server.server_close()


class FakeAWS:
    """All of them, and the clients that functions have of them."""

    def __init__(self) -> None:
        self.moto = Moto()
        self.simulator = Simulator()
        self.step_functions = StepFunctions()
        # A new client costs more than a test: as in a warm function, each is made once.
        self.client = cache(bootstrap.create_client.__wrapped__)

    def environment(self) -> dict[str, str]:
        """Return the variables that direct clients to the simulator, with made-up credentials."""
        return {
            "AWS_ENDPOINT_URL_SAGEMAKER": self.simulator.url,
            "AWS_ENDPOINT_URL_SFN": self.step_functions.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def close(self) -> None:
        """Stop all of them."""
        for name in SERVICES:
            self.client(name).close()
        self.simulator.close()
        self.step_functions.close()
        self.moto.close()


@contextmanager
def running() -> Iterator[FakeAWS]:
    """Start all of them, give them with their clients made, and stop them."""
    aws = FakeAWS()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in aws.environment().items():
            environment.setenv(name, value)
        for service in SERVICES:
            aws.client(service)
    yield aws
    aws.close()
