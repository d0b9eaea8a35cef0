"""The examples run as they are, against a real server: also the story that the tutorial tells."""

import base64
import contextlib
import hmac
import json
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest

from holdfast import config

ROOT: Final = Path(__file__).parents[1]
EXAMPLES: Final = ROOT / "examples"
SECRET: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
COMMAND: Final = str(Path(sys.executable).with_name("holdfast"))
RECEIVER: Final = str(EXAMPLES / "webhook_receiver.py")
PATIENCE_S: Final = 30


class Place(NamedTuple):
    """A running Holdfast: its address and the environment of its commands."""

    url: str
    environ: dict[str, str]
    folder: Path

    def run(self, *command: str) -> str:
        """Run a command of the tutorial and return what it prints."""
        done = subprocess.run(
            command, env=self.environ, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def deliveries(self, **filters: str) -> list[dict[str, Any]]:
        """Return deliveries by filter, as `ls --json` prints them."""
        options = [part for name, value in filters.items() for part in (f"--{name}", value)]
        items: list[dict[str, Any]] = json.loads(self.run(COMMAND, "ls", "--json", *options))[
            "items"
        ]
        return items

    def until(self, identity: str, status: str) -> dict[str, Any]:
        """Return the delivery once it has the status."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            item: dict[str, Any] = json.loads(self.run(COMMAND, "show", "--json", identity))
            if item["status"] == status:
                return item
            time.sleep(0.05)  # noqa: TID251  # a real process works meanwhile
        pytest.fail(f"{identity} is not {status}: {item}")


@contextlib.contextmanager
def process(*command: str, environ: dict[str, str], folder: Path) -> Iterator[str]:
    """Run a server inside the block; gives the address in its first line."""
    with subprocess.Popen(
        command, env=environ, cwd=folder, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None
            line = running.stdout.readline()
            assert "http://" in line, f"{command} did not start"
            yield line[line.index("http://") :].strip()
        finally:
            running.terminate()


@contextlib.contextmanager
def holdfast(folder: Path, partner: str) -> Iterator[Place]:
    """Run `holdfast up` with the examples' configuration and a partner's real address."""
    text = (EXAMPLES / "holdfast.toml").read_text()
    file = folder / "holdfast.toml"
    file.write_text(text.replace("http://127.0.0.1:9000", partner))
    environ = os.environ | {
        "PARTNER_SECRET": SECRET,
        "HOLDFAST_SERVER_PORT": "0",
        "HOLDFAST_SERVER_METRICS_PORT": "0",
    }
    with process(COMMAND, "up", environ=environ, folder=folder) as url:
        yield Place(url, environ | {"HOLDFAST_URL": url}, folder)


def receiver(folder: Path, *options: str, port: str = "0") -> Any:
    """Run the example's recipient inside the block; gives its address."""
    environ = os.environ | {"PARTNER_SECRET": SECRET}
    return process(
        sys.executable, RECEIVER, "--port", port, *options, environ=environ, folder=folder
    )


@pytest.mark.slow
def test_the_tutorial_is_true(tmp_path: Path) -> None:
    """A lead needs two retries; another is refused, waits in review, and a redrive delivers it."""
    with contextlib.ExitStack() as partners:
        partner = partners.enter_context(receiver(tmp_path, "--fail", "2", "--require", "email"))
        with holdfast(tmp_path, partner) as place:
            told = place.run(sys.executable, str(EXAMPLES / "send_one.py"), place.url)
            assert told == "partner delivered after 3 attempts\n"
            assert told in (ROOT / "docs" / "tutorial" / "first-delivery.md").read_text()

            (tmp_path / "refused.ndjson").write_text('{"payload": {"first_name": "Grace"}}\n')
            place.run(COMMAND, "send", "refused.ndjson", "--flow", "leads")
            (refused,) = place.deliveries(limit="1")
            dead = place.until(refused["id"], "dead")
            assert (dead["code"], dead["http_status"]) == ("HARD_FAILURE", 422)

            partners.close()
            with receiver(tmp_path, port=partner.rpartition(":")[2]):
                place.run(COMMAND, "redrive", refused["id"], "--reason", "they take it now")
                home = place.until(refused["id"], "delivered")
            assert (home["generation"], home["attempts"]) == (1, 2)
            assert "they take it now" in place.run(COMMAND, "audit")


@pytest.mark.slow
def test_a_batch_repeats_without_effect(tmp_path: Path) -> None:
    """The second time every line with a key is known; the wrong line is refused both times."""
    with receiver(tmp_path) as partner, holdfast(tmp_path, partner) as place:
        told = place.run(sys.executable, str(EXAMPLES / "send_batch.py"), place.url)
        assert "first {202: 200, 422: 1}" in told
        assert "second {200: 200, 422: 1}" in told
        assert "line 201: priority" in told


def test_the_configuration_is_accepted() -> None:
    """The examples' configuration loads, with its own template and rules."""
    loaded = config.load(EXAMPLES / "holdfast.toml", {"PARTNER_SECRET": SECRET})
    assert set(loaded.catalog.flows) == {"leads", "slow-leads"}
    assert loaded.catalog.recipients["partner"].endpoints[0].secrets == (SECRET,)
    assert loaded.catalog.recipients["partner"].policy.rules is not None


def test_the_rules_are_accepted() -> None:
    """The ready-made rules load: every condition is checked, and every effect is used by one."""
    rules = config.load(EXAMPLES / "rules.toml", {}).catalog.rules
    assert len(rules) == 8
    used = {name for one in rules for name in msgspec.structs.asdict(one.then).items() if name[1]}
    assert {name for name, _ in used} >= {"retries", "add_retries", "strategy", "priority", "skip"}


def signed(body: bytes, at: int, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a signed request, made by the standard's words alone."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"msg_1.{at}.".encode() + body, "sha256")
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": "v1,AAAA v1," + base64.b64encode(digest).decode(),
    }


def test_the_receiver_trusts_nobody() -> None:
    """It takes a fresh signature among several, and no old, changed, foreign or missing one."""
    verified = runpy.run_path(RECEIVER)["verified"]
    at = 1_750_000_000
    good = signed(b"{}", at)
    assert verified(SECRET, good, b"{}", at + 10)
    assert not verified(SECRET, good, b"{ }", at)
    assert not verified(SECRET, good, b"{}", at + 301)
    assert not verified(SECRET, good, b"{}", at - 301)
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    assert not verified(other, good, b"{}", at)
    assert not verified(SECRET, {}, b"{}", at)
    assert not verified(SECRET, good | {"webhook-timestamp": "soon"}, b"{}", at)


def test_the_inbox_takes_a_key_once(tmp_path: Path) -> None:
    """A repeated key is recognised, also after a restart."""
    make = runpy.run_path(RECEIVER)["Inbox"]
    first = make(str(tmp_path / "inbox.db"))
    assert first.take("dlv_1", b"{}", 1.0)
    assert not first.take("dlv_1", b"{}", 2.0)
    first.close()
    again = make(str(tmp_path / "inbox.db"))
    assert not again.take("dlv_1", b"{}", 3.0)
    assert again.take("dlv_2", b"{}", 3.0)
    again.close()
