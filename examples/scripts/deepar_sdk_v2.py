"""Train DeepAR with version 2 of the SageMaker Python SDK, as the workshop's notebook does with version 1.

New are the lines that mention Spot Relay. The algorithm writes no checkpoints, so SageMaker lets the job wait for an
hour at most, and each attempt begins at zero: the tag allows that. The first argument is the job's name, if there is
one.
"""

from __future__ import annotations

import sys

import boto3
import sagemaker
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput

from spot_relay_client import SpotRelay, install

stack = SpotRelay().stack  # the role and the bucket of the stack, in place of those of the notebook
session = sagemaker.Session(
    boto_session=install(boto3.Session()),  # carries out managed spot training jobs as runs of Spot Relay
    default_bucket=stack.bucket,
)
name = sys.argv[1] if len(sys.argv) > 1 else "deepar-electricity"
data = f"s3://{stack.bucket}/deepar-electricity"

estimator = Estimator(
    sagemaker_session=session,
    image_uri=image_uris.retrieve("forecasting-deepar", stack.region),
    role=stack.role,
    instance_count=1,
    instance_type="ml.c4.xlarge",
    use_spot_instances=True,
    max_run=3600,
    max_wait=3600,
    base_job_name="deepar-electricity",
    output_path=f"{data}/output",
    tags=[
        {"Key": "spot-relay:restart_from_scratch", "Value": "true"},
        # Deploys the model, in place of estimator.deploy(), also if this script is gone by then.
        {"Key": "spot-relay:on_success.deploy.endpoint", "Value": "deepar-electricity"},
        {"Key": "spot-relay:on_success.deploy.instance_type", "Value": "ml.m5.large"},
    ],
)
estimator.set_hyperparameters(
    time_freq="H",
    context_length="72",
    prediction_length="48",
    num_cells="40",
    num_layers="3",
    likelihood="gaussian",
    epochs="20",
    mini_batch_size="32",
    learning_rate="0.001",
    dropout_rate="0.05",
    early_stopping_patience="10",
)
inputs = {channel: TrainingInput(f"{data}/{channel}/") for channel in ("train", "test")}
estimator.fit(inputs, job_name=name, wait=True, logs="All")
sys.stdout.write(f"{name} is Completed: {estimator.model_data}\n")
