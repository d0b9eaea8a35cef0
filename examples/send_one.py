"""Sends one lead and tells what became of its deliveries."""

# ruff: noqa: S310  # the address is your own

import json
import sys
import time
import urllib.request
from typing import Any

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8420"
FLOW = sys.argv[2] if len(sys.argv) > 2 else "leads"
LEAD = {"first_name": "Ada", "email": "ada@example.com", "postal_code": "78701"}


def call(path: str, body: dict[str, object] | None = None) -> Any:
    """Ask the API: POST when there is a body, else GET."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


receipt = call(f"/v1/flows/{FLOW}/messages", {"key": f"lead-{time.time_ns()}", "payload": LEAD})
for routed in receipt["deliveries"]:
    for _ in range(100):
        delivery = call(f"/v1/deliveries/{routed['id']}")
        if delivery["status"] != "pending":
            break
        time.sleep(0.1)
    print(delivery["recipient"], delivery["status"], f"after {delivery['attempts']} attempts")
