"""A user's script for the SageMaker Python SDK, version 2: a generic or a framework estimator, with its log."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.pytorch import PyTorch
from sagemaker.session_settings import SessionSettings

name, kind, bucket, lines = sys.argv[1:5]
boto_session = boto3.Session()
if "--install" in sys.argv:
    from spot_relay_client import install

    boto_session = install(boto_session)
session = sagemaker.Session(
    boto_session=boto_session,
    default_bucket=bucket,
    settings=SessionSettings(encrypt_repacked_artifacts=False),
)
options: dict[str, Any] = {
    "role": "arn:aws:iam::000000000000:role/spot-relay-training",
    "image_uri": "local/counting",
    "instance_count": 1,
    "instance_type": "ml.m5.xlarge",
    "volume_size": 10,
    "output_path": f"s3://{bucket}/output",
    "checkpoint_s3_uri": f"s3://{bucket}/{name}/checkpoints",
    "use_spot_instances": True,
    "max_run": 40,
    "max_wait": 40,
    "hyperparameters": {"lines": lines},
    "sagemaker_session": session,
}
if kind == "framework":
    source = Path(name)
    source.mkdir()
    (source / "entry.py").write_text("")
    options |= {"source_dir": str(source), "entry_point": "entry.py", "framework_version": "2.1", "py_version": "py310"}
    estimator: Any = PyTorch(**options)
else:
    estimator = Estimator(**options)
estimator.fit(job_name=name, wait=True, logs="All")
attached = type(estimator).attach(name, sagemaker_session=session)
sys.stdout.write("\n" + json.dumps({"model": estimator.model_data, "attached": attached.model_data}) + "\n")
