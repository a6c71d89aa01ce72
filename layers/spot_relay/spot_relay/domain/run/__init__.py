"""What is stored: the run, and everything in it."""
