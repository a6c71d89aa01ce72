"""The ports over AWS and Powertools, and the readers of AWS's events."""
