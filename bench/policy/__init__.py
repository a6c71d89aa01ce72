"""Replay the relaunch policy on traces of spot availability, beside what else one could do."""
