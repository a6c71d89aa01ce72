"""Replay the relaunch policy on traces of spot availability, and compare it with the alternatives."""
