"""Spot Relay keeps SageMaker training jobs running on spot instances until they finish."""
