"""A recipient done right, with the standard library only.

It verifies the Standard Webhooks signature, takes every `Idempotency-Key` once, and answers a
repeat like the first time. Run it, then see docs/tutorial/first-delivery.md:

    PARTNER_SECRET=whsec_... python examples/webhook_receiver.py --port 9000
"""

import argparse
import base64
import hmac
import json
import os
import sqlite3
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE_SECONDS = 300
"""Older (or younger) timestamps are refused: a recorded request cannot be played back."""
MAX_BYTES = 1_000_000


def verified(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
    """Tell whether the body was signed with the secret, recently.

    Args:
        secret: `whsec_` and base64.
        headers: names in lower case.
        body: exactly as received: parse it only afterwards.
        now: seconds since the epoch.
    """
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(now - int(stamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(wanted, one) for one in given)


class Inbox:
    """What was received, on disk: the key and the work belong in one transaction."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS leads (key TEXT PRIMARY KEY, body BLOB, at REAL)"
        )

    def take(self, key: str, body: bytes, at: float) -> bool:
        """Keep a lead; False: it was there already, which is a success, too."""
        with self._database:
            row = "INSERT OR IGNORE INTO leads VALUES (?, ?, ?)"
            return self._database.execute(row, (key, body, at)).rowcount == 1

    def close(self) -> None:
        """Close the database."""
        self._database.close()


class Receiver(BaseHTTPRequestHandler):
    """Answers one request after the other."""

    secret = ""
    inbox: Inbox
    failures = 0
    required = ""

    def do_POST(self) -> None:  # the library's name
        """Take one lead."""
        length = int(self.headers.get("content-length", 0))
        if length > MAX_BYTES:
            self._answer(413, {"outcome": "failure", "reason": "too large"})
            return
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not verified(self.secret, headers, body, time.time()):
            self._answer(401, {"outcome": "failure", "reason": "bad signature"})
        elif type(self).failures > 0:
            type(self).failures -= 1
            self._answer(503, {"outcome": "error", "reason": "we are having a bad day"})
        elif self.required and not json.loads(body).get(self.required):
            self._answer(422, {"outcome": "failure", "reason": f"{self.required} is missing"})
        else:
            key = headers["idempotency-key"]
            new = self.inbox.take(key, body, time.time())
            print("took" if new else "had", key, "attempt", headers["holdfast-attempt"], flush=True)
            self._answer(200, {"outcome": "success", "reference": key[-8:]})

    def _answer(self, status: int, answer: dict[str, str]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: we print what matters."""


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A recipient that verifies and deduplicates.")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--data", default="inbox.db", help="file of what was received")
    parser.add_argument("--fail", type=int, default=0, help="answer 503 so many times first")
    parser.add_argument("--require", default="", help="refuse leads without this field (422)")
    given = parser.parse_args()
    if "PARTNER_SECRET" not in os.environ:
        parser.error("PARTNER_SECRET is not set; export the one that Holdfast signs with")
    Receiver.secret = os.environ["PARTNER_SECRET"]
    Receiver.inbox = Inbox(given.data)
    Receiver.failures, Receiver.required = given.fail, given.require
    with HTTPServer(("127.0.0.1", given.port), Receiver) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            Receiver.inbox.close()


if __name__ == "__main__":
    main()
