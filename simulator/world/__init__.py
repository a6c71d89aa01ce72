"""What the world does to training jobs: spot capacity, failures and errors, and how their events travel."""
