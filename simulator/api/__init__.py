"""SageMaker's API: requests checked as the service checks them, and jobs shown as the service shows them."""
