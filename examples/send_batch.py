"""Sends a batch as NDJSON, twice: every line has a key, so the second time changes nothing."""

# ruff: noqa: S310  # the address is your own

import json
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8420"
FLOW = sys.argv[2] if len(sys.argv) > 2 else "leads"
RUN = sys.argv[3] if len(sys.argv) > 3 else "batch-1"


def lines(count: int) -> Iterator[bytes]:
    """Yield messages, one JSON object a line; the last one is wrong on purpose."""
    for number in range(count):
        lead = {"first_name": "Ada", "email": f"ada{number}@example.com", "postal_code": "78701"}
        yield json.dumps({"key": f"{RUN}-{number}", "payload": lead, "priority": 7}).encode()
    yield json.dumps({"payload": {}, "priority": 99}).encode()


def send(body: bytes) -> list[dict[str, Any]]:
    """Send a batch and return one result per line, in order."""
    path = f"{URL}/v1/flows/{FLOW}/messages/batch"
    headers = {"content-type": "application/x-ndjson"}
    request = urllib.request.Request(path, body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return [json.loads(line) for line in answer]


BODY = b"\n".join(lines(200)) + b"\n"
for turn in ("first", "second"):
    results = send(BODY)
    print(turn, dict(Counter(result["status"] for result in results)))
    for result in results:
        if problem := result.get("problem"):
            print(f"line {result['line']}: {problem['detail']}")
