"""What SageMaker says: jobs, how they ended, why a launch was refused, what a request means."""
