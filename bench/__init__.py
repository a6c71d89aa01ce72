"""Benchmarks of Spot Relay: its relaunch policy on traces of spot availability, and the deployed stack under load."""
