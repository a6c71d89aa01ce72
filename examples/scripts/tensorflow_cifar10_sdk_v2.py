"""Train in a container of your own with version 2 of the SageMaker Python SDK, as the workshop's notebook does.

New are the lines that mention Spot Relay. The container writes no checkpoints, so each attempt begins at zero: the tag
allows that. The first argument is the job's name, if there is one.
"""

from __future__ import annotations

import sys

import boto3
import sagemaker
from sagemaker.estimator import Estimator

from spot_relay_client import SpotRelay, install

stack = SpotRelay().stack  # the role and the bucket of the stack, in place of those of the notebook
session = sagemaker.Session(
    boto_session=install(boto3.Session()),  # carries out managed spot training jobs as runs of Spot Relay
    default_bucket=stack.bucket,
)
name = sys.argv[1] if len(sys.argv) > 1 else "tf-cifar10"

estimator = Estimator(
    sagemaker_session=session,
    image_uri=f"{stack.account}.dkr.ecr.{stack.region}.amazonaws.com/sagemaker-tf-cifar10-example:latest",
    role=stack.role,
    instance_count=1,
    instance_type="ml.m4.xlarge",
    use_spot_instances=True,
    max_run=3600,
    max_wait=3600,
    base_job_name="tf-cifar10",
    output_path=f"s3://{stack.bucket}/tf-cifar10/output",
    hyperparameters={"train-steps": 100},
    tags=[{"Key": "spot-relay:restart_from_scratch", "Value": "true"}],
)
estimator.fit(f"s3://{stack.bucket}/tf-cifar10/training", job_name=name, wait=True, logs="All")
sys.stdout.write(f"{name} is Completed: {estimator.model_data}\n")
