"""The API destinations that the embedded stack adds to MiniStack's CloudFormation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ministack.services import eventbridge  # type: ignore[import-untyped]

from embedded.destinations import (
    create_connection,
    create_destination,
    delete_connection,
    delete_destination,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTION = {
    "AuthorizationType": "API_KEY",
    "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "value"}},
}


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    eventbridge.reset()
    yield
    eventbridge.reset()


def destination(url: str) -> dict[str, Any]:
    return {"ConnectionArn": "arn:connection", "HttpMethod": "POST", "InvocationEndpoint": url}


def test_a_connection_and_a_destination_have_names_of_their_stack_and_the_arns_that_others_refer_to() -> None:
    name, attributes = create_connection("Connection", CONNECTION, "relay")
    assert name.startswith("relay-Connection-")
    assert attributes == {"Arn": f"arn:aws:events:us-east-1:000000000000:connection/{name}"}
    name, attributes = create_destination("Destination", destination("https://hooks.example.org/a"), "relay")
    assert attributes == {"Arn": f"arn:aws:events:us-east-1:000000000000:api-destination/{name}"}
    assert eventbridge._api_destinations[name]["InvocationEndpoint"] == "https://hooks.example.org/a"


def test_an_update_puts_the_new_address_in_place_of_the_old_one() -> None:
    for path in ("a", "b"):
        given = destination(f"https://hooks.example.org/{path}") | {"Name": "slack"}
        assert create_destination("Destination", given, "relay")[0] == "slack"
    assert eventbridge._api_destinations["slack"]["InvocationEndpoint"] == "https://hooks.example.org/b"
    for _ in range(2):
        assert create_connection("Connection", CONNECTION | {"Name": "slack"}, "relay")[0] == "slack"


def test_both_can_be_deleted_even_twice() -> None:
    create_connection("Connection", CONNECTION | {"Name": "slack"}, "relay")
    create_destination("Destination", destination("https://hooks.example.org/a") | {"Name": "slack"}, "relay")
    for _ in range(2):
        delete_connection("slack", {})
        delete_destination("slack", {})
    assert not eventbridge._connections
    assert not eventbridge._api_destinations


def test_what_eventbridge_would_refuse_fails_the_deployment() -> None:
    with pytest.raises(ValueError, match="InvocationEndpoint"):
        create_destination("Destination", destination("ftp://hooks.example.org"), "relay")
    with pytest.raises(ValueError, match="authorizationType"):
        create_connection("Connection", CONNECTION | {"AuthorizationType": "NONE"}, "relay")
