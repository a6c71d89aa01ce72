"""Benchmarks of Spot Relay: its relaunch policy replayed on traces of spot availability."""
