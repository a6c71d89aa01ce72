"""Writes docs/command.md and the recordings of the command, from the command itself."""
