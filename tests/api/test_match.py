"""Compare and set over HTTP: two people at one delivery, or one lane."""

from typing import Any

import pytest
from litestar.testing import TestClient

BODY = {"reason": "as agreed"}
LATER = {"reason": "as agreed", "at": "2026-01-01T00:00:00Z"}


def sent(client: TestClient[Any]) -> str:
    """Send a message and return the path of its delivery."""
    answer = client.post("/v1/flows/one/messages", json={"payload": {"n": 1}}).json()
    return f"/v1/deliveries/{answer['deliveries'][0]['id']}"


def test_a_change_of_what_was_seen_is_done(client: TestClient[Any]) -> None:
    """The ETag of a look, or of the change before, lets the next one through."""
    path = sent(client)
    shown = client.get(path)
    assert shown.headers["etag"] == f'"{shown.json()["revision"]}"'
    first = client.post(
        f"{path}/reschedule", json=LATER, headers={"If-Match": shown.headers["etag"]}
    )
    assert first.status_code == 200
    assert first.headers["etag"] != shown.headers["etag"]
    second = client.post(f"{path}/cancel", json=BODY, headers={"If-Match": first.headers["etag"]})
    assert second.json()["status"] == "discarded"


@pytest.mark.parametrize("verb", ["redrive", "cancel", "discard", "undo", "prove", "reschedule"])
def test_a_change_of_something_else_is_refused_and_shown(
    client: TestClient[Any], verb: str
) -> None:
    """412 with the present state; nothing has changed."""
    path = sent(client)
    seen = client.get(path).headers["etag"]
    client.post(f"{path}/reschedule", json=LATER)
    body = LATER if verb == "reschedule" else BODY
    answer = client.post(f"{path}/{verb}", json=body, headers={"If-Match": seen})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (412, "STALE", "if-match")
    assert problem["current"]["revision"] == 1
    assert client.get(path).json()["revision"] == 1


@pytest.mark.parametrize("verb", ["pause", "resume", "breaker/open", "breaker/reset"])
def test_two_people_at_one_lane(client: TestClient[Any], verb: str) -> None:
    """A lane's tag changes with what people decide; the second is shown what the first did."""
    path = "/v1/recipients/acme"
    shown = client.get(path)
    assert shown.headers["etag"] == f'"{shown.json()["tag"]}"'
    assert client.get(f"{path}/breaker").headers["etag"] == shown.headers["etag"]
    done = client.post(f"{path}/pause", json=BODY, headers={"If-Match": shown.headers["etag"]})
    assert done.status_code == 200
    answer = client.post(f"{path}/{verb}", json=BODY, headers={"If-Match": shown.headers["etag"]})
    assert answer.status_code == 412
    assert answer.json()["current"]["paused"] == "as agreed"
    again = client.post(f"{path}/{verb}", json=BODY, headers={"If-Match": done.headers["etag"]})
    assert again.status_code == 200


def test_without_a_tag_the_last_one_wins(client: TestClient[Any]) -> None:
    """`If-Match` is a choice; `*` is the same as none."""
    path = sent(client)
    assert client.post(f"{path}/reschedule", json=LATER).status_code == 200
    assert client.post(f"{path}/cancel", json=BODY, headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("tag", ['"7x"', '"99999999999999999999"', '""', '"-1"'])
def test_tags_that_are_not_ours_match_nothing(client: TestClient[Any], tag: str) -> None:
    """They name a state that never was."""
    answer = client.post(f"{sent(client)}/cancel", json=BODY, headers={"If-Match": tag})
    assert answer.status_code == 412


@pytest.mark.parametrize("tag", ["0", 'W/"0"', '"0", "1"', '"'])
def test_what_is_no_tag_is_named(client: TestClient[Any], tag: str) -> None:
    """One strong tag, as the header ETag gave it."""
    answer = client.post(f"{sent(client)}/cancel", json=BODY, headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["field"]) == (422, "if-match")
