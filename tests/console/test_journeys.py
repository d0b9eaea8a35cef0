"""What an operations person does in the console, from the first look to the audit."""

import re
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from holdfast.testing.browser import polled, up
from holdfast.testing.partner import Act, Partner, Seen, answer

pytestmark = pytest.mark.slow

Call = Callable[..., Any]
Open = Callable[..., Page]

CONFIG: Final = """
[policy]
max_retries = 1
initial_delay = 1.0

[policy.response]
reason_path = "reason"

[recipients.acme]
description = "moved to another address"

[[recipients.acme.endpoints]]
name = "old"
url = "{url}/old"
allow_private = true

[[recipients.acme.endpoints]]
name = "new"
url = "{url}/new"
allow_private = true

[recipients.calm]
allow_private = true
url = "{url}/new"

[flows.leads]
steps = [{{name = "to-acme", recipient = "acme"}}, {{name = "to-calm", recipient = "calm"}}]
"""
SENT: Final = 130
JSON: Final = "application/json"
REASON: Final = "this address was moved"
PATIENT_MS: Final = 90_000


class Moved:
    """A partner whose old address refuses everything; it counts what the new one took."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    def __call__(self, seen: Seen) -> Iterable[Act]:
        """Answer a request."""
        if seen.target.endswith("/old"):
            return [answer(422, b'{"reason": "%s"}' % REASON.encode(), Content_Type=JSON)]
        self.taken[seen.headers["idempotency-key"]] += 1
        return [answer(200, b"{}", Content_Type=JSON)]


@pytest.fixture
def moved() -> Moved:
    """Return a partner that has moved."""
    return Moved()


@pytest.fixture
def config(moved: Moved, tmp_path: Path) -> Iterator[Path]:
    """Return a configuration that names the partner's old address first."""
    with Partner(moved) as partner:
        path = tmp_path / "holdfast.toml"
        path.write_text(CONFIG.format(url=partner.url))
        yield path


def send(call: Call, number: int) -> None:
    """Send messages, and wait until those to `acme` are dead."""
    for each in range(number):
        call("/v1/flows/leads/messages", {"payload": {"number": each}, "value": 10.0})
    polled(lambda: call("/v1/deliveries/count?q=status:dead")["count"] == number)


def test_from_the_first_look_to_the_audit(
    open_page: Open, ask_at: Callable[[str], Call], config: Path, moved: Moved, shots: Path
) -> None:
    """A stranger sees who fails and why, sends the group another way behind a canary, and is noted.

    Each delivery is at the partner exactly once.
    """
    with up(config) as url:
        call = ask_at(url)
        send(call, SENT)
        page = open_page("/", at=url)
        failing = page.locator("section").filter(has=page.get_by_role("heading", name="What fails"))
        expect(failing.get_by_role("row").filter(has_text=REASON)).to_contain_text("acme")
        failing.get_by_role("link", name="acme").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("acme")
        expect(page.get_by_text(f"most often: {REASON}")).to_be_visible()
        page.get_by_role("navigation").get_by_role("link", name="Groups").click()
        page.get_by_role("link", name=REASON).click()
        expect(page.get_by_text("Why these are one group")).to_be_visible()
        page.get_by_role("button", name=f"Redrive {SENT}").click()
        form = page.get_by_role("dialog")
        expect(form.get_by_label("A canary first")).to_be_checked()
        form.get_by_label("Endpoint").select_option("new")
        form.get_by_label("Reason").fill("they take leads at the new address")
        page.screenshot(path=shots / "journey-form.png")
        form.get_by_role("button", name=f"Redrive {SENT}").click()
        form.get_by_role("link", name="Open it").click()
        expect(page.get_by_text("Canary and ramp")).to_be_visible()
        page.screenshot(path=shots / "journey-running.png")
        expect(page.get_by_text("completed", exact=True)).to_be_visible(timeout=PATIENT_MS)
        expect(page.get_by_text(f"{SENT} delivered")).to_be_visible()
        page.screenshot(path=shots / "journey-done.png")
        assert set(moved.taken.values()) == {1}
        assert len(moved.taken) == 2 * SENT  # with those to `calm`
        operation = page.url.rsplit("/", 1)[-1]
        page.goto(f"{url}/audit?subject={operation}")
        lines = page.get_by_role("row")
        expect(lines.filter(has_text="operation start")).to_contain_text("at the new address")
        expect(lines.filter(has_text="operation promote")).to_contain_text("20 of 20")
        expect(lines.filter(has_text="operation complete")).to_be_visible()
        page.goto(f"{url}/groups")
        expect(page.get_by_text("Nothing fails")).to_be_visible()


def test_keys_alone_through_the_review_queue(
    open_page: Open, ask_at: Callable[[str], Call], config: Path
) -> None:
    """Help, queue, one after the other, and a redrive by another way, without a mouse."""
    with up(config) as url:
        call = ask_at(url)
        send(call, 3)
        newest, middle, oldest = (one["id"] for one in call("/v1/review")["items"])
        page = open_page("/", at=url)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("Review")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.keyboard.press("g")
        page.keyboard.press("r")
        queue = page.get_by_role("table", name="Deliveries in review")
        expect(queue.get_by_role("row")).to_have_count(4)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text(newest[-8:])
        expect(page.get_by_role("link", name="older (j)")).to_be_visible()
        for key, wanted in (("j", middle), ("j", oldest), ("k", middle)):
            page.keyboard.press(key)
            expect(page.get_by_role("heading", level=1)).to_contain_text(wanted[-8:])
        page.get_by_role("button", name="Redrive").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Reason")).to_be_focused()
        page.keyboard.type("the new address")
        endpoint = page.get_by_label("Endpoint")
        for _ in range(8):  # what is in between is there as soon as the policy is known
            page.keyboard.press("Shift+Tab")
            if endpoint.evaluate("field => field === document.activeElement"):
                break
        expect(endpoint).to_be_focused()
        page.keyboard.press("n")  # chooses `new`
        page.get_by_label("Reason").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        polled(lambda: call(f"/v1/deliveries/{middle}")["status"] == "delivered")


def test_an_edited_payload_goes_as_a_child(
    open_page: Open, ask_at: Callable[[str], Call], config: Path, shots: Path
) -> None:
    """Shown for a reason, compared before it goes, sent with its own key, with its lineage."""
    with up(config) as url:
        call = ask_at(url)
        send(call, 1)
        (dead,) = call("/v1/review")["items"]
        page = open_page(f"/review/{dead['id']}", at=url)
        page.get_by_role("button", name="Show and edit").click()
        page.get_by_label("Reason").fill("to mend it")
        page.get_by_role("dialog").get_by_role("button", name="Show").click()
        page.get_by_label("Payload as JSON").fill('{"number": 12345678901234567890}')
        expect(page.get_by_role("row").filter(has_text="number")).to_contain_text("1234567890")
        page.get_by_label("Endpoint").select_option("new")
        page.screenshot(path=shots / "edit.png", full_page=True)
        page.get_by_role("button", name="Send edited").click()
        page.get_by_label("Reason").fill("they told us the number")
        page.get_by_role("dialog").get_by_role("button", name="Send edited").click()
        expect(page).not_to_have_url(re.compile("/review/"))
        child = page.url.rsplit("/", 1)[-1]
        polled(lambda: call(f"/v1/deliveries/{child}")["status"] == "delivered")
        assert call(f"/v1/deliveries/{dead['id']}")["code"] == "SUPERSEDED"
        page.goto(f"{url}/review/{dead['id']}")
        expect(page.get_by_text("Took its place")).to_be_visible()
        assert [one["action"] for one in call(f"/v1/audit?subject={dead['id']}")["items"]]


def test_two_operators_on_one_operation(
    open_page: Open, ask_at: Callable[[str], Call], config: Path
) -> None:
    """Whoever is second is refused and reads what the first did."""
    with up(config) as url:
        call = ask_at(url)
        send(call, 3)
        order = {"kind": "redrive", "q": "status:dead", "rate": 0.01, "reason": "one by one"}
        operation = call("/v1/operations", order)["id"]
        polled(lambda: call(f"/v1/operations/{operation}")["failed"])  # the first one, at once
        first, second = (open_page(f"/operations/{operation}", at=url) for _ in range(2))
        for page in (first, second):  # the next step is a minute and a half away
            expect(page.get_by_text("1 of 3")).to_be_visible()
        second.get_by_role("button", name="Cancel").click()
        second.get_by_label("Reason").fill("bob does not want it")
        first.get_by_role("button", name="Pause").click()
        first.get_by_label("Reason").fill("ada asks them first")
        first.get_by_role("dialog").get_by_role("button", name="Pause").click()
        expect(first.get_by_role("button", name="Resume")).to_be_visible()
        second.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        told = second.get_by_role("dialog").get_by_role("alert")
        expect(told).to_contain_text("Nothing was done")
        expect(told).to_contain_text("ada asks them first")
        second.get_by_role("dialog").get_by_role("button", name="Cancel all the same").click()
        expect(second.get_by_text("cancelled", exact=True)).to_be_visible()
        assert call(f"/v1/operations/{operation}")["state"] == "cancelled"


def test_a_holdfast_that_is_gone_is_said_and_comes_back(
    open_page: Open, ask_at: Callable[[str], Call], config: Path
) -> None:
    """What is on screen stays and is marked as old; when it is back the page goes on by itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    with up(config, port) as url:
        page = open_page("/lanes/calm", at=url)
        expect(page.locator(".freshness")).to_have_attribute("data-by", "stream")
    expect(page.get_by_text("No good answer since")).to_be_visible(timeout=30_000)
    expect(page.locator(".freshness")).to_contain_text("Reconnecting")
    expect(page.get_by_role("heading", level=1)).to_have_text("calm")
    with up(config, port) as url:
        expect(page.get_by_text("No good answer since")).to_have_count(0, timeout=60_000)
        expect(page.locator(".freshness")).to_have_attribute("data-by", "stream", timeout=60_000)
        ask_at(url)("/v1/recipients/calm/pause", {"reason": "to see it"})
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
