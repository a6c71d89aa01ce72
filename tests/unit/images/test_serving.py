"""DeepAR's server answers as SageMaker's container does."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from examples.images.deepar.serve import RequestError, Server, answer
from tests.unit.images.untrained import random_model

if TYPE_CHECKING:
    from collections.abc import Iterator

SERIES = {"start": "2014-01-01 00:00:00", "target": [1.0, None, 3.0, "NaN", 5.0]}


def ask(**configuration: Any) -> Any:
    body = {"instances": [SERIES, SERIES], "configuration": configuration}
    return answer(random_model(), json.dumps(body).encode())["predictions"]


@pytest.fixture
def url() -> Iterator[str]:
    """The address of a server on a free port."""
    server = Server("127.0.0.1", 0, random_model())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_series_gets_what_was_asked_for() -> None:
    first, second = ask(num_samples=20, output_types=["mean", "quantiles"], quantiles=["0.1", "0.9"])
    assert first.keys() == second.keys() == {"mean", "quantiles"}
    assert first["quantiles"].keys() == {"0.1", "0.9"}
    assert len(first["mean"]) == 4
    assert all(low <= high for low, high in zip(*first["quantiles"].values(), strict=True))


def test_without_a_configuration_there_is_everything() -> None:
    (first, _) = ask()
    assert first.keys() == {"mean", "quantiles", "samples"}
    assert len(first["samples"]) == 100


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", r'A request is {"instances"'),
        (b"[]", r'A request is {"instances"'),
        (b"{}", "KeyError"),
        (b'{"instances": [{"start": "2014-01-01"}]}', r"instances\[0\] is not a time series"),
        (b'{"instances": [], "configuration": {"num_samples": 0}}', "num_samples is 0, but must be from 1 to 1000"),
        (b'{"instances": [], "configuration": {"quantiles": [1.5]}}', "must be between 0 and 1"),
        (b'{"instances": [], "configuration": {"output_types": ["median"]}}', "may have mean, quantiles, samples"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_with_the_reason(body: bytes, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        answer(random_model(), body)


def test_it_speaks_sagemakers_protocol(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/ping").status_code == 200
        body = {"instances": [SERIES], "configuration": {"num_samples": 5, "output_types": ["samples"]}}
        answered = client.post("/invocations", json=body)
        assert answered.status_code == 200
        assert len(answered.json()["predictions"][0]["samples"]) == 5
        refused = client.post("/invocations", content=b"{}")
        assert (refused.status_code, "KeyError" in refused.json()["error"]) == (400, True)
        assert client.get("/").status_code == 404
        assert client.post("/other", json=body).status_code == 404
