"""A SageMaker for one machine: training jobs, a spot market, real processes and state-change events."""
