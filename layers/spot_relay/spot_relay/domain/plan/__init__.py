"""What would happen to a submission: its placements, its finish and its cost, by the decisions themselves."""
