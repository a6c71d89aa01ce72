"""What must hold for any spec, message or request, however hostile: one check each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from spot_relay.adapters.inbound import UnreadableEventError, Upload, read_delivery, read_observation
from spot_relay.domain.run.launch import check_canary, launch_of_attempt
from spot_relay.domain.run.observation import CanaryChanged, JobChanged
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import MAX_ATTEMPTS
from spot_relay.domain.run.template import Appointment
from spot_relay.request.problem import MAX_PROBLEMS
from spot_relay.service import UnacceptableError
from spot_relay.spec import Allowlist, Format, InvalidSpecError, read_resumption, read_submission
from spot_relay.spec.submission import MAX_STORED_BYTES
from tests.hostile.functions import ROLE, SPECS
from tests.unit.worlds import World

if TYPE_CHECKING:
    from types import ModuleType

    from spot_relay.domain.run.run import Run
    from spot_relay.domain.run.submission import Submission

EXAMPLE_ROLE = "arn:aws:iam::111122223333:role/spot-relay-training"
# The second pattern can be fitted in many ways.
IMAGES = ("*.dkr.ecr.*.amazonaws.com/*", "1*.amazonaws.com/*/train-*/train-*:v*")
ALLOWLIST = Allowlist(
    (ROLE, EXAMPLE_ROLE), IMAGES, ("churn-*", "example-training-*"), region="us-east-1", allow_hosting=True
)
_MODEL = ServiceModel(Loader().load_service_model("sagemaker", "service-2"))
CREATE: Any = _MODEL.operation_model("CreateTrainingJob").input_shape
# What a path is written with: keys, and places in lists.
LONGEST_PATH = 32 * 70
STATUSES = {"GET": {200, 400, 404}, "POST": {202, 400, 404, 409}}


def check_spec(data: bytes, as_format: Format) -> Submission | None:
    """A text is a submission that can be launched, stored and shown, or has problems that say where and what."""
    try:
        submission = read_submission(data, as_format, ALLOWLIST)
    except InvalidSpecError as error:
        check_problems(error)
        return None
    check_submission(submission)
    return submission


def check_resumption(data: bytes) -> None:
    """A body is a resumption, or has problems that say where and what."""
    try:
        request = read_resumption(data)
    except InvalidSpecError as error:
        check_problems(error)
        return
    assert all(value >= 0 for value in request.budgets.values())


def check_problems(error: InvalidSpecError) -> None:
    """A refusal has something to say, in a form that can be stored and is read at a glance."""
    assert 1 <= len(error.problems) <= MAX_PROBLEMS + 1
    for problem in error.problems:
        assert problem.message
        assert len(problem.message) < 1000
        assert len(problem.path) <= LONGEST_PATH
        assert problem.path.isprintable()
    assert len(json.dumps(error.details, ensure_ascii=False).encode()) < 300_000


def check_submission(submission: Submission) -> None:
    """A submission becomes a run, or is refused for what time, prices and data tell; a run is what AWS would take."""
    assert len(json.dumps(submission.training_job, ensure_ascii=False).encode()) <= 2 * MAX_STORED_BYTES
    world = World()
    try:
        run = world.service.submit(submission)
    except UnacceptableError as error:
        check_objections(error)
        return
    check_run(run)
    (request,) = world.jobs.requests
    assert request == launch_of_attempt(run, run.current).request
    check_request(request)
    deadline = submission.policy.deadline
    if deadline and deadline.return_to_spot is ReturnToSpot.CANARY:
        assert check_canary(run.training_job) is None
    assert world.service.submit(submission).version == run.version
    json.dumps(world.documents.written[run.id], allow_nan=False).encode()
    world.clock.passes(3600)
    world.tick()


def check_objections(error: UnacceptableError) -> None:
    """An objection says where and what."""
    assert all(detail["path"] and detail["message"] for detail in error.details)


def check_run(run: Run) -> None:
    """A run is within its bounds."""
    assert run.current.number == 1
    assert 1 <= len(run.attempts) <= MAX_ATTEMPTS
    assert run.has_ended or run.due_at is not None


def check_request(request: dict[str, Any]) -> None:
    """A request is one that boto3 would send."""
    report = ParamValidator().validate(request, CREATE)
    assert not report.has_errors(), report.generate_report()
    assert len(request["TrainingJobName"]) <= 63
    assert len(request.get("Tags", [])) <= 50


def check_observation(text: str) -> tuple[str, Any] | None:
    """A message is an observation of a run, of nobody's, or unreadable for a reason in a few words."""
    try:
        observed = read_observation(text)
    except UnreadableEventError as error:
        check_reason(error)
        return None
    if observed is None:
        return None
    run_id, observation = observed
    run_id.encode()
    assert 1 <= len(run_id) <= 1024
    if isinstance(observation, JobChanged | CanaryChanged):
        observation.secondary_status.encode()
        assert 1 <= len(observation.secondary_status) <= 1024
    if isinstance(observation, JobChanged):
        observation.status.encode()
        assert observation.at.utcoffset() is not None
    return observed


def check_upload(text: str) -> Upload | None:
    """Return the upload of a spec, after checking that any other message is ignored or refused in a few words."""
    try:
        delivered = read_delivery(text, SPECS)
    except UnreadableEventError as error:
        check_reason(error)
        return None
    delivered.key.encode()
    if isinstance(delivered, Appointment):
        assert delivered.at.tzinfo is not None
        return None
    if not isinstance(delivered, Upload):
        assert delivered.bucket != SPECS
        assert delivered.version
        assert delivered.at.tzinfo is not None
        return None
    if not delivered.is_spec:
        return None
    assert delivered.key.startswith("runs/")
    assert Format.of(delivered.key)
    return delivered


def check_reason(error: UnreadableEventError) -> None:
    """A reason is short and can be logged."""
    assert 0 < len(str(error).encode()) < 300


def check_answer(api: ModuleType, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A request is answered with a status that its method has, and a run, a page or an error with a code."""
    answer = api.handler(event, context)
    status, told = answer["statusCode"], json.loads(answer["body"])
    assert status in STATUSES.get(event["httpMethod"], {404}), (status, told)
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/json"]
    if status >= 400:
        assert set(told) == {"code", "message", "details"}
        assert told["message"]
    else:
        assert "run_id" in told or set(told) == {"runs", "next_token"}
    return dict(answer)
