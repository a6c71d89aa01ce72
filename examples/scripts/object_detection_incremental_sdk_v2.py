"""Train an object detector further, with version 2 of the SageMaker Python SDK, as the workshop's notebook does.

New are the lines that mention Spot Relay. It begins with the model of an earlier job, which has the same base network
and number of classes. The first argument is the job's name, and the second that of the earlier job, if they are there.
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
# often before giving up.
boto_session = install(boto3.Session(), policy={"budgets": {"expired_waits": 24}})
session = sagemaker.Session(boto_session=boto_session, default_bucket=stack.bucket)
name = sys.argv[1] if len(sys.argv) > 1 else "object-detection-voc-incremental"
earlier = sys.argv[2] if len(sys.argv) > 2 else "object-detection-voc"

model = session.describe_training_job(earlier)["ModelArtifacts"]["S3ModelArtifacts"]
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
    base_job_name="object-detection-voc-incremental",
    checkpoint_s3_uri=f"s3://{stack.bucket}/checkpoints/{name}",
    output_path=f"s3://{stack.bucket}/{name}/output",
    model_uri=model,
)
estimator.set_hyperparameters(
    base_network="resnet-50",
    num_classes=20,
    mini_batch_size=16,
    epochs=1,
    learning_rate=0.001,
    optimizer="rmsprop",
    momentum=0.9,
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
