"""A DAG whose training job is carried out as a run of Spot Relay: the operator is Amazon's own, as it is.

What makes the difference is a setting of Airflow, or the connection: see docs/airflow.md.
"""

from datetime import UTC, datetime

from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator
from airflow.sdk import DAG

BUCKET = "s3://churn-000000000000"
JOB = {
    "TrainingJobName": "churn-{{ ds_nodash }}",
    "RoleArn": "arn:aws:iam::000000000000:role/spot-relay-training",
    "AlgorithmSpecification": {
        "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "TrainingInputMode": "File",
    },
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{BUCKET}/train/{{{{ ds }}}}/"}},
        }
    ],
    "OutputDataConfig": {"S3OutputPath": f"{BUCKET}/models/"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "EnableManagedSpotTraining": True,
    "CheckpointConfig": {"S3Uri": f"{BUCKET}/checkpoints/churn-{{{{ ds_nodash }}}}/"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 14_400, "MaxWaitTimeInSeconds": 28_800},
    # Tags of a job may say its policy.
    "Tags": [{"Key": "spot-relay:deadline", "Value": "P1D"}, {"Key": "spot-relay:expected_runtime", "Value": "PT3H"}],
}

with DAG("churn", schedule="@weekly", start_date=datetime(2025, 1, 1, tzinfo=UTC), catchup=False):
    train = SageMakerTrainingOperator(task_id="train", config=JOB, action_if_job_exists="fail")
