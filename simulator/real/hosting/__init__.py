"""What endpoints do outside the simulator: their containers as real processes, and their events."""
