"""Spot Relay on one machine: the real template, deployed to MiniStack and the simulator of SageMaker.

In import order:

- `daemons`: start a server as a process, wait until it answers, stop it;
- `sam`: build and deploy the template;
- `training_role`: the role of the training jobs;
- `stack`: a deployed stack, its clients, its API and its logs;
- `deployment`: start everything, deploy, and stop everything (``python -m embedded start`` or ``stop``);
- `docker`: let the containers of ``sam local invoke`` reach a stack.

`aws`, `redrive` and `corrections` run in MiniStack's own process. This module imports nothing, so that MiniStack starts
quickly.
"""
