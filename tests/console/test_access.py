"""A viewer in a real browser: refused by the server, not only by the page."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from holdfast.testing.browser import demo

TOKEN: Final = "a-token-for-the-test"
PASSWORD: Final = "correct horse battery"


def call(url: str, path: str, body: dict[str, Any]) -> None:
    """Change something with the configured token."""
    import urllib.request  # noqa: PLC0415  # only here

    headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
    request = urllib.request.Request(url + path, msgspec.json.encode(body), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own
        assert answer.status == 200


def sign_in(page: Page, name: str) -> None:
    """Fill in the form."""
    page.get_by_role("textbox", name="Name").fill(name)
    page.locator("input[type=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.slow
def test_a_viewer_is_refused_by_the_server(browser: Browser, tmp_path: Path) -> None:
    """The page says that it may not; asked past the page, the server says 403 and does nothing."""
    with demo(tmp_path, "--rate", "2", HOLDFAST_TOKEN=TOKEN) as url:
        user = {"role": "viewer", "password": PASSWORD, "reason": "looks on"}
        call(url, "/v1/users", user | {"name": "vera"})
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        sign_in(page, "vera")
        expect(page.get_by_text("vera viewer")).to_be_visible()
        lane = page.evaluate("fetch('/v1/recipients').then(r => r.json())")["items"][0]
        page.goto(f"{url}/lanes/{lane['recipient']}")
        page.get_by_role("button", name="Pause").first.click()
        expect(page.get_by_text("Your role may not do this")).to_be_visible()
        past = page.evaluate(
            """async (name) => {
                const me = await fetch('/v1/session').then(r => r.json());
                const answer = await fetch(`/v1/recipients/${name}/pause`, {
                    method: 'POST',
                    headers: {'content-type': 'application/json', 'Holdfast-Csrf': me.csrf},
                    body: JSON.stringify({reason: 'past the page'}),
                });
                return [answer.status, (await answer.json()).code, document.cookie];
            }""",
            lane["recipient"],
        )
        assert past == [403, "FORBIDDEN", ""]
        found = page.evaluate(
            "n => fetch('/v1/recipients/' + n).then(r => r.json())", lane["recipient"]
        )
        assert found["paused"] is None
        page.goto(url)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        assert page.evaluate("fetch('/v1/session').then(r => r.status)") == 401
        context.close()
