"""Train an object detector further, with version 3 of the SageMaker Python SDK: the workshop's job in today's options.

New are the lines that mention Spot Relay. It begins with the model of an earlier job, which has the same base network
and number of classes. The first argument is the beginning of the job's name, and the second the name of the earlier
job, if they are there.
"""

from __future__ import annotations

import logging
import sys

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import CheckpointConfig, Compute, InputData, OutputDataConfig, StoppingCondition
from sagemaker.train.model_trainer import ModelTrainer

from spot_relay_client import SpotRelay, install

# The SDK logs the lines of a job, and leaves it to the program where its log goes.
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
stack = SpotRelay().stack  # the role and the bucket of the stack
# Carries out managed spot training jobs as runs of Spot Relay. An hour is short for a GPU pool: let the wait expire
# often before giving up.
boto_session = install(boto3.Session(), policy={"budgets": {"expired_waits": 24}})
session = Session(boto_session=boto_session, default_bucket=stack.bucket)
name = sys.argv[1] if len(sys.argv) > 1 else "object-detection-voc-incremental"
earlier = sys.argv[2] if len(sys.argv) > 2 else "object-detection-voc"

trainer = ModelTrainer(
    sagemaker_session=session,
    training_image=image_uris.retrieve("object-detection", stack.region),
    role=stack.role,
    base_job_name=name,
    training_input_mode="File",
    compute=Compute(
        instance_type="ml.p3.2xlarge", instance_count=1, volume_size_in_gb=50, enable_managed_spot_training=True
    ),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=3600, max_wait_time_in_seconds=3600),
    checkpoint_config=CheckpointConfig(s3_uri=f"s3://{stack.bucket}/checkpoints/{name}"),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{stack.bucket}/{name}/output"),
    hyperparameters={
        "base_network": "resnet-50",
        "num_classes": "20",
        "mini_batch_size": "16",
        "epochs": "1",
        "learning_rate": "0.001",
        "optimizer": "rmsprop",
        "momentum": "0.9",
        "image_shape": "300",
        "label_width": "350",
        "num_training_samples": "16551",
    },
)
channels = [
    InputData(
        channel_name=channel,
        data_source=f"s3://{stack.bucket}/voc/{channel}",
        content_type="application/x-recordio",
    )
    for channel in ("train", "validation")
]
described = boto_session.client("sagemaker").describe_training_job(TrainingJobName=earlier)
model = InputData(
    channel_name="model",
    data_source=described["ModelArtifacts"]["S3ModelArtifacts"],
    content_type="application/x-sagemaker-model",
)
trainer.train(input_data_config=[*channels, model], wait=True, logs=True)
