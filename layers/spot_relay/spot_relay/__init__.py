"""Spot Relay runs one SageMaker training job on Managed Spot Training until it is done."""
