"""docs/openapi.yaml describes what the API answers: any run, a page of them, any error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.run.policy import Budgets
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.report import status_document
from spot_relay.domain.values import replace
from tests.fakes import NOON, REGION
from tests.hostile.functions import Context, load
from tests.integration.stack import document
from tests.unit.any_run import facts, moments, runs
from tests.unit.openapi_document import SCHEMAS, codes, operations, validator
from tests.unit.spec.documents import CALM
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from types import ModuleType

    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.run.run import Run

PRICES = PriceList("a list", NOON, {"ml.m5.xlarge": Price(0.23, 0.1), "ml.p3.2xlarge": Price(3.825)})
RUN, PAGE, ERROR = (validator(name) for name in ("Run", "Page", "Error"))


def shown(run: Run) -> dict[str, Any]:
    """A run as JSON shows it."""
    told: dict[str, Any] = json.loads(json.dumps(status_document(run, REGION)))
    return told


@CALM
@given(run=runs(), known=facts, now=moments)
def test_any_run_is_shown_as_the_schema_says(run: Run, known: Facts, now: Any) -> None:
    after = replace(decide(run, known, now).run, reason="any")
    RUN.validate(shown(after))
    priced = replace(after, prices=PRICES, policy=replace(after.policy, budgets=Budgets(money_usd=5.5)))
    RUN.validate(shown(priced))


@pytest.mark.parametrize("part", ["Run", "Attempt", "Placement", "Checkpoint", "Canary", "Decision", "RunSummary"])
def test_everything_that_is_shown_is_always_there_and_described(part: str) -> None:
    schema = SCHEMAS[part]
    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False


def a_story() -> list[Run]:
    """A run with a deadline that waits for room, then for capacity in vain, and completes in a second attempt."""
    world = World()
    world.prices.write(PRICES)
    world.jobs.refusals.append((Refusal.QUOTA_FULL, "full"))
    seen = [world.service.submit(submission(deadline(20_000)))]
    world.passes(120)
    seen.append(world.tell(1, "InProgress", "Pending"))
    world.checkpoint("model.1")
    seen.append(world.tell(1, "Stopped", "MaxWaitTimeExceeded"))
    seen.append(world.trains(2, 900))
    seen.append(world.tell(2, "Completed", "Completed", training_seconds=900, billable_seconds=900))
    return seen


def test_a_whole_story_is_shown_as_the_schema_says() -> None:
    seen = a_story()
    for run in seen:
        RUN.validate(shown(run))
    told = shown(seen[-1])
    assert told["status"] == "Completed"
    assert [attempt["outcome"] for attempt in told["attempts"]] == ["MaxWaitTimeExceeded", "Completed"]
    assert told["attempts"][1]["resumes_from"]["key"].endswith("model.1")
    assert told["cost_usd"] > 0
    assert told["deadline"] is not None
    assert len(told["decisions"]) > 4


@pytest.fixture(scope="module")
def api() -> ModuleType:
    """The function, in a world with the runs of the story."""
    world = World()
    world.service.submit(submission())
    return load("api", world)


@pytest.mark.parametrize(
    ("method", "path", "query", "status", "schema"),
    [
        ("GET", "/runs", {"limit": "1"}, 200, PAGE),
        ("GET", "/runs", {"limit": "0"}, 400, ERROR),
        ("GET", "/runs/churn", None, 200, RUN),
        ("GET", "/runs/nobody", None, 404, ERROR),
        ("POST", "/runs/churn/resume", None, 409, ERROR),
        ("POST", "/runs/churn/move", None, 400, ERROR),
        ("POST", "/runs/churn/deadline", None, 400, ERROR),
        ("POST", "/runs/churn/stop", None, 202, RUN),
        ("POST", "/runs", None, 400, ERROR),
    ],
)
def test_an_answer_has_a_status_a_schema_and_a_code_that_its_operation_has(
    api: ModuleType, method: str, path: str, query: dict[str, str] | None, status: int, schema: Any
) -> None:
    event = document("api/get-run") | {"httpMethod": method, "path": path, "queryStringParameters": query}
    answer = api.handler(event, Context())
    told = json.loads(answer["body"])
    operation = operations()[method, path.replace("churn", "{id}").replace("nobody", "{id}")]
    assert answer["statusCode"] == status
    schema.validate(told)
    if status >= 400:
        assert told["code"] in codes(operation["responses"][str(status)])
