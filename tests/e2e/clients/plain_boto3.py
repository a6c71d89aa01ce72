"""A user's script: create a training job, wait for it, and print its log.

With --install it has the one line that moves it to Spot Relay.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import boto3

name, request = sys.argv[1], json.loads(sys.argv[2])
session = boto3.Session()
if "--install" in sys.argv:
    from spot_relay_client import install

    session = install(session)
sagemaker = session.client("sagemaker")
created = sagemaker.create_training_job(TrainingJobName=name, **request)
waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
waiter.wait(TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 600})
logs, group = session.client("logs"), "/aws/sagemaker/TrainingJobs"


def read_lines() -> list[str]:
    """Return the lines of the job's log."""
    lines = []
    for stream in logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]:
        token: dict[str, Any] = {}
        while True:
            page = logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True, limit=10, **token
            )
            lines += [event["message"] for event in page["events"]]
            if token.get("nextToken") == page["nextForwardToken"]:
                break
            token = {"nextToken": page["nextForwardToken"]}
    return lines


# The last lines may arrive after the job has ended.
last = f"line {request['HyperParameters']['lines']}"
while last not in (lines := read_lines()):
    time.sleep(0.5)
described = sagemaker.describe_training_job(TrainingJobName=name)
pages = sagemaker.get_paginator("list_training_jobs").paginate(NameContains=name)
shown = {
    "arn": created["TrainingJobArn"],
    "status": described["TrainingJobStatus"],
    "model": described["ModelArtifacts"]["S3ModelArtifacts"],
    "transitions": [transition["Status"] for transition in described["SecondaryStatusTransitions"]],
    "listed": [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]],
    "tags": sagemaker.list_tags(ResourceArn=created["TrainingJobArn"])["Tags"],
    "lines": lines,
}
try:
    sagemaker.create_training_job(TrainingJobName=name, **request)
except sagemaker.exceptions.ResourceInUse as error:
    shown["again"] = str(error)
sys.stdout.write(json.dumps(shown))
