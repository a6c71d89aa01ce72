"""Train an object detector with version 2 of the SageMaker Python SDK, as the workshop's notebook does with version 1.

New are the lines that mention Spot Relay. The first argument is the job's name, if there is one.
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
# Carries out managed spot training jobs as runs of Spot Relay. An hour is short for a GPU pool: let the wait expire
# often before giving up. Five epochs may need more than the hour, so that each attempt continues where one stopped.
policy = {"budgets": {"expired_waits": 24}, "relaunch_on_max_runtime": True}
session = sagemaker.Session(boto_session=install(boto3.Session(), policy=policy), default_bucket=stack.bucket)
name = sys.argv[1] if len(sys.argv) > 1 else "object-detection-voc"

estimator = Estimator(
    sagemaker_session=session,
    image_uri=image_uris.retrieve("object-detection", stack.region),
    role=stack.role,
    instance_count=1,
    instance_type="ml.p3.2xlarge",
    volume_size=50,
    input_mode="File",
    use_spot_instances=True,
    max_run=3600,
    max_wait=3600,
    base_job_name="object-detection-voc",
    checkpoint_s3_uri=f"s3://{stack.bucket}/checkpoints/{name}",
    output_path=f"s3://{stack.bucket}/{name}/output",
)
estimator.set_hyperparameters(
    base_network="resnet-50",
    use_pretrained_model=1,
    num_classes=20,
    mini_batch_size=16,
    epochs=5,
    learning_rate=0.001,
    lr_scheduler_step="3,6",
    lr_scheduler_factor=0.1,
    optimizer="rmsprop",
    momentum=0.9,
    weight_decay=0.0005,
    overlap_threshold=0.5,
    nms_threshold=0.45,
    image_shape=300,
    label_width=350,
    num_training_samples=16551,
)
inputs = {
    channel: TrainingInput(
        f"s3://{stack.bucket}/voc/{channel}",
        content_type="application/x-recordio",
        distribution="FullyReplicated",
        s3_data_type="S3Prefix",
    )
    for channel in ("train", "validation")
}
estimator.fit(inputs, job_name=name, wait=True, logs="All")
sys.stdout.write(f"{name} is Completed: {estimator.model_data}\n")
