"""Train DeepAR with version 3 of the SageMaker Python SDK: the workshop's job in today's options.

New are the lines that mention Spot Relay. The algorithm writes no checkpoints, so SageMaker lets the job wait for an
hour at most, and each attempt begins at zero: the tag allows that. The first argument is the beginning of the job's
name, if there is one.
"""

from __future__ import annotations

import logging
import sys

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.shapes import Tag
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig, StoppingCondition
from sagemaker.train.model_trainer import ModelTrainer

from spot_relay_client import SpotRelay, install

# The SDK logs the lines of a job, and leaves it to the program where its log goes.
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
stack = SpotRelay().stack  # the role and the bucket of the stack
session = Session(
    boto_session=install(boto3.Session()),  # carries out managed spot training jobs as runs of Spot Relay
    default_bucket=stack.bucket,
)
name = sys.argv[1] if len(sys.argv) > 1 else "deepar-electricity"
data = f"s3://{stack.bucket}/deepar-electricity"

trainer = ModelTrainer(
    sagemaker_session=session,
    training_image=image_uris.retrieve("forecasting-deepar", stack.region),
    role=stack.role,
    base_job_name=name,
    compute=Compute(instance_type="ml.c4.xlarge", instance_count=1, enable_managed_spot_training=True),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=3600, max_wait_time_in_seconds=3600),
    output_data_config=OutputDataConfig(s3_output_path=f"{data}/output"),
    hyperparameters={
        "time_freq": "H",
        "context_length": "72",
        "prediction_length": "48",
        "num_cells": "40",
        "num_layers": "3",
        "likelihood": "gaussian",
        "epochs": "20",
        "mini_batch_size": "32",
        "learning_rate": "0.001",
        "dropout_rate": "0.05",
        "early_stopping_patience": "10",
    },
    tags=[
        Tag(key="spot-relay:restart_from_scratch", value="true"),
        # Deploys the model, also if this script is gone by then.
        Tag(key="spot-relay:on_success.deploy.endpoint", value="deepar-electricity"),
        Tag(key="spot-relay:on_success.deploy.instance_type", value="ml.m5.large"),
    ],
)
channels = [InputData(channel_name=channel, data_source=f"{data}/{channel}/") for channel in ("train", "test")]
trainer.train(input_data_config=channels, wait=True, logs=True)
