"""Checkpoints for training code that can be interrupted at any moment, as on a spot instance of SageMaker.

It needs Python 3.9 or later and nothing else. Install ``spot-relay``, or copy this folder beside your training script.

::

    with Checkpoints(name="step-{step}.pt") as checkpoints:
        newest = checkpoints.newest()
        done = newest.step if newest else 0  # and load newest.path
        for step in range(done + 1, steps + 1):
            train_one_step()
            if checkpoints.due():
                checkpoints.save(step, lambda path: torch.save(state, path))
            checkpoints.exit_if_stopping()

A checkpoint is a file or a folder, which gets its name when it is whole. SageMaker copies a folder to S3 file by file,
so a folder also has a list of its files, and counts only with all of them. Spot Relay goes by the same list.

``history`` is pure: it knows how often to save. ``folder`` writes and judges files, ``sigterm`` notes the signal, and
``checkpoints`` puts them together. They import each other relatively, so that a copy of the folder works anywhere.
"""

from __future__ import annotations

from .checkpoints import STOPPED, Checkpoints
from .folder import Checkpoint
from .history import History, choose_interval

__all__ = ["STOPPED", "Checkpoint", "Checkpoints", "History", "choose_interval"]
