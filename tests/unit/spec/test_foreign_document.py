"""A document that is about a training job but is no spec has one problem, which says what it is and what to take."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from inline_snapshot import snapshot

from spot_relay.spec import Format, InvalidSpecError, read_submission
from tests.unit.spec.documents import ALLOWLIST, find_problems, request, wrapped

JOB = request()
DESCRIBED = {
    **JOB,
    "TrainingJobArn": "arn:aws:sagemaker:us-east-1:111122223333:training-job/churn-2024",
    "TrainingJobStatus": "Stopped",
    "SecondaryStatus": "MaxWaitTimeExceeded",
    "CreationTime": "2024-02-01T10:00:00.123000+00:00",
    "ResponseMetadata": {"HTTPStatusCode": 200},
}
STATE: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync",
    "Parameters": JOB,
    "End": True,
}


def respell(value: Any, change: Any) -> Any:
    """Return a value with all of its keys changed."""
    if isinstance(value, dict):
        return {change(key): respell(item, change) for key, item in value.items()}
    return [respell(item, change) for item in value] if isinstance(value, list) else value


def snake(key: str) -> str:
    """Return a key in snake_case."""
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in key).lstrip("_")


SNAKE = respell(JOB, snake)
CAMEL = respell(JOB, lambda key: key[:1].lower() + key[1:])
KEBAB = respell(JOB, lambda key: snake(key).replace("_", "-"))
UNNAMED = request(TrainingJobName=None)
AS_TEXT = {"DefinitionString": json.dumps({"StartAt": "Train", "States": {"Train": STATE}})}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            STATE,
            snapshot("This is a Step Functions state. The request is at Parameters: submit only that."),
        ),
        (
            {"Comment": "nightly", "StartAt": "Train", "States": {"Wait": {"Type": "Wait"}, "Train": STATE}},
            snapshot(
                "This is a Step Functions state machine. The request is at States.Train.Parameters: submit only that."
            ),
        ),
        (
            {"Train": {**STATE, "Parameters": {**UNNAMED, "TrainingJobName.$": "$.name"}}},
            snapshot(
                "This is a mapping of Step Functions states. The request is at Train.Parameters: submit only that. Write its keys as CreateTrainingJob has them: TrainingJobName for TrainingJobName.$. Replace references such as TrainingJobName.$ with values."
            ),
        ),
        (
            {"Version": "2020-12-01", "Steps": [{"Name": "Train", "Type": "Training", "Arguments": UNNAMED}]},
            snapshot(
                "This is a SageMaker pipeline. The request is at Steps[0].Arguments: submit only that. Add TrainingJobName, which becomes the name of the run."
            ),
        ),
        (
            {"Name": "Train", "Type": "Training", "Arguments": {**UNNAMED, "RoleArn": {"Get": "Parameters.Role"}}},
            snapshot(
                'This is a step of a SageMaker pipeline. The request is at Arguments: submit only that. Replace references such as {"Get": …} with values. Add TrainingJobName, which becomes the name of the run.'
            ),
        ),
        (
            {"Resources": {"Job": {"Type": "AWS::SageMaker::TrainingJob", "Properties": JOB}}},
            snapshot(
                "This is a CloudFormation template or resource. The request is at Resources.Job.Properties: submit only that."
            ),
        ),
        (
            {"Type": "AWS::SageMaker::TrainingJob", "Properties": {**JOB, "RoleArn": {"Ref": "Role"}}},
            snapshot(
                'This is a CloudFormation template or resource. The request is at Properties: submit only that. Replace references such as {"Ref": …} with values.'
            ),
        ),
        (
            {"apiVersion": "sagemaker.services.k8s.aws/v1alpha1", "kind": "TrainingJob", "spec": CAMEL},
            snapshot(
                "This is a Kubernetes resource. The request is at spec: submit only that. Write its keys as CreateTrainingJob has them: TrainingJobName for trainingJobName, RoleArn for roleArn, AlgorithmSpecification for algorithmSpecification."
            ),
        ),
        (
            SNAKE,
            snapshot(
                "The keys of this request are in snake_case, as in Terraform and the SageMaker Python SDK. Write all of them, also the nested ones, as CreateTrainingJob has them: TrainingJobName for training_job_name, RoleArn for role_arn, AlgorithmSpecification for algorithm_specification."
            ),
        ),
        (
            CAMEL,
            snapshot(
                "The keys of this request are in another spelling, as in CloudTrail, Kubernetes and the SDKs for Java and JavaScript. Write all of them, also the nested ones, as CreateTrainingJob has them: TrainingJobName for trainingJobName, RoleArn for roleArn, AlgorithmSpecification for algorithmSpecification."
            ),
        ),
        (
            KEBAB,
            snapshot(
                "The keys of this request are in the form of the AWS CLI's options. Write all of them, also the nested ones, as CreateTrainingJob has them: TrainingJobName for training-job-name, RoleArn for role-arn, AlgorithmSpecification for algorithm-specification."
            ),
        ),
        (
            {"resource": {"aws_sagemaker_training_job": {"churn": SNAKE}}},
            snapshot(
                "This is a Terraform configuration. The request is at resource.aws_sagemaker_training_job.churn: submit only that. Write its keys as CreateTrainingJob has them: TrainingJobName for training_job_name, RoleArn for role_arn, AlgorithmSpecification for algorithm_specification."
            ),
        ),
        (
            {"CreateTrainingJobRequest": JOB},
            snapshot(
                "This is a CreateTrainingJob request in a wrapper. The request is at CreateTrainingJobRequest: submit only that."
            ),
        ),
        (
            {"region": "us-east-1", "input": {"jobs": [JOB]}},
            snapshot(
                "This is a CreateTrainingJob request in a wrapper. The request is at input.jobs[0]: submit only that."
            ),
        ),
        (
            {"task_id": "train", "config": {**JOB, "RoleArn": "{{ var.value.role }}"}, "wait_for_completion": True},
            snapshot(
                "This is a task of Airflow's SageMakerTrainingOperator. The request is at config: submit only that. Replace references such as {{ var.value.role }} with values."
            ),
        ),
        (
            {"eventName": "CreateTrainingJob", "requestParameters": CAMEL},
            snapshot(
                "This is a CloudTrail record. The request is at requestParameters: submit only that. Write its keys as CreateTrainingJob has them: TrainingJobName for trainingJobName, RoleArn for roleArn, AlgorithmSpecification for algorithmSpecification."
            ),
        ),
        (
            {"source": "aws.sagemaker", "detail-type": "SageMaker Training Job State Change", "detail": DESCRIBED},
            snapshot(
                "This is an EventBridge event, which has only a part of a job's request: no EnableManagedSpotTraining, CheckpointConfig or Environment. Submit the request that created the job."
            ),
        ),
        (
            DESCRIBED,
            snapshot(
                "This is a response of DescribeTrainingJob, not a request. Keep TrainingJobName, HyperParameters, AlgorithmSpecification, RoleArn, OutputDataConfig, ResourceConfig, StoppingCondition, EnableManagedSpotTraining, CheckpointConfig, and remove TrainingJobArn, TrainingJobStatus, SecondaryStatus, CreationTime, ResponseMetadata. TrainingJobName becomes the name of the run."
            ),
        ),
        (
            {"TrainingJob": DESCRIBED},
            snapshot(
                "At TrainingJob: This is a response of DescribeTrainingJob, not a request. Keep TrainingJobName, HyperParameters, AlgorithmSpecification, RoleArn, OutputDataConfig, ResourceConfig, StoppingCondition, EnableManagedSpotTraining, CheckpointConfig, and remove TrainingJobArn, TrainingJobStatus, SecondaryStatus, CreationTime, ResponseMetadata. TrainingJobName becomes the name of the run."
            ),
        ),
        (
            {"TrainingJobArn": DESCRIBED["TrainingJobArn"], "ResponseMetadata": {}},
            snapshot(
                "This is an answer of SageMaker about a training job, without the job's request. Submit the CreateTrainingJob request."
            ),
        ),
        (
            {"TrainingJobSummaries": [DESCRIBED]},
            snapshot("This is an answer of ListTrainingJobs. Submit the CreateTrainingJob request of a single job."),
        ),
        (
            {"HyperParameterTuningJobName": "tune", "TrainingJobDefinition": UNNAMED},
            snapshot(
                "This is a request of CreateHyperParameterTuningJob. Spot Relay runs training jobs: submit a CreateTrainingJob request."
            ),
        ),
        (
            {"run_id": "churn", "status": "Failed", "attempts": []},
            snapshot(
                "This is the status document of a run. Submit its spec; to continue a run that has ended, resume it."
            ),
        ),
        (
            {"key": "runs/churn.json", "errors": [], "reported_at": "2024-05-01T12:00:00Z"},
            snapshot("This is an error report. Submit the spec that it is about, with its problems corrected."),
        ),
        (
            {**JOB, "TrainingJobName": "", "RoleArn": "", "InputDataConfig": [{"ChannelName": ""}]},
            snapshot(
                "This is a skeleton of the AWS CLI without values. Fill in TrainingJobName, RoleArn and what else your job needs, and remove all other keys."
            ),
        ),
        (
            {"jobName": "churn", "serviceJobType": "SAGEMAKER_TRAINING", "serviceRequestPayload": json.dumps(JOB)},
            snapshot(
                "This is a CreateTrainingJob request in a wrapper. The request is at serviceRequestPayload (JSON text): submit only that."
            ),
        ),
        (
            {"Resources": {"Nightly": {"Type": "AWS::StepFunctions::StateMachine", "Properties": AS_TEXT}}},
            snapshot(
                "This is a CloudFormation template or resource. The request is at Resources.Nightly.Properties.DefinitionString (JSON text).States.Train.Parameters: submit only that."
            ),
        ),
        (
            {"PipelineName": "churn", "PipelineDefinition": json.dumps({"Steps": [{"Name": "a", "Arguments": JOB}]})},
            snapshot(
                "This is a SageMaker pipeline. The request is at PipelineDefinition (JSON text).Steps[0].Arguments: submit only that."
            ),
        ),
        (
            {"image_uri": "i", "role": "r", "instance_count": 1, "use_spot_instances": True, "max_wait": 7200},
            snapshot(
                "These are arguments of the SageMaker Python SDK's Estimator. Put them under the key estimator, and the name of the run next to it under the key name."
            ),
        ),
        (
            {"training_image": "i", "compute": {"instance_type": "ml.m5.xlarge"}, "role": "r"},
            snapshot(
                "These are arguments of the SageMaker Python SDK's ModelTrainer. Put them under the key estimator, and the name of the run next to it under the key name."
            ),
        ),
    ],
)
def test_a_foreign_document_has_one_problem_that_says_what_it_is_and_what_to_take(
    document: dict[str, Any], message: str
) -> None:
    before = copy.deepcopy(document)
    assert find_problems(document) == {"": message}
    assert document == before


@pytest.mark.parametrize("document", [DESCRIBED, STATE, SNAKE, {"Resources": {"a": {"Type": "AWS::X::Y"}}}])
def test_a_foreign_document_at_training_job_has_its_one_problem_there(document: dict[str, Any]) -> None:
    found = find_problems({"name": "churn-2024", "training_job": document, "policy": {}})
    assert set(found) == {"training_job"}


@pytest.mark.parametrize("job", [json.dumps(UNNAMED), "{" * 5000, "{}", '{"a": ' * 5000])
def test_a_training_job_as_text_has_its_problem_where_it_is(job: str) -> None:
    found = find_problems({"name": "churn-2024", "training_job": job})
    assert found == snapshot(
        {"training_job": "Expected a CreateTrainingJob request, but found a string. Write a mapping."}
    )


def test_a_request_that_is_wrapped_twice_has_one_problem() -> None:
    assert find_problems({"name": "churn", "training_job": {"training_job": JOB, "policy": {}}}) == snapshot(
        {
            "training_job": "The request is wrapped twice. Move what is under training_job.training_job up to training_job, and move policy next to it."
        }
    )


def test_a_path_of_step_functions_in_a_request_is_named_as_one() -> None:
    job = request(TrainingJobName=None) | {"TrainingJobName.$": "$.name"}
    assert find_problems(job) == snapshot(
        {
            "TrainingJobName.$": "Unknown key. This is a path of Step Functions, which only a state machine replaces. Write TrainingJobName and its value."
        }
    )


def test_a_template_is_recognised_although_it_has_values_that_json_does_not_have() -> None:
    template = """
        AWSTemplateFormatVersion: 2010-09-09
        Resources:
          Train:
            Type: AWS::SageMaker::TrainingJob
            Properties: {TrainingJobName: !Ref Name, RoleArn: !GetAtt Role.Arn, OutputDataConfig: {}}
    """
    with pytest.raises(InvalidSpecError) as caught:
        read_submission(template.encode(), Format.YAML, ALLOWLIST)
    assert str(caught.value) == snapshot(
        "This is a CloudFormation template or resource. The request is at Resources.Train.Properties: submit only that."
    )


def test_what_is_recognised_as_the_request_is_accepted_when_it_is_submitted() -> None:
    kept = {key: value for key, value in DESCRIBED.items() if key in JOB}
    assert find_problems(kept) == {}
    assert find_problems(STATE["Parameters"]) == {}


def test_no_spec_is_taken_for_a_foreign_document() -> None:
    for document in (
        request(),
        wrapped({}),
        wrapped(TrainingJobName="churn-2024"),
        request(Environment={"Type": "Task"}),
    ):
        assert find_problems(document) == {}


def test_what_only_an_answer_has_is_refused_in_a_request_too() -> None:
    resources = {**JOB["ResourceConfig"], "SelectedInstanceType": "ml.m5.xlarge"}
    assert find_problems(request(ResourceConfig=resources)) == snapshot(
        {"ResourceConfig.SelectedInstanceType": "Only responses of DescribeTrainingJob have this key. Remove it."}
    )
