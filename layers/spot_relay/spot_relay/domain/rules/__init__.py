"""Questions about a run, answered purely."""
