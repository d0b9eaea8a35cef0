"""The console in a real browser, in front of a real Holdfast whose partners fail and recover."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from holdfast.testing.browser import demo, polled

pytestmark = pytest.mark.slow

Call = Callable[..., Any]
Open = Callable[..., Page]

ROOT: Final = Path(__file__).parents[2]
AXE: Final = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
PAGES: Final = {
    "overview": "/",
    "lanes": "/lanes",
    "lane": "/lanes/flaky",
    "deliveries": "/deliveries?q=recipient:flaky",
    "review": "/deliveries?q=status:dead",
    "delivery": "/deliveries/{dead}",
    "pending": "/deliveries/{pending}",
    "message": "/messages/{message}",
    "flows": "/flows",
    "flow": "/flows/leads?step=to-flaky",
    "events": "/events",
    "audit": "/audit",
    "workers": "/workers",
    "settings": "/settings",
    "all-deliveries": "/deliveries",
    "groups": "/groups",
    "groups-by-recipient": "/groups?by=recipient",
    "group": "/groups/{group}",
    "queue": "/review",
    "case": "/review/{dead}",
    "operations": "/operations",
    "operation": "/operations/{operation}",
    "discard": "/operations/{discard}",
    "nowhere": "/no/such/page",
}
LOOKS: Final[dict[str, dict[str, Any]]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


@pytest.fixture(scope="session")
def ids(call: Call) -> dict[str, str]:
    """Return what there is of each kind: deliveries, a message, operations."""
    dead = polled(lambda: call("/v1/deliveries?status=dead&recipient=acme&limit=1")["items"])[0]
    pending = polled(lambda: call("/v1/deliveries?status=pending&recipient=sleeper")["items"])[-1]
    call("/v1/recipients/acme/pause", {"reason": "to have a line in the journal"})
    call("/v1/recipients/acme/resume", {"reason": "enough"})
    canary = {"size": 5, "bound": 0.1}
    again = {"kind": "redrive", "q": "status:dead recipient:flaky", "reason": "it is mended"}
    operation = call("/v1/operations", {**again, "canary": canary})
    given_up = {"kind": "discard", "q": "status:dead recipient:ratelimited", "reason": "too old"}
    discard = call("/v1/operations", given_up)
    call(f"/v1/deliveries/{dead['id']}/assign", {"assignee": "ada", "reason": "she asks them"})
    group = {"id": dead["group"]}
    found = {
        "dead": dead,
        "group": group,
        "pending": pending,
        "operation": operation,
        "discard": discard,
    }
    return {name: one["id"] for name, one in found.items()} | {"message": dead["message_id"]}


def settled(page: Page) -> None:
    """Wait until nothing on the page is loading."""
    expect(page.get_by_text("Loading", exact=True)).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible(
    open_page: Open, ids: dict[str, str], look: str, shots: Path
) -> None:
    """Axe finds nothing serious on any page, in both themes and on a phone; nothing overflows."""
    page = open_page("/", bypass_csp=True, **LOOKS[look])  # axe is a script of the test's own
    base = page.url.rstrip("/")
    found: list[str] = []
    for name, path in PAGES.items():
        page.goto(base + path.format(**ids))
        page.get_by_role("heading", level=1).first.wait_for()
        settled(page)
        page.screenshot(path=shots / f"{name}-{look}.png", full_page=True)
        page.evaluate(AXE.read_text())
        seen = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found += [
            f"{name}: {one['id']}: {one['nodes'][0]['html'][:200]}"
            for one in seen["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        found += [f"{name}: {wide} px too wide"] * (wide > 0)
    assert found == []


def test_the_overview_tells_what_fails(open_page: Open, call: Call) -> None:
    """The first page names the recipient that is down, says why, and agrees with the API."""
    call("/v1/recipients/sleeper/breaker/open", {"reason": "the browser test"})
    try:
        page = open_page("/")
        saying = page.locator(".saying")
        expect(saying).to_contain_text("sleeper")
        expect(page.locator(".whys")).to_contain_text("the browser test")
        expect(page.get_by_role("row").filter(has_text="sleeper").first).to_contain_text("open")
        expect(page.locator(".figure").filter(has_text="Tries that succeed")).to_contain_text("%")
        page.get_by_role("link", name="sleeper").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("sleeper")
    finally:
        call("/v1/recipients/sleeper/breaker/reset", {"reason": "the browser test is over"})


def test_the_overview_tells_what_is_new_and_urgent(open_page: Open, call: Call) -> None:
    """A cause that is new is there at a look, as the API has it; so is what is urgent and fails."""
    polled(lambda: call("/v1/groups/alerts")["items"])
    page = open_page("/")
    new = page.get_by_role("region", name="New failures")
    expect(new.get_by_role("row")).not_to_have_count(0)
    group = polled(lambda: call("/v1/groups/alerts")["items"])[0]
    expect(new).to_contain_text(group["recipient"])
    link = new.locator(f"a[href='/groups/{group['group']}']")
    link.click()
    expect(page).to_have_url(re.compile(group["group"]))
    polled(lambda: call("/v1/deliveries/critical")["items"])
    page.goto(page.url.partition("/groups")[0])
    urgent = page.get_by_role("region", name="Critical failures")
    expect(urgent).to_contain_text("of priority 7 or above")
    path = urgent.locator("tbody .grow a").first.get_attribute("href") or ""
    shown = call(f"/v1{path}")
    assert shown["priority"] >= 7
    assert shown["group"] is not None


def test_a_lane_is_paused_and_resumed(open_page: Open, call: Call) -> None:
    """Pause and resume go through the dialog, reach the engine, and stand in the audit page."""
    page = open_page("/lanes/acme")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Say why")).to_be_visible()
    page.get_by_label("Reason").fill("they asked for an hour")
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert call("/v1/recipients/acme")["paused"] == "they asked for an hour"
    page.get_by_role("button", name="Resume").click()
    page.get_by_label("Reason").fill("the hour is over")
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert call("/v1/recipients/acme")["paused"] is None
    page.goto(page.url.replace("/lanes/acme", "/audit?subject=acme"))
    expect(page.get_by_text("they asked for an hour", exact=True)).to_be_visible()


def test_keys_alone_bring_a_delivery_home(open_page: Open, call: Call) -> None:
    """Without a mouse: palette, list, mark, redrive with a reason; the engine has a generation."""
    page = open_page("/")
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Page, lane").fill("in review")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/deliveries\?q=status%3Adead"))
    page.locator("tbody tr").first.wait_for()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_role("toolbar")).to_contain_text("1 marked")
    marked = page.locator("tbody tr[aria-selected=true]").get_attribute("id") or ""
    page.get_by_role("toolbar").get_by_role("button", name="Redrive").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_text("1 delivery")).to_be_visible()
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("postal codes are new")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_text("1 of 1")).to_be_visible()
    expect(page.get_by_role("toolbar")).to_have_count(0)
    delivery = call(f"/v1/deliveries/{marked.removeprefix('row-')}")
    assert delivery["generation"] == 1


def test_a_delivery_tells_its_story(open_page: Open, call: Call) -> None:
    """Every try is a line; a failure can be compared with the last success; curl is copied."""

    def retried() -> Any:
        found = call("/v1/deliveries?recipient=flaky&status=delivered&limit=500")["items"]
        return next((one for one in found if one["attempts"] > 1), None)

    delivery = polled(retried)
    page = open_page(
        f"/deliveries/{delivery['id']}", permissions=["clipboard-read", "clipboard-write"]
    )
    lines = page.locator(".try-line")
    expect(lines).to_have_count(delivery["attempts"])
    lines.first.click()
    page.get_by_role("button", name="the last success to flaky").click()
    difference = page.locator(".compare").first
    expect(difference).to_contain_text("error_details.http_status")
    page.get_by_role("button", name="Copy as curl").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"Idempotency-Key: {delivery['id']}" in copied


def test_links_hold_all_state(open_page: Open) -> None:
    """A query is in the address; opening that address shows the same, also after a reload."""
    page = open_page("/deliveries")
    page.get_by_role("button", name="Delivered").click()
    field = page.get_by_role("combobox", name="Search")
    expect(field).to_have_value("status:delivered")
    field.press("End")
    field.press_sequentially(" rec")
    page.get_by_role("option", name="recipient:").click()
    page.get_by_role("option", name="acme").click()
    expect(page).to_have_url(re.compile("q=status%3Adelivered.recipient%3Aacme"))
    page.reload()
    expect(page.get_by_role("button", name="Delivered")).to_have_attribute("aria-pressed", "true")
    expect(field).to_have_value("status:delivered recipient:acme")
    rows = page.locator("tbody tr")
    rows.first.wait_for()
    assert all("acme" in text for text in rows.all_inner_texts())
    expect(page.get_by_text(re.compile("deliver(y|ies) match"))).to_be_visible()


def test_a_wrong_query_is_shown_at_its_place(open_page: Open, shots: Path) -> None:
    """The server's refusal stands under the field, with the wrong word marked."""
    page = open_page("/deliveries")
    page.get_by_role("combobox", name="Search").fill('"tax id" status:daed')
    page.keyboard.press("Enter")
    told = page.get_by_role("alert")
    expect(told.locator("mark")).to_have_text("daed")
    expect(told).to_contain_text("Allowed: pending, delivered, dead, discarded")
    page.screenshot(path=shots / "wrong-query.png")


def test_two_operators_on_one_delivery(open_page: Open, call: Call, shots: Path) -> None:
    """Whoever is second is refused, reads what changed and who did it, and nothing is lost."""
    dead = polled(lambda: call("/v1/deliveries?q=status:dead&limit=1")["items"])[0]
    first, second = (open_page(f"/deliveries/{dead['id']}") for _ in range(2))
    for page, name in ((first, "ada"), (second, "bob")):
        page.evaluate(f"localStorage.setItem('holdfast-prefs', '{{\"actor\": \"{name}\"}}')")
        page.reload()
    second.get_by_role("button", name="Redrive").click()
    second.get_by_label("Reason").fill("bob thinks it is mended")
    first.get_by_role("button", name="Discard").click()
    first.get_by_label("Reason").fill("ada knows it is not wanted")
    first.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(first.get_by_role("button", name="Undo discard")).to_be_visible()
    second.get_by_role("dialog").get_by_role("button", name="Redrive").click()
    told = second.get_by_role("dialog").get_by_role("alert")
    expect(told).to_contain_text("Nothing was done")
    expect(told).to_contain_text("Redrive is not possible any more")
    expect(told.get_by_role("row").filter(has_text="Status")).to_contain_text("discarded")
    expect(told).to_contain_text("ada knows it is not wanted")
    second.screenshot(path=shots / "two-operators.png")
    after = call(f"/v1/deliveries/{dead['id']}")
    assert (after["status"], after["generation"]) == ("discarded", dead["generation"])
    second.get_by_role("dialog").get_by_role("button", name="Back").click()
    second.get_by_role("button", name="Undo discard").click()
    second.get_by_label("Reason").fill("bob asked the partner: it is wanted")
    second.get_by_role("dialog").get_by_role("button", name="Undo discard").click()
    expect(first.get_by_role("button", name="Redrive")).to_be_visible()
    notes = call(f"/v1/audit?subject={dead['id']}&limit=2")["items"]
    assert [note["actor"] for note in notes] == ["bob", "ada"]


def test_a_person_judges_a_group(
    open_page: Open, call: Call, ids: dict[str, str], shots: Path
) -> None:
    """The page says by whose word its failures are final, the list marks it, and back it goes."""
    page = open_page(f"/groups/{ids['group']}")
    page.evaluate("localStorage.setItem('holdfast-prefs', '{\"actor\": \"ada\"}')")
    page.reload()

    def judge(word: str, reason: str) -> None:
        page.get_by_role("button", name="Judge").click()
        form = page.get_by_role("dialog")
        form.get_by_role("button", name=word).click()
        form.get_by_label("Reason").fill(reason)
        page.screenshot(path=shots / f"judge-{word.partition(' ')[0].lower()}.png")
        form.get_by_role("button", name="Judge").click()
        expect(form).to_have_count(0)

    judge("Permanent", "they closed the account")
    expect(page.get_by_text("permanent by the word of ada")).to_be_visible()
    page.screenshot(path=shots / "judged.png", full_page=True)
    assert call(f"/v1/groups/{ids['group']}")["group"]["nature"] == "permanent"
    page.goto(page.url.rsplit("/", 1)[0])
    expect(page.get_by_text("judged permanent")).to_be_visible()
    page.go_back()
    judge("As the rules say", "it is open again")
    expect(page.get_by_text("permanent by the word of ada")).to_have_count(0)
    history = call(f"/v1/groups/{ids['group']}")["history"]
    assert [(one["actor"], one["action"]) for one in history[:2]] == [("ada", "group_judge")] * 2


def test_changes_come_as_they_happen(open_page: Open, call: Call) -> None:
    """With the stream a page shows a change long before it would ask; without one it asks."""
    heard, asking = open_page("/lanes/acme"), open_page("/lanes/acme")
    asking.route("**/v1/stream*", lambda route: route.abort())
    asking.reload()
    expect(heard.locator(".freshness")).to_have_attribute("data-by", "stream")
    expect(asking.locator(".freshness")).to_have_attribute("data-by", "asking")
    call("/v1/recipients/acme/pause", {"reason": "seen at once"})
    try:
        expect(heard.get_by_role("button", name="Resume")).to_be_visible(timeout=12_000)
        expect(asking.get_by_role("button", name="Resume")).to_be_visible()
    finally:
        call("/v1/recipients/acme/resume", {"reason": "it was"})


def test_zones_change_every_instant(open_page: Open) -> None:
    """The switch of the zone changes instants at once and is kept."""
    page = open_page("/audit", timezone_id="Pacific/Kiritimati")
    first = page.locator("tbody time").first
    local = first.inner_text()
    page.get_by_label("Time zone of all instants").select_option("utc")
    expect(first).not_to_have_text(local)
    page.reload()
    expect(page.get_by_label("Time zone of all instants")).to_have_value("utc")


def test_off_loopback_a_token_is_asked_for(browser: Browser, tmp_path: Path) -> None:
    """With a token the page has a form; a wrong one is refused, a right one lasts for the tab."""
    context = browser.new_context()
    token = "a-long-enough-token"
    with demo(tmp_path, "--rate", "2", HOLDFAST_TOKEN=token) as address:
        page = context.new_page()
        page.goto(address + "/workers")
        page.get_by_text("Token", exact=True).click()
        secret = page.locator("input[type=password]")
        secret.fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("This token is not accepted.")).to_be_visible()
        secret.fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Workers")
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("Workers")
        assert page.evaluate("localStorage.length + document.cookie.length") == 0
        page.goto(address + "/settings")
        page.get_by_role("main").get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    context.close()


def test_what_is_loaded_first_is_small(browser: Browser, url: str) -> None:
    """The first page loads at most 250 KiB, compressed."""
    sizes: dict[str, int] = {}

    def note(response: Response) -> None:
        if "/assets/" in response.url:
            sizes[response.url] = int(response.header_value("content-length") or 0)

    context = browser.new_context()
    page = context.new_page()
    page.on("response", note)
    page.goto(url)
    page.locator(".figure-value").first.wait_for()
    context.close()
    assert 0 < sum(sizes.values()) <= 250 * 1024, sizes
