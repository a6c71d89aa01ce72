"""The training job of a spec: what CreateTrainingJob accepts, and what the SageMaker Python SDK's options stand for.

The client uses it as well, so it needs botocore's data at most.
"""
