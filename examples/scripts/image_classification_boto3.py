"""Train an image classifier with boto3, as the workshop's notebook does.

New are the lines that mention Spot Relay, and a CheckpointConfig: without it each restart would begin at zero.
The first argument is the job's name, if there is one.
"""

from __future__ import annotations

import sys
from typing import Any

import boto3

from spot_relay_client import SpotRelay, install

# AWS publishes the algorithm from one account per region: the others are in the SageMaker documentation.
REGISTRIES = {"us-east-1": "811284229777", "us-west-2": "433757028032", "eu-west-1": "685385470294"}

stack = SpotRelay().stack  # the role and the bucket of the stack, in place of those of the notebook
session = install(boto3.Session())  # carries out managed spot training jobs as runs of Spot Relay
sagemaker = session.client("sagemaker")
name = sys.argv[1] if len(sys.argv) > 1 else "image-classification-caltech256"


def describe_channel(channel: str) -> Any:
    """Return a channel of RecordIO files."""
    return {
        "ChannelName": channel,
        "ContentType": "application/x-recordio",
        "CompressionType": "None",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": f"s3://{stack.bucket}/caltech256/{channel}",
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


sagemaker.create_training_job(
    TrainingJobName=name,
    AlgorithmSpecification={
        "TrainingImage": (f"{REGISTRIES[stack.region]}.dkr.ecr.{stack.region}.amazonaws.com/image-classification:1"),
        "TrainingInputMode": "File",
    },
    RoleArn=stack.role,
    HyperParameters={
        "image_shape": "3,224,224",
        "num_layers": "18",
        "num_training_samples": "15420",
        "num_classes": "257",
        "mini_batch_size": "64",
        "epochs": "2",
        "learning_rate": "0.01",
    },
    InputDataConfig=[describe_channel("train"), describe_channel("validation")],
    OutputDataConfig={"S3OutputPath": f"s3://{stack.bucket}/{name}/output"},
    ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.p2.xlarge", "VolumeSizeInGB": 50},
    EnableManagedSpotTraining=True,
    StoppingCondition={"MaxRuntimeInSeconds": 36000, "MaxWaitTimeInSeconds": 36000},
    CheckpointConfig={"S3Uri": f"s3://{stack.bucket}/checkpoints/{name}/"},
)
waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
waiter.wait(TrainingJobName=name, WaiterConfig={"Delay": 2, "MaxAttempts": 43200})
job = sagemaker.describe_training_job(TrainingJobName=name)
sys.stdout.write(f"{name} is {job['TrainingJobStatus']}: {job['ModelArtifacts']['S3ModelArtifacts']}\n")
