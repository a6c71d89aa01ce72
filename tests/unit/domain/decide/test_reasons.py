"""Every reason that a run can have, word for word, and each of them once.

To reword one, change it in the domain, run ``pytest -n0 --inline-snapshot=fix`` on this file, and read the difference.
"""

from __future__ import annotations

import ast
import re
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from inline_snapshot import snapshot

import spot_relay
from tests.unit.reason_scenes import SCENES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def reasons() -> dict[str, list[str]]:
    """What is said in each scene for the first time."""
    known: set[str] = set()
    found = {}
    for scene in SCENES:
        new = [reason for reason in dict.fromkeys(scene()) if reason not in known]
        known.update(new)
        found[scene.__name__] = new
    return found


def test_each_reason_reads_as_it_is_meant_to(reasons: dict[str, list[str]]) -> None:
    assert reasons == snapshot(
        {
            "a_life": [
                "Accepted. Launching churn-relay-01.",
                "Created churn-relay-01 for the submitted spec.",
                "churn-relay-01 is Training.",
                "churn-relay-01 was interrupted. SageMaker resumes it when spot capacity returns.",
                "churn-relay-01 failed because SageMaker had no capacity: CapacityError: Unable to provision. Launching the next attempt in 30 s.",
                "The backoff is over. churn-relay-02 continues from the checkpoint churn/checkpoints/a.",
                "Created churn-relay-02 because the attempt before it got no capacity.",
                "churn-relay-02 completed the training.",
            ],
            "a_move": [
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. churn-relay-02 starts from the beginning on 1 x ml.g5.2xlarge (spot).",
                "Created churn-relay-02 because the attempt before it reached MaxWaitTimeInSeconds.",
            ],
            "launches": [
                "Created churn-relay-01 to resume the run.",
                "Created churn-relay-01 because the deadline leaves no time to wait for spot.",
                "Created churn-relay-01 because waiting longer for spot would put the deadline at risk.",
                "Created churn-relay-01 to return to spot, because the run is ahead of schedule.",
                "Created churn-relay-01 because the run was moved by request.",
                "Created churn-relay-01 because the attempt before it reached MaxWaitTimeInSeconds.",
                "Created churn-relay-01 because the attempt before it reached MaxPendingTimeInSeconds.",
                "Created churn-relay-01 because the attempt before it reached MaxRuntimeInSeconds.",
                "Created churn-relay-01 because the attempt before it was stopped as planned.",
                "Created churn-relay-01 because the attempt before it got no capacity.",
                "Created churn-relay-01 because the attempt before it met an internal error in SageMaker.",
                "Created churn-relay-01 because the attempt before it failed and the policy allows a restart.",
                "Created churn-relay-01 because the attempt before it failed.",
                "Created churn-relay-01 for the submitted spec. Stopping it as requested.",
            ],
            "ends": [
                "churn-relay-01 completed the training.",
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished.",
                "churn-relay-01 was pending for MaxPendingTimeInSeconds and got no capacity.",
                "churn-relay-01 reached MaxRuntimeInSeconds before it finished.",
                "churn-relay-01 was stopped outside Spot Relay. Resume the run to continue.",
                "churn-relay-01 failed because SageMaker had no capacity.",
                "churn-relay-01 failed because SageMaker had an internal error.",
                "churn-relay-01 failed because the training code or its configuration has an error. Fix it and resume the run, or submit a corrected spec under another name.",
                "churn-relay-01 failed for a reason that Spot Relay does not know. Resume the run to try again.",
                "churn-relay-01 was never created.",
                "churn-relay-01 failed because the training code or its configuration has an error: AlgorithmError: exit code 1. Fix it and resume the run, or submit a corrected spec under another name.",
            ],
            "ends_without_a_relaunch": [
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. policy.budgets.expired_waits allows no further relaunch (limit: 0). Resume the run to count from zero again, with a higher limit if needed.",
                "churn-relay-01 reached MaxRuntimeInSeconds before it finished. Raise it, or set policy.relaunch_on_max_runtime to true, and submit the spec under another name.",
                "churn-relay-01 reached MaxRuntimeInSeconds before it finished. It left no checkpoint newer than its start, so another attempt would end the same way. Raise it, or save checkpoints more often, and submit the spec under another name.",
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. The training job has no CheckpointConfig, so another attempt would start from zero. Add one, or set policy.restart_from_scratch to true, and submit the spec under another name.",
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. The run has had 50 attempts, the most a run can have. Submit the spec under another name to continue.",
            ],
            "no_quota_is_left": [
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. SageMaker refuses every placement for good (tried: 1 x ml.m5.xlarge (spot)). Resume the run when a quota has been raised, or submit the spec under another name with other placements."
            ],
            "refusals": [
                "SageMaker refused to create churn-relay-01: No such role. Correct what the message names and resume the run, or submit a corrected spec under another name.",
                "SageMaker refused to create churn-relay-01: There is already a training job. Submit the spec under another name: SageMaker takes a job's name only once in an account and region.",
                "SageMaker refused to create churn-relay-01: The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. Ask AWS to raise the service quota 'ml.m5.xlarge for spot training job usage' and resume the run, or ask for less.",
                "SageMaker refused to create churn-relay-01: A text that Spot Relay does not know. Ask AWS to raise the service quota that the message describes and resume the run, or ask for less.",
                "SageMaker refused to create churn-relay-01: The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. Launching it on 1 x ml.p3.2xlarge (on-demand) instead.",
                "SageMaker refused to create churn-relay-01: The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. Its next placement costs too much. policy.budgets.money_usd is 0.5000 USD. 0.00 USD is spent, and an attempt on 1 x ml.p3.2xlarge (on-demand) may cost up to 3.60 USD (MaxRuntimeInSeconds 3600). Set policy.budgets.money_usd to 3.60 or more, or lower MaxRuntimeInSeconds.",
            ],
            "a_rest_before_another_pool": [
                "churn-relay-01 failed because SageMaker had no capacity: CapacityError: Unable to provision. churn-relay-02 starts from the beginning on 1 x ml.m5.xlarge (spot).",
                "SageMaker refused to create churn-relay-02: The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. Launching it on 2 x ml.g5.2xlarge (spot) instead, in 30 s.",
            ],
            "retries": [
                "Could not create churn-relay-01 yet: Rate exceeded. Trying again within 110 s.",
                "Trying to launch churn-relay-01 again.",
                "The refusal is out of date and changes nothing.",
                "A stop was requested before churn-relay-01 was known to exist. Checking in 5 minutes whether it exists, to stop it.",
                "Could not create churn-relay-01 yet: Rate exceeded. Checking in 5 minutes whether it exists, to stop it.",
                "Resume the run when SageMaker answers again.",
            ],
            "refusals_with_an_end": [
                "Could not create churn-relay-01 yet: ConflictException: Something is in conflict. Trying again within 900 s.",
                "Could not create churn-relay-01: ConflictException: Something is in conflict. SageMaker has refused it 10 times with an error that Spot Relay does not know. Resume the run when the cause is gone, or submit a corrected spec under another name. Checking in 5 minutes that it does not exist.",
                "Could not create churn-relay-01: ConflictException: Something is in conflict. SageMaker has refused it 10 times with an error that Spot Relay does not know. Resume the run when the cause is gone, or submit a corrected spec under another name.",
                "The run has ended, so nothing is due.",
                "SageMaker has refused to create churn-relay-01 10 times: ConflictException: Something is in conflict. Launching it on 1 x ml.g5.2xlarge (spot) instead.",
                "churn-relay-01 is Starting.",
                "Could not create churn-relay-01: Rate exceeded. policy.budgets.refusals allows no further try (limit: 0). Resume the run when the cause is gone, or submit a corrected spec under another name. Checking in 5 minutes that it does not exist.",
                "Could not create churn-relay-01: Rate exceeded. policy.budgets.refusals allows no further try (limit: 0). Resume the run when the cause is gone, or submit a corrected spec under another name.",
                "Could not create churn-relay-01 yet: The account-level service limit 'Instances across all training jobs' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. Trying again within 900 s, or sooner if instances become free.",
                "Could not create churn-relay-01: The account-level service limit 'Instances across all training jobs' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. policy.budgets.refusals allows no further try (limit: 1). Ask AWS to raise the service quota 'Instances across all training jobs', or wait until less of it is in use, and resume the run. Checking in 5 minutes that it does not exist.",
                "Could not create churn-relay-01: The account-level service limit 'Instances across all training jobs' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. policy.budgets.refusals allows no further try (limit: 1). Ask AWS to raise the service quota 'Instances across all training jobs', or wait until less of it is in use, and resume the run.",
                "SageMaker refused to create churn-relay-01: Instance type ml.m5.xlarge is not supported. Submit the spec under another name, with a placement that SageMaker accepts for this job.",
            ],
            "a_limit_that_is_left_out": [
                "MaxPendingTimeInSeconds is left out of jobs on spot, where MaxWaitTimeInSeconds and the policy limit how long a job waits for capacity.",
                "churn-relay-01 was pending for MaxPendingTimeInSeconds and got no capacity. churn-relay-02 starts from the beginning on 1 x ml.g5.2xlarge (spot).",
                "Created churn-relay-02 because the attempt before it reached MaxPendingTimeInSeconds.",
            ],
            "turns": [
                "SageMaker limits how many training jobs are created per second, and other launches come first. churn-relay-01 is launched at 2026-11-23 12:01:10 UTC.",
                "SageMaker limits how many training jobs are created per second, and other launches come first. Checking in 5 minutes whether it exists, to stop it.",
            ],
            "waits_for_room": [
                "Accepted. Launching first-relay-01.",
                "Created first-relay-01 for the submitted spec.",
                "Accepted. Launching second-relay-01.",
                "The quota for ml.m5.xlarge (spot) has no room (1 of 1 in use, 1 needed). second-relay-01 is next in the queue and starts when enough instances are free. Trying again every minute.",
                "Accepted. Launching third-relay-01.",
                "Older runs are waiting for ml.m5.xlarge (spot); second is first in the queue. third-relay-01 starts when its turn comes.",
                "This stack allows no more concurrent attempts on ml.m5.xlarge (limit: 1). second-relay-01 starts when one of them ends. Trying again every minute.",
                "The quota for ml.m5.xlarge (spot) has no room: A text that Spot Relay does not know. churn-relay-01 is next in the queue and starts when enough instances are free. Trying again every minute.",
                "There may be room on ml.m5.xlarge (spot) now. Trying to launch churn-relay-01 again.",
                "The run is not waiting for room.",
            ],
            "a_wait_for_room_that_ends_on_demand": [
                "The quota for ml.m5.xlarge (spot) has no room (1 of 1 in use, 1 needed). churn-relay-01 is next in the queue and starts when enough instances are free. Trying again every minute.",
                "churn-relay-01 has waited so long for spot that the deadline is at risk. Launching it on 1 x ml.m5.xlarge (on-demand) instead.",
            ],
            "a_record_that_is_too_large": [
                "The record of this run has reached the most that DynamoDB stores in one item (400 KB). Submit the spec under another name to continue. Stopping churn-relay-01."
            ],
            "tasks_of_step_functions": [
                "Another task of Step Functions is waiting for the end of the run.",
                "This task of Step Functions is waiting for the run already.",
                "A task of Step Functions no longer waits for the end of the run: its token was refused (TaskDoesNotExist).",
                "A task of Step Functions asks for the end of the run, which has ended.",
                "Other tasks of Step Functions have to be told of the end first. Submit the spec again later.",
            ],
            "events_that_change_nothing": [
                "The run is not due yet.",
                "The event is no newer than what is already known.",
                "The run has no attempt 7.",
                "churn-relay-01 is already known to exist.",
                "Another function saved the run first. Publishing that state.",
                "The event comes after the end of churn-relay-01.",
            ],
            "looks_that_find_nothing": [
                "SageMaker created churn-relay-01 but cannot find it yet. Checking again in 30 s.",
                "SageMaker has no training job churn-relay-01. Launching it.",
                "SageMaker could not describe churn-relay-01 just now. Checking again within a minute.",
                "SageMaker could not describe churn-relay-01 just now: A text that Spot Relay does not know. Checking again within a minute.",
                "The event is about a training job named churn-relay-01 that does not belong to this run.",
                "Stopped by request. No training job was created.",
            ],
            "stops": [
                "A stop was requested. Stopping churn-relay-01.",
                "The run is already being stopped.",
                "SageMaker could not stop churn-relay-01: A text that Spot Relay does not know. Trying again within a minute.",
                "churn-relay-01 is Training. Stopping it as requested.",
                "Stopped by request.",
                "The run has already ended: it is Stopped.",
            ],
            "a_job_that_was_given_up": ["The run no longer needs churn-relay-01. Stopping it."],
            "checkpoints_that_cannot_be_listed": [
                "churn-relay-01 is MaxWaitTimeExceeded. The checkpoints cannot be found. Nothing is launched until they can be listed. Checking again in 300 s.",
                "The checkpoints cannot be found. Then resume the run again.",
            ],
            "moves": [
                "The run is already on spot.",
                "A move to on-demand was requested. Stopping churn-relay-01 to continue on-demand.",
                "The run is already being moved to on-demand.",
                "A move to spot was requested. Stopping churn-relay-01 to continue on spot.",
                "churn-relay-01 was stopped as planned. churn-relay-02 starts from the beginning on 1 x ml.m5.xlarge (on-demand).",
                "Created churn-relay-02 because the run was moved by request.",
                "The run is already on-demand.",
                "A move to spot was requested. Stopping churn-relay-02 to continue on spot.",
                "A stop was requested. Stopping churn-relay-02.",
                "The run is being stopped. Resume it once it has stopped, then move it.",
                "Only an open run can be moved, and this one is Stopped. Resume it first.",
                "A move to on-demand was requested. Launching churn-relay-01 on 1 x ml.m5.xlarge (on-demand) instead.",
                "SageMaker refused to create churn-relay-01: The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. Launching it on 1 x ml.m5.xlarge (spot) instead.",
                "SageMaker refuses every placement of this run on-demand for good (tried: 1 x ml.m5.xlarge (on-demand)). Ask AWS to raise the quota, then stop and resume the run.",
                "The run is already on spot, and from now on its policy decides again.",
                "A move to on-demand was requested. Launching the next attempt within a minute.",
                "Accepted.",
                "Waiting until 2026-11-23T13:00:00Z, when the run starts.",
                "A move to on-demand was requested. churn-relay-01 will be launched on 1 x ml.m5.xlarge (on-demand) when the run begins.",
                "policy.budgets.money_usd is 0.1000 USD. 0.00 USD is spent, and an attempt on 1 x ml.m5.xlarge (on-demand) may cost up to 0.2400 USD (MaxRuntimeInSeconds 3600). Resume the run with policy.budgets.money_usd set to 0.2400 or more. An open run has to be stopped before it can be resumed.",
                "The run has no placement on spot that SageMaker accepts. To train on spot, submit the spec under another name with a spot rung in its ladder.",
                "The run is already on-demand, and stays there from now on.",
                "The deadline leaves no time to wait for spot. Change it or remove it, then move the run.",
                "churn-relay-01 could not be created, and the run is about to fail. Resume it then.",
                "Only an open run can be moved, and this one is Completed.",
            ],
            "changed_deadlines": [
                "The deadline was changed from 2026-11-24T08:00:00Z to 2026-11-24T18:00:00Z by request.",
                "The run has the deadline 2026-11-24T18:00:00Z already.",
                "The deadline stays 2026-11-24T18:00:00Z. Its other terms were changed by request.",
                "The deadline 2026-11-23T12:01:00+00:00 cannot be met, even on-demand: training and one changeover take until 2026-11-23T14:01:00+00:00. Use that time or a later one.",
                "The deadline 2026-11-24T18:00:00Z was removed by request.",
                "The run has no deadline.",
                "The run is being stopped. Resume it once it has stopped, with a new deadline.",
                "Only the deadline of an open run can be changed, and this run is Stopped. Resume it with a new deadline.",
                "The deadline 2026-11-24T18:00:00Z was set by request.",
                "Only the deadline of an open run can be changed, and this run is Completed.",
            ],
            "patterns_of_checkpoints": [
                "It contains unprintable characters. Remove them.",
                "It is relative to the prefix in CheckpointConfig.S3Uri. Leave out the bucket and the prefix.",
                "It contains a backslash. Separate folders with /.",
                "It matches no object, because it ends in /. For all objects in the folder, write a/**.",
                "It contains a folder name that is empty or only dots, which matches nothing. Remove it.",
                "It contains ** next to other characters. Write ** between slashes, for any number of folders, or *.",
                "It contains a [ that is not closed. Write [[] for the character itself.",
            ],
            "resumptions": [
                "Only a run that has ended can be resumed, and this one is InProgress.",
                "The run has completed, so there is nothing to resume.",
                "Resumed by request. Trying to launch churn-relay-01 again.",
                "Resumed by request. churn-relay-02 starts from the beginning.",
                "return_to_spot cannot be canary. A canary needs a TrainingImage, and the job has an AlgorithmName.",
                "return_to_spot cannot be canary. A canary has one instance type, and the job has InstanceGroups.",
                "The run cannot have a deadline, because its training job has no CheckpointConfig.",
                "The run has no deadline yet. A first one needs both deadline and expected_runtime.",
                "The deadline 2026-11-23T12:01:00+00:00 cannot be met, even on-demand: training and one changeover take until 2026-11-23T13:10:00+00:00. Use that time or a later one.",
            ],
            "deadlines": [
                "churn-relay-01 has waited so long for spot that the deadline is at risk. Stopping it to continue on-demand.",
                "churn-relay-01 is still Starting. Asking SageMaker again to stop it.",
                "Created churn-relay-02 because waiting longer for spot would put the deadline at risk.",
                "The deadline leaves no more time for churn-relay-01 to wait for spot. Stopping it to continue on-demand.",
                "churn-relay-01 is Stopping.",
            ],
            "canaries": [
                "churn-relay-02 is Training.",
                "The run is ahead of schedule. Launching churn-canary-02 to look for spot capacity while churn-relay-02 keeps training.",
                "Created churn-canary-02. It waits for spot capacity.",
                "churn-canary-02 is already known to exist.",
                "The run is not waiting for canary 3.",
                "churn-canary-02 is Pending, which changes nothing.",
                "churn-canary-02 is Downloading. Checking it within a minute.",
                "churn-canary-02 is Downloading.",
                "SageMaker describes nothing new about churn-canary-02.",
                "Could not create churn-canary-02 yet: Rate exceeded. Trying again at the next check.",
                "churn-canary-02 is Training, which changes nothing.",
                "There is spot capacity again. Stopping churn-relay-02 to continue on spot.",
                "churn-relay-02 was stopped as planned. churn-relay-03 continues from the checkpoint churn/checkpoints/a on 1 x ml.m5.xlarge (spot).",
                "Created churn-relay-03 to return to spot, because the run is ahead of schedule.",
                "The run no longer needs churn-canary-02. Stopping it.",
                "churn-canary-02 has ended, so its instances are free.",
                "Could not create churn-canary-02, so the run stays on-demand: No such role.",
                "churn-canary-02 has ended (MaxWaitTimeExceeded).",
            ],
            "a_canary_that_others_come_before": [
                "Could not create churn-canary-02 yet: Other runs are waiting for ml.m5.xlarge (spot). Trying again at the next check."
            ],
            "a_blind_return": [
                "The run is well ahead of schedule. Stopping churn-relay-02 to wait for spot capacity.",
                "churn-relay-02 is Stopping.",
            ],
            "money": [
                "policy.budgets.money_usd is 0.0500 USD. 0.00 USD is spent, and an attempt on 1 x ml.m5.xlarge (spot) may cost up to 0.0800 USD (MaxRuntimeInSeconds 3600). Set policy.budgets.money_usd to 0.0800 or more, or lower MaxRuntimeInSeconds.",
                "policy.budgets.money_usd needs the price of ml.m5.xlarge, but the stack had no price list when the run was submitted. Refresh the price list and submit the run again, or leave the budget out.",
                "policy.budgets.money_usd needs the price of ml.m5.xlarge, but the price list at that time (s3://prices/list.json, 2026-11-23) did not have it. Refresh the price list and submit the run again, or leave the budget out.",
                "policy.budgets.money_usd needs the price of ml.m5.xlarge, but a heterogeneous cluster (InstanceGroups) has none. Leave the budget out.",
                "policy.budgets.money_usd is 0.0500 USD. 0.00 USD is spent, and an attempt on 1 x ml.m5.xlarge (spot) may cost up to 0.0800 USD (MaxRuntimeInSeconds 3600). Canaries whose cost is not known yet may cost up to 0.0800 USD. Resume the run with policy.budgets.money_usd set to 0.1600 or more.",
            ],
            "objections": [
                "Found 2 instances, but the ShardedByS3Key channel train has fewer objects under its prefix (1). An instance without a file of its own fails. Use fewer instances or more files.",
                "The deadline 2026-11-23T12:01:00+00:00 cannot be met, even on-demand: training and one changeover take until 2026-11-23T14:10:00+00:00. Use that time or a later one.",
            ],
            "chains": [
                "Waiting for the runs prep and labels to complete (0 of 2 have completed), and until 2026-11-23T12:05:00Z.",
                "prep-relay-01 completed the training.",
                "Waiting for the run labels to complete (1 of 2 have completed), and until 2026-11-23T12:05:00Z.",
                "labels-relay-01 completed the training.",
                "Waiting until 2026-11-23T12:05:00Z, when the run starts.",
                "All runs that it comes after have completed. Launching train-relay-01.",
                "Created train-relay-01 for the submitted spec.",
                "The run is not waiting for another run.",
                "Waiting for the run prep to complete.",
                "prep-relay-01 failed because the training code or its configuration has an error: AlgorithmError: no data. Fix it and resume the run, or submit a corrected spec under another name.",
                "This run comes after prep, which is Failed. Once that one has completed, resume this one. To have a run wait for that, write after.on_failure: wait.",
                "Resumed by request. Looking at what it waits for before its first launch.",
                "This run continues from prep, which has completed but left no model. Name one that has.",
                "The run prep has completed. Launching next-relay-01.",
                "Created next-relay-01 for the submitted spec.",
                "Its time has come. Launching train-relay-01.",
                "Waiting for the run late to complete.",
                "There is no run late, which this one comes after. Submit that one first, then resume this one.",
            ],
            "chains_that_are_refused": [
                "Runs would wait for each other: b → a → b. Leave one of them out.",
                "The run would wait for 100 others or more, with those that they wait for. Submit it once some of them have completed.",
                "There is no run late, which this one comes after. Submit that one first, then submit this one again.",
                "2027-11-25T12:00:00Z is more than 366 days from now. Use an earlier time.",
                "Many runs come after this one. Some have been told of its end, and the others are told next.",
                "Runs wait for each other, so none of them can begin: a → b → a.",
            ],
            "templates": [
                "No other run of templates/churn.yaml is under way. Launching first-relay-01.",
                "Waiting until no other run of templates/churn.yaml is under way.",
                "first-relay-01 completed the training.",
                "No other run of templates/churn.yaml is under way. Launching second-relay-01.",
                "Created second-relay-01 for the submitted spec.",
                "Fewer than 2 other runs of templates/two.yaml are under way. Launching a-relay-01.",
                "Created a-relay-01 for the submitted spec.",
                "Fewer than 2 other runs of templates/two.yaml are under way. Launching b-relay-01.",
                "Created b-relay-01 for the submitted spec.",
                "Waiting until fewer than 2 other runs of templates/two.yaml are under way.",
                "The run waits long enough for this data already.",
                "More data has arrived. Waiting until no more does.",
                "The run no longer waits for more data.",
            ],
            "copies_of_checkpoints": [
                "Copying the checkpoints of prep to s3://models/train/.",
                "Copying the checkpoints of prep to s3://models/train/. Files copied so far: 1.",
                "The run prep has completed. Launching train-relay-01. It starts from the checkpoint train/1.pt.",
                "The checkpoints of prep are being copied.",
                "The checkpoints of prep could not be copied: S3 answers SlowDown to CopyObject. Trying again in 300 s.",
                "The checkpoints of prep could not be copied: S3 answers SlowDown to CopyObject. Giving up after 10 tries. Resume the run to try again.",
                "The run is not waiting for this copy of checkpoints.",
                "A stop was requested before train-relay-01 was known to exist. Checkpoints are being copied to its prefix. The run ends when that is over, in a minute or two.",
                "This run continues from the checkpoints of prep, so it needs a checkpoint prefix apart from s3://models/x/. Use another CheckpointConfig.S3Uri. To go on in that prefix itself, name prep in after and leave out continue_from.",
                "This run continues from the checkpoints of prep, which keeps none: its training job has no CheckpointConfig. Name a run that has.",
            ],
            "models_that_are_hosted": [
                "The model is registered as arn:aws:sagemaker:us-east-1:111122223333:model-package/churn-models/1.",
                "Model churn-relay-01 exists.",
                "EndpointConfig churn-relay-01 exists.",
                "There is no endpoint churn-live yet. Creating it.",
                "The endpoint churn-live is being created.",
                "Going on with deploy.",
                "The endpoint churn-live is Creating.",
                "The endpoint has changed. Looking at it.",
                "The endpoint churn-live is in service with the model churn-relay-01.",
                "The run is not waiting for an endpoint.",
                "The answer to Follow is no longer waited for.",
                "The run does nothing with its model.",
                "Rate exceeded. Trying again.",
                "Rate exceeded. Giving up after 20 tries.",
                "The run has left no model.",
            ],
            "endpoints_that_are_not_what_they_should_be": [
                "Accepted. Launching again-relay-01.",
                "Created again-relay-01 for the submitted spec.",
                "again-relay-01 completed the training.",
                "Model again-relay-01 exists.",
                "EndpointConfig again-relay-01 exists.",
                "The endpoint churn-live has failed: The container did not answer. A failed endpoint can only be deleted.",
                "The endpoint churn-live has failed: SageMaker gives no reason. A failed endpoint can only be deleted.",
                "The endpoint churn-live is OutOfService, and can't be updated.",
                "There is an endpoint churn-live that Spot Relay has not created, and it updates no other. Use another name, or tag that endpoint with spot-relay:run-id if it may be updated.",
                "The endpoint churn-live serves churn-relay-01. Updating it.",
                "The endpoint churn-live is being updated.",
                "The update of the endpoint churn-live has failed, and SageMaker has rolled it back to churn-relay-01. The endpoint's log and its events say why.",
                "The endpoint churn-live does not show its update yet.",
                "The endpoint churn-live was updated to another in the meantime.",
                "The endpoint churn-live is Creating with another configuration.",
                "The endpoint churn-live is Creating. Giving up after 24 hours.",
                "The endpoint churn-live is not visible yet.",
                "The endpoint churn-live has been deleted.",
            ],
        }
    )


def test_each_reason_is_whole_sentences(reasons: dict[str, list[str]]) -> None:
    for reason in chain.from_iterable(reasons.values()):
        assert reason.endswith("."), reason
        assert "  " not in reason, reason
        assert ".." not in reason, reason


# No reason is left out


PACKAGE = Path(spot_relay.__path__[0])
SOURCES = [
    *sorted((PACKAGE / "domain" / "decide").glob("*.py")),
    *(PACKAGE / "domain" / "rules" / f"{name}.py" for name in ("after_end", "limits", "money", "next_place", "pace")),
    PACKAGE / "domain" / "run" / "launch.py",
    PACKAGE / "domain" / "sagemaker" / "refusal.py",
    PACKAGE / "service.py",
    PACKAGE / "duties.py",
    PACKAGE / "pacing.py",
]


def texts(node: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """The texts in a source, without docstrings, regular expressions and what is raised."""
    for child in ast.iter_child_nodes(node):
        raises = isinstance(child, ast.FunctionDef) and any(isinstance(part, ast.Raise) for part in ast.walk(child))
        is_error = isinstance(child, ast.ClassDef) and child.name.endswith("Error")
        is_expression = isinstance(child, ast.Call) and ast.unparse(child.func) == "re.compile"
        if raises or is_error or is_expression or isinstance(child, ast.Expr):
            continue
        if isinstance(child, ast.JoinedStr) or (isinstance(child, ast.Constant) and isinstance(child.value, str)):
            yield child
        else:
            yield from texts(child)


def pattern(text: ast.Constant | ast.JoinedStr) -> str:
    """What a text matches once it is filled in."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in parts)


def sentences(source: Path) -> set[str]:
    """The patterns of a source's texts of three words or more."""
    patterns = {pattern(text) for text in texts(ast.parse(source.read_text(encoding="utf-8")))}
    return {found for found in patterns if len(re.findall(r"[A-Za-z]{2,}(?=\\ |\.)", found)) >= 3}


def test_no_sentence_in_the_sources_is_left_out(reasons: dict[str, list[str]]) -> None:
    said = list(chain.from_iterable(reasons.values()))
    found = set(chain.from_iterable(sentences(source) for source in SOURCES))
    assert {sentence for sentence in found if not any(re.search(sentence, reason) for reason in said)} == set()
    assert len(found) > 70
