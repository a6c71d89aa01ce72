"""What a refusal of CreateTrainingJob says, and what it means for the run's placement."""

from __future__ import annotations

import time

import pytest

from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.quota import Quota, parse_quota
from spot_relay.domain.sagemaker.refusal import Refusal, advise, classify_invalid, classify_quota

SPOT = Placement("ml.g5.2xlarge", 1, Market.SPOT)
OLD = Placement("ml.p2.xlarge", 2, Market.ON_DEMAND)
# How SageMaker ends each message about a quota: something is not available here, but it is no instance type.
CONTACT = (
    "Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, "
    "contact AWS support to request an increase for this quota."
)


def says(name: str, limit: str, used: str, delta: str, unit: str = "Instances") -> str:
    return (
        f"The account-level service limit {name} is {limit} {unit}, with current utilization of {used} {unit} and a "
        f"request delta of {delta} {unit}. {CONTACT}"
    )


def test_a_quota_message_tells_its_quota() -> None:
    assert parse_quota(says("'ml.g5.2xlarge for spot training job usage'", "1", "1", "1")) == Quota(
        1, "ml.g5.2xlarge for spot training job usage", 1, 1
    )


@pytest.mark.parametrize(
    "text",
    [
        says("'ml.g5.2xlarge for spot training job usage'", "4", "4", "1"),
        says("'ml.g5.2xlarge for spot training job usage'", "1,000", "1,000", "8", "Instance"),
        says('"ml.g5.2xlarge for spot training job usage"', "4", "4", "1"),
        says("for ml.g5.2xlarge for spot training job usage", "4", "4", "1"),
        says("for training-job/ml.g5.2xlarge", "4", "4", "1"),
        says("'ML.G5.2XLARGE for Spot Training Job usage'", "4.0", "4.0", "1.0"),
        says("'ml.g5.2xlarge\nfor spot training job usage'", "4", "4", "1"),
        says("\u2018ml.g5.2xlarge for spot training job usage\u2019", "4", "4", "1"),
        says("for training-job/spot/ml.g5.2xlarge", "4", "4", "1"),
        "You exceeded the quota 'ml.g5.2xlarge for spot training job usage' (L-1A2B): limit 1, current usage 1.",
    ],
)
def test_a_full_quota_of_the_pool_is_waited_for_in_the_pools_queue(text: str) -> None:
    assert classify_quota(text, SPOT) is Refusal.QUOTA_FULL


@pytest.mark.parametrize(
    "text",
    [
        says("'ml.g5.2xlarge for spot training job usage'", "0", "0", "1"),
        says("'Longest run time for a training job'", "432000", "0", "864000", "Seconds"),
        says("'Longest run time for a training job'", "432,000", "0", "864,000", "Seconds"),
        says("'Total size of EBS volumes of training jobs'", "5000", "0", "6000.5", "Gigabytes"),
        says("'Number of instances across all training jobs'", "4", "0", "8"),
        says("'ml.m5.xlarge for processing job usage'", "0", "0", "1"),
        says("for training-job/ml.p2.xlarge", "0", "0", "2"),
        "The account-level service limit for training-job/ml.p2.xlarge is 0 Instances.",
        "Your quota is 0. Request an increase.",
        "You exceeded the limit (limit: 2, requested: 3).",
        "You exceeded your service quota 'ml.p2.xlarge for training job usage' (L-1A2B): limit 0, current usage 0.",
        '{"quota": "ml.p2.xlarge for training job usage", "limit": 0, "usage": 0, "requested": 1}',
        "The maximum of 20 instances per training job has been exceeded: 32 requested.",
        "MaxRuntimeInSeconds of 864000 is greater than the maximum allowed 432000 seconds.",
        "The requested run time (864000 seconds) exceeds the maximum (432000 seconds).",
        "Your account is limited to 4 instances across all training jobs. You requested 8.",
        "The service limit 'Longest run time for a training job' is 432000 Seconds, with a request delta of 10 Days.",
        "The service limit 'Size of EBS volume for a training job' is 1 TB, with a request delta of 2,000 GB.",
        says("'Longest run time for a training job'", "4.32E5", "0", "8.64E5", "Seconds"),
        says("'Longest run time for a training job'", "432 000", "0", "864 000", "Seconds"),
        says("'ml.p2.xlarge for training warm pool usage'", "0", "0", "1"),
        "Max number of instances per training job is 20, requested 32",
        "The request exceeds the allowed maximum of 432000 seconds for MaxRuntimeInSeconds: 864000",
        "ml.g5.2xlarge for spot training job usage limit exceeded (0 < 1)",
        "The account-level service limit 'ml.g5.2xlarge for spot training job usage' is zero Instances",
        "The maximum number of instances for a training job is 20. You requested 32.",
        "You requested 32 instances, but at most 20 are allowed.",
        "MaxRuntimeInSeconds 864000 cannot exceed 432000",
        "MaxRuntimeInSeconds (864000) must not exceed 432000 seconds",
        "Number of instances cannot exceed 20. Requested: 32",
        "Limit exceeded (1 > 0)",
        "Your quota for ml.g5.2xlarge is zero.",
        "The largest allowed volume is 16384 GB; VolumeSizeInGB: 20000",
        "Requested 864000 seconds, allowed: 432000",
        "The service limit is zero for spot instances of this type",
        "The maximum run time is 5 days, requested 10 days",
        "Up to 20 instances per training job are allowed, but 32 were requested",
        "Maximum allowed instance count of 20 exceeded: requested 32",
        "No more than 20 instances may be used per job; you asked for 32",
        "Maximum runtime allowed: 432000, requested: 864000",
        "The maximum number of instances you can request is 20, but 32 were requested",
        "You have requested 32 instances which exceeds the limit of 20",
        "Requested instance count 32 exceeds the maximum of 20",
        "The number of instances (32) is greater than the allowed limit (20)",
        "Limit is 0",
        "Limit: 0 instances, requested: 1",
        "The limit is no more than 20, requested 32",
        "Your limit of zero ml.g5.2xlarge instances has been exceeded",
        "The quota 'ml.g5.2xlarge for spot training job usage' is 0.0",
        "Max volume size is 16 TB, requested 20000 GB",
        "Limit exceeded: 0 of 0 in use, 1 requested",
        "You have exceeded the maximum of 0 spot instances",
        "Account limit for spot instances (0) exceeded",
        "Allowed: 0, requested: 1",
        "quota value 0 is less than the requested 1",
        "ml.g5.2xlarge limit exceeded (1 requested, 0 allowed)",
        "1 requested > 0 allowed",
    ],
)
def test_a_limit_below_the_request_can_never_hold_the_placement(text: str) -> None:
    assert classify_quota(text, OLD) is Refusal.QUOTA_TOO_SMALL


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (says("'Number of instances across all training jobs'", "20", "20", "1"), Refusal.SHARED_QUOTA_FULL),
        (says("'Number of instances across all spot training jobs'", "20", "19", "2"), Refusal.SHARED_QUOTA_FULL),
        (
            says("'Total size of EBS volumes of training jobs'", "5000", "4990", "50", "Gigabytes"),
            Refusal.SHARED_QUOTA_FULL,
        ),
        (says("'ml.m5.xlarge for processing job usage'", "20", "20", "1"), Refusal.OTHER_QUOTA_FULL),
        (says("'ml.g5.2xlarge for training warm pool usage'", "2", "2", "1"), Refusal.OTHER_QUOTA_FULL),
        (says("'ml.g5.2xlarge for training job usage'", "2", "2", "1"), Refusal.OTHER_QUOTA_FULL),
        (says("'ml.g5.24xlarge for spot training job usage'", "2", "2", "1"), Refusal.OTHER_QUOTA_FULL),
        ("You have too many training jobs", Refusal.OTHER_QUOTA_FULL),
        (says("for training-job/total_instance_count", "20", "20", "1"), Refusal.SHARED_QUOTA_FULL),
        (
            says("'Number of vCPUs across all spot training jobs'", "1e2", "1e2", "8", "vCPUs"),
            Refusal.SHARED_QUOTA_FULL,
        ),
        (says("for processing-job/total_instance_count", "20", "20", "1"), Refusal.OTHER_QUOTA_FULL),
        (
            says("'Number of training jobs across all tuning jobs'", "9", "9", "1"),
            Refusal.OTHER_QUOTA_FULL,
        ),
        (says("'Number of instances across all training plans'", "9", "9", "1"), Refusal.OTHER_QUOTA_FULL),
        (says("'ml.g5.2xlarge for cluster usage'", "2", "2", "1"), Refusal.OTHER_QUOTA_FULL),
        (says("'ml.g5.2xlarge for spot training job usage'", "unknown", "0", "1"), Refusal.OTHER_QUOTA_FULL),
        (f"You have reached a limit. {CONTACT}", Refusal.OTHER_QUOTA_FULL),
        ("The quota is not available right now. Try again later.", Refusal.OTHER_QUOTA_FULL),
        ("Capacity for ml.g5.2xlarge is currently not available.", Refusal.OTHER_QUOTA_FULL),
        ("Capacity for ml.g5.2xlarge is currently not available in us-west-1", Refusal.OTHER_QUOTA_FULL),
        ("No instances of ml.g5.2xlarge are available.", Refusal.OTHER_QUOTA_FULL),
        ("The request requires more ml.g5.2xlarge instances than are free", Refusal.OTHER_QUOTA_FULL),
        ("The limit of 20 instances is reached (20 in use, 1 requested).", Refusal.OTHER_QUOTA_FULL),
        ("Maximum number of concurrent jobs is 20. Currently 20 in use.", Refusal.OTHER_QUOTA_FULL),
        ("Limit exceeded (4 < 5)", Refusal.OTHER_QUOTA_FULL),
        ("Limit exceeded: 20 of 20 in use, 1 requested", Refusal.OTHER_QUOTA_FULL),
        ("Account limit (20) reached, 1 requested", Refusal.OTHER_QUOTA_FULL),
    ],
)
def test_a_full_quota_that_is_not_the_pools_own_keeps_nobody_else_waiting(text: str, kind: Refusal) -> None:
    assert classify_quota(text, SPOT) is kind
    assert (kind.passes, kind.backs_off, kind.needs_room) == (True, True, False)


@pytest.mark.parametrize(
    "text",
    [
        "The requested resource training-job/ml.g5.2xlarge is not available in this region",
        "The requested resource training-job/ml.g5.2xlarge is not available.",
        "You have reached a limit. This resource is currently not available in this region. Ask again.",
        "This instance type is not supported in ap-southeast-5.",
    ],
)
def test_an_instance_type_that_the_region_does_not_have_closes_the_placement(text: str) -> None:
    assert classify_quota(text, SPOT) is Refusal.PLACEMENT_REJECTED


@pytest.mark.parametrize(
    "text",
    [
        "Instance type ml.g5.2xlarge is not supported for the algorithm.",
        "1 validation error detected: Value 'ml.g5.2xlarge' at 'resourceConfig.instanceType' failed",
        "The algorithm does not support distributed training. Set instanceCount to 1.",
        "GPU instance types are not supported by this built-in algorithm",
        "Managed Spot Training is not available in this region.",
        "Unsupported hardware in the region eu-south-2: ml.g5.2xlarge",
        "1 validation error detected: Value 'ml.t9.medium' at 'resourceConfig.instanceType' failed to satisfy "
        "constraint: Member must satisfy enum value set: [ml.p2.xlarge, ml.m5.4xlarge]",
        "Instance type ml.c4.2xlarge is not supported by algorithm object2vec; only GPU instances are supported",
        "Unsupported instance type ml.p3dn.24xlarge",
        "Managed Spot Training isn't supported for this algorithm.",
        "This algorithm does not support distributed training with 2 instances.",
        "This algorithm supports only single-instance training.",
        "CPU instances are not supported by this algorithm",
        "The image 111122223333.dkr.ecr.us-east-1.amazonaws.com/a:1 does not run on ml.g5.2xlarge.",
        "The specified algorithm only supports GPU instances",
        "This algorithm requires a GPU instance",
        "The algorithm supports GPU training only",
        "The algorithm can only be trained on a single machine",
        "Training with more than one machine is not supported",
        "Algorithm does not support multi-machine training",
        "Parallelized training is not supported",
        "The algorithm doesn't run on CPU",
        "Spot training is not enabled in ap-southeast-5",
        "SageMaker training is not available in eu-isoe-west-1",
        "Managed spot training is disabled for this account",
        "No instances of the requested type available in us-west-1",
        "No GPU support for this algorithm",
        "This algorithm must run on a single machine",
        "This algorithm needs at least one GPU",
        "A GPU is required to train this algorithm.",
        "Image classification requires at least one NVIDIA GPU",
        "The algorithm cannot be trained on multiple nodes",
        "This algorithm can't run on CPU instances.",
        "The algorithm is limited to a single instance",
        "Multi-node training isn't allowed for this algorithm.",
        "Data-parallel training is not possible with this image",
        "Training on accelerated computing instances is unavailable in the us-west-1 region",
        "Managed Spot Training has not been enabled in the region eu-south-2",
        "Managed spot training has been disabled in this region.",
        "This algorithm is incompatible with distributed training",
        "SageMaker does not offer spot training in me-central-1.",
        "Spot instances are not yet available in ap-southeast-7",
        "Only single-node training is supported",
        "Algorithm supports training on one machine only",
        "The algorithm is only available on GPU",
        "Training job can only run on CPU instances",
        "The image is compiled for CUDA and cannot run on CPU",
        "Multiple machines are not supported by this algorithm",
        "The built-in algorithm does not train in parallel",
        "Algorithm only supports CPU training",
        "Only GPU instance types can be used with this algorithm",
        "Distributed training isn't possible for this algorithm",
        "Single machine training only",
        "This algorithm doesn't support more than one instance",
        "InstanceCount must be 1 for this algorithm",
        "Training is restricted to one machine",
        "More than one instance is not permitted",
        "The algorithm works on GPU machines only",
        "Spot training is not offered in the Asia Pacific (Malaysia) region",
        "Managed Spot Training is unavailable in eu-south-2",
        "Spot instances are disabled in your account",
        "Managed spot training isn't enabled for this account in ap-southeast-5.",
        "SageMaker does not support training in mx-central-1",
        "Training jobs are not supported in us-gov-east-1",
        "Training is not yet launched in ca-west-1",
        "The requested instances do not exist in il-central-1",
        "No accelerators are available in this region",
        "A minimum of 2 instances is required",
        "Algorithm can only run on one instance",
        "At least one GPU must be available",
        "P3 instances are not available in this region",
        "Multi-GPU training is not supported",
        "Multi GPU is not supported",
        "The image requires CUDA 12 capable GPU",
        "Training in parallel is not supported by the algorithm",
        "Heterogeneous clusters are not supported by managed spot training",
        "The algorithm needs a machine with a GPU",
        "GPUs cannot be used with this algorithm",
        "Your account is not authorized to use spot training",
    ],
)
def test_a_validation_error_about_the_placement_closes_the_placement_alone(text: str) -> None:
    assert classify_invalid(text, SPOT) is Refusal.PLACEMENT_REJECTED


@pytest.mark.parametrize(
    "text",
    [
        "Could not assume role arn:aws:iam::111122223333:role/training.",
        "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true",
        "The S3 bucket data-eu is not supported in this region: it is in eu-west-1",
        "No S3 objects found under S3 URL",
        "Requested image 111122223333.dkr.ecr.us-east-1.amazonaws.com/train:1 not found.",
        'No S3 objects found under S3 URL "s3://data/ml.g5.2xlarge/train" given in input data source.',
        "No S3 objects found under S3 URL s3://data/instance_type/ given in input data source.",
        "Could not assume role arn:aws:iam::111122223333:role/ml.g5.2xlarge.",
        "The role 'ml.g5.2xlarge' cannot be assumed",
        "The bucket ml.g5.2xlarge does not exist",
        "Requested image 111122223333.dkr.ecr.us-east-1.amazonaws.com/ml.g5.2xlarge:1 not found.",
        "1 validation error detected: Value 'ml.g5.2xlarge-' at 'trainingJobName' failed to satisfy constraint",
        "1 validation error detected: Value '{instance_count=}' at 'hyperParameters' failed to satisfy constraint",
        "2 validation errors detected: Value 'ml.x' at 'resourceConfig.instanceType' failed to satisfy constraint; "
        "Value '' at 'roleArn' failed to satisfy constraint",
        "Hyperparameter instance_count must be an integer",
        "Environment variable INSTANCE_TYPE has an invalid value",
        "Some channels have assigned instance groups: [processing] while others not: [code]",
        "InstanceType or InstanceCount cannot be specified with InstanceGroups",
        "File system fs-1 does not exist in this region",
        "Pipe mode is not supported for this algorithm",
        "Managed Spot Training requires MaxWaitTimeInSeconds to be set",
        "MaxWaitTimeInSeconds is required for spot training",
        "CheckpointConfig is required for managed spot training",
        "The algorithm only supports the content type application/x-recordio-protobuf",
        "This algorithm requires the channel train",
        "This algorithm requires a validation channel",
        "The KMS key is disabled",
        "The key in us-east-1 is disabled",
        "STS is not enabled in this region for the account",
        "The role can only be assumed by ec2.amazonaws.com",
        "Role does not have permission; access is not enabled in us-east-1",
        "No S3 objects available under the S3 URL s3://bucket/gpu/ given in input data source",
        "Hyperparameter num_gpus requires an integer",
        "Hyperparameter kvstore: dist_sync only supports multiple machines",
        "The bucket must be in us-east-1: it isn't available in eu-west-1",
        "The subnet subnet-1 does not exist in us-west-1",
        "Network isolation is not supported with this channel",
        "The image does not exist in us-east-1",
        "VPC is required",
        "TrainingJobName can only contain letters",
        "Tag values can only contain letters",
        "The input mode Pipe only supports S3 data sources",
        "Model package is not enabled in us-east-1",
        "No objects found in bucket gpu-instances-data",
        "The algorithm requires 3 columns",
        "This algorithm must have at least one channel",
        "Could not access data in us-east-1: access is disabled",
        "Unable to assume role spot-training: not allowed",
        "Invalid S3 path s3://b/x given: bucket region eu-west-1 does not match us-east-1",
        "The role arn:aws:iam::111122223333:role/x must be in the same account",
        "Could not find model data at s3://b/gpu-only",
        "S3 bucket spot-data is not accessible from us-east-1",
        "Access denied. User is not authorized to perform sagemaker:CreateTrainingJob with an explicit deny",
        "The execution role requires s3:GetObject permissions",
        "Invalid parameter: distributed_training",
        "The provided KMS key is not enabled",
        "Unsupported content type for channel train",
        "Unsupported compression type for the input channel",
        "CheckpointConfig.LocalPath must not be under /opt/ml/input",
        "Checkpointing is not supported for this algorithm",
        "EFS file system fs-1 must have at least one mount target in us-east-1a",
        "Metric definitions are not supported for this built-in algorithm",
        "Log group does not exist in us-east-1",
        "Only one channel can be given",
        "Image size must be less than 10 GB",
        "Environment map cannot exceed 100 entries",
    ],
)
def test_a_validation_error_about_the_request_is_invalid_wherever_it_runs(text: str) -> None:
    assert classify_invalid(text, SPOT) is Refusal.INVALID


LONGEST = says("'Longest run time for a training job'", "432000", "0", "864000", "Seconds")
ANOTHER_NAME = "Submit the spec under another name"


@pytest.mark.parametrize(
    ("refusal", "message", "advice"),
    [
        (
            Refusal.QUOTA_TOO_SMALL,
            LONGEST,
            "Ask AWS to raise the service quota 'Longest run time for a training job' and resume the run, or ask for "
            "less.",
        ),
        (
            Refusal.QUOTA_TOO_SMALL,
            "no limit here",
            "Ask AWS to raise the service quota that the message describes and resume the run, or ask for less.",
        ),
        (
            Refusal.QUOTA_TOO_SMALL,
            "Limit is 0",
            "Ask AWS to raise the service quota that the message describes and resume the run, or ask for less.",
        ),
        *(
            (
                refusal,
                LONGEST,
                "Ask AWS to raise the service quota 'Longest run time for a training job', or wait until less of it is "
                "in use, and resume the run.",
            )
            for refusal in (Refusal.OTHER_QUOTA_FULL, Refusal.SHARED_QUOTA_FULL)
        ),
        (Refusal.PLACEMENT_REJECTED, "", f"{ANOTHER_NAME}, with a placement that SageMaker accepts for this job."),
        (
            Refusal.NAME_TAKEN,
            "",
            f"{ANOTHER_NAME}: SageMaker takes a job's name only once in an account and region.",
        ),
        (
            Refusal.INVALID,
            "",
            "Correct what the message names and resume the run, or submit a corrected spec under another name.",
        ),
        (
            Refusal.UNRECOGNIZED,
            "",
            "Resume the run when the cause is gone, or submit a corrected spec under another name.",
        ),
        (Refusal.THROTTLED, "", "Resume the run when SageMaker answers again."),
        (Refusal.UNAVAILABLE, "", "Resume the run when SageMaker answers again."),
    ],
)
def test_each_refusal_that_ends_a_run_comes_with_advice(refusal: Refusal, message: str, advice: str) -> None:
    assert advise(refusal, message) == advice


def test_what_a_refusal_means_for_the_run_depends_on_its_kind_alone() -> None:
    kinds = ("leaves_open", "backs_off", "draws", "needs_room", "closes_place", "passes")
    assert {one.value: [kind for kind in kinds if getattr(one, kind)] for one in Refusal} == {
        "Throttled": ["leaves_open", "backs_off", "draws", "passes"],
        "Unavailable": ["leaves_open", "backs_off", "draws", "passes"],
        "Unrecognized": ["leaves_open", "backs_off", "draws", "passes"],
        "Undescribed": ["leaves_open", "backs_off", "passes"],
        "SharedQuotaFull": ["backs_off", "draws", "passes"],
        "OtherQuotaFull": ["backs_off", "draws", "passes"],
        "QuotaFull": ["needs_room", "passes"],
        "QueuedBehind": ["needs_room", "passes"],
        "LimitReached": ["needs_room", "passes"],
        "AwaitsTurn": ["passes"],
        "QuotaTooSmall": ["closes_place"],
        "PlacementRejected": ["closes_place"],
        "NameTaken": [],
        "Invalid": [],
    }


@pytest.mark.parametrize(
    "part",
    [
        "limit '",
        "limit of ",
        "max a",
        "requires a ",
        "gpu b ",
        "only c ",
        "no d ",
        "1 < ",
        "a-b-",
        "run only ",
        "1 000 ",
        "limit" + " " * 90,
        "request ",
        "s3://",
        "bucket '",
    ],
)
def test_the_longest_message_is_read_at_once(part: str) -> None:
    for classify in (classify_quota, classify_invalid):
        before = time.process_time()
        classify(part * (100_000 // len(part)), SPOT)
        assert time.process_time() - before < 1
