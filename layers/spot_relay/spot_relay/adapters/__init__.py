"""The real world behind the ports: DynamoDB, SageMaker, S3, EventBridge, Powertools; and AWS's events, read."""
