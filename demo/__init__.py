"""A first look: one spot training run, interrupted and relaunched, on this machine alone."""
