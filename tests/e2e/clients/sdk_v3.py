"""A user's script for the SageMaker Python SDK, version 3: a ModelTrainer with its own code, and its log."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import TrainingJob
from sagemaker.train.configs import CheckpointConfig, Compute, OutputDataConfig, SourceCode, StoppingCondition
from sagemaker.train.model_trainer import ModelTrainer

name, bucket, lines, program = sys.argv[1:5]
# The SDK logs the lines of a job, and leaves it to the program where its log goes.
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
boto_session = boto3.Session()
if "--install" in sys.argv:
    from spot_relay_client import install

    boto_session = install(boto_session)
source = Path(name)
source.mkdir()
(source / "entry.py").write_text(Path(program).read_text())
trainer = ModelTrainer(
    sagemaker_session=Session(boto_session=boto_session, default_bucket=bucket),
    training_image="local/counting",
    role="arn:aws:iam::000000000000:role/spot-relay-training",
    base_job_name=name,
    source_code=SourceCode(source_dir=str(source), entry_script="entry.py"),
    compute=Compute(
        instance_type="ml.m5.xlarge", instance_count=1, volume_size_in_gb=10, enable_managed_spot_training=True
    ),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/output"),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=40, max_wait_time_in_seconds=40),
    checkpoint_config=CheckpointConfig(s3_uri=f"s3://{bucket}/{name}/checkpoints"),
    hyperparameters={"lines": int(lines)},
)
trainer.train(wait=True, logs=True)
job = TrainingJob.get(trainer._latest_training_job.training_job_name, session=boto_session)
shown = {
    "name": job.training_job_name,
    "status": job.training_job_status,
    "model": job.model_artifacts.s3_model_artifacts,
}
sys.stdout.write("\n" + json.dumps(shown) + "\n")
