"""The logs of all attempts of a run read as one stream for each host."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay_client.sagemaker.errors import ServiceError
from spot_relay_client.sagemaker.log_streams import describe_streams, find_streams, read_events, run_of_stream
from tests.unit.client.sagemaker.documents import FakeLogs, attempt, run

# The first attempt was interrupted once, so that its host has two streams; the second has two hosts.
LOGS = FakeLogs(
    churn_relay_01__algo_1_1000=["1", "2", "3"],
    churn_relay_01__algo_1_999=["0"],
    churn_relay_02__algo_1_2000=["4", "5"],
    churn_relay_02__algo_2_2000=["other host"],
    churn_relay_01_of_another__algo_1_1=["not ours"],
)
RUN = run("InProgress", attempt(1), attempt(2))


def read(logs: FakeLogs, host: str = "algo-1", **request: Any) -> tuple[list[str], dict[str, Any]]:
    """Read on until a token comes back, as clients do; return the lines, and the last answer."""
    lines: list[str] = []
    key = "nextForwardToken" if request.get("startFromHead") else "nextBackwardToken"
    answer = read_events(logs, RUN, host, request)
    while True:
        lines += [event["message"] for event in answer["events"]]
        token = answer[key]
        answer = read_events(logs, RUN, host, request | {"nextToken": token})
        if answer[key] == token:
            return lines, answer


def test_lines_come_in_the_order_of_attempts_and_restarts_each_once() -> None:
    assert read(LOGS, startFromHead=True)[0] == ["0", "1", "2", "3", "4", "5"]
    assert read(LOGS, "algo-2", startFromHead=True)[0] == ["other host"]


def test_reading_backwards_begins_at_the_newest_line() -> None:
    assert read(LOGS)[0] == ["4", "5", "2", "3", "1", "0"]


def test_a_client_that_has_read_everything_reads_on_in_the_next_attempt() -> None:
    logs = FakeLogs(churn_relay_01__algo_1_1000=["1"])
    lines, last = read(logs, startFromHead=True)
    assert lines == ["1"]
    logs.streams["churn-relay-01/algo-1-1000"].append("2")
    logs.streams["churn-relay-02/algo-1-2000"] = ["3"]
    request: dict[str, Any] = {"startFromHead": True}
    more = read_events(logs, RUN, "algo-1", request | {"nextToken": last["nextForwardToken"]})
    assert [event["message"] for event in more["events"]] == ["2"]
    more = read_events(logs, RUN, "algo-1", request | {"nextToken": more["nextForwardToken"]})
    assert [event["message"] for event in more["events"]] == ["3"]


def test_a_host_without_lines_has_a_token_with_which_to_ask_again() -> None:
    logs = FakeLogs()
    answer = read_events(logs, RUN, "algo-1", {"startFromHead": True})
    assert answer["events"] == []
    logs.streams["churn-relay-01/algo-1-1000"] = ["1"]
    request = {"startFromHead": True, "nextToken": answer["nextForwardToken"]}
    assert [event["message"] for event in read_events(logs, RUN, "algo-1", request)["events"]] == ["1"]


def test_attempts_that_ended_long_before_the_start_time_are_not_read() -> None:
    ended = run("InProgress", attempt(1, ended_at="1970-01-01T00:05:00.000Z"), attempt(2))
    read_streams: list[str] = []

    class Recording(FakeLogs):
        def get_log_events(self, logStreamName: str, startFromHead: bool = False, **request: Any) -> dict[str, Any]:  # noqa: N803
            read_streams.append(logStreamName)
            return super().get_log_events(logStreamName, startFromHead, **request)

    logs = Recording(**{name.replace("-", "_").replace("/", "__"): lines for name, lines in LOGS.streams.items()})
    read_events(logs, ended, "algo-1", {"startFromHead": True, "startTime": 30 * 60_000})
    assert set(read_streams) == {"churn-relay-02/algo-1-2000"}


@pytest.mark.parametrize("token", ["x", "f/x", "f/e30=", "x/W251bGwsbnVsbF0="])
def test_a_token_that_nobody_gave_is_refused(token: str) -> None:
    with pytest.raises(ServiceError, match="nextToken"):
        read_events(LOGS, RUN, "algo-1", {"nextToken": token})


def test_there_is_one_stream_for_each_host() -> None:
    streams = find_streams(LOGS, RUN)
    described = describe_streams("churn", streams, {"logStreamNamePrefix": "churn/"})
    assert [stream["logStreamName"] for stream in described["logStreams"]] == ["churn/algo-1", "churn/algo-2"]
    one = describe_streams("churn", streams, {"logStreamNamePrefix": "churn/algo-2"})
    assert [stream["logStreamName"] for stream in one["logStreams"]] == ["churn/algo-2"]


def test_streams_come_in_pages() -> None:
    streams, request = find_streams(LOGS, RUN), {"logStreamNamePrefix": "churn/", "limit": 1}
    first = describe_streams("churn", streams, request)
    second = describe_streams("churn", streams, request | {"nextToken": first["nextToken"]})
    assert [page["logStreams"][0]["logStreamName"] for page in (first, second)] == ["churn/algo-1", "churn/algo-2"]
    assert "nextToken" not in second
    with pytest.raises(ServiceError, match="nextToken"):
        describe_streams("churn", streams, request | {"nextToken": "?"})


def test_a_run_without_attempts_has_no_streams() -> None:
    assert find_streams(LOGS, run("Pending")) == []


def test_only_the_name_of_a_run_s_stream_is_one() -> None:
    assert run_of_stream("churn/algo-1") == ("churn", "algo-1")
    assert run_of_stream("churn-relay-01/algo-1-1700000000") is None
    assert run_of_stream("churn/[parameter]") is None
