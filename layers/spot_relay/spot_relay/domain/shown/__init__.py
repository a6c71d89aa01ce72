"""What users, metrics and events see of a run."""
