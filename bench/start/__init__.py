"""Measure a function's start, from its process to its first answer, against a floor measured in the same run."""
