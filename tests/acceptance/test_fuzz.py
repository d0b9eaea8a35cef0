"""Generated requests against a real server: no 500, and no answer that the API's document lacks.

The requests come from the document itself (Schemathesis): such as it allows, and such as it
forbids. Ids are those of real deliveries, messages, lanes and operations as often as invented
ones. With HOLDFAST_FUZZ=250 each is asked so often, at random.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from holdfast.testing.partner import Act, Partner, Seen, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schemathesis import APIOperation, Case
    from tests.acceptance.conftest import Holdfast, Launch

pytestmark = pytest.mark.slow

DOCUMENT: Final = Path(__file__).parents[2] / "docs/openapi.json"
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES: Final = int(os.environ.get("HOLDFAST_FUZZ", "15"))
ENDLESS: Final = "/v1/stream"
CONFIG: Final = """
[policy]
max_retries = 1
[recipients.good]
url = "{url}/good"
allow_private = true
[recipients.bad]
url = "{url}/bad"
allow_private = true
[flows.leads]
steps = [{{ recipient = "good" }}, {{ recipient = "bad" }}]
search = ["/email"]
"""


@schemathesis.serializer("application/x-ndjson")
def lines(context: object, value: object) -> bytes:
    """Return a batch of two equal lines."""
    del context
    return b"\n".join([json.dumps(value).encode()] * 2)


Known = dict[str, list[str]]
"""Name of a parameter in the path -> values that exist."""


def operations() -> dict[str, APIOperation[Any, Any, Any, Any]]:
    """Return the operations of the document that end, by label."""
    schema = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()))
    found = (each.ok() for each in schema.get_all_operations() if isinstance(each, Ok))
    return {each.label: each for each in found if each.path != ENDLESS}


OPERATIONS: Final = operations()


def _asked() -> Iterator[tuple[str, GenerationMode]]:
    """Yield every operation, and once more, wrongly asked, what can be (any text may be an id)."""
    for label, operation in OPERATIONS.items():
        yield label, GenerationMode.POSITIVE
        if any((operation.query, operation.headers, operation.body)):
            yield label, GenerationMode.NEGATIVE


def _script(seen: Seen) -> list[Act]:
    return [answer(200 if seen.target == "/good" else 422)]


@pytest.fixture(scope="module")
def holdfast(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    """Run a server that two partners make busy: one takes everything, one nothing."""
    folder = tmp_path_factory.mktemp("fuzz")
    with Partner(_script) as partner, launch(folder, CONFIG.format(url=partner.url)) as made:
        made.up()
        yield made


@pytest.fixture(scope="module")
def known(holdfast: Holdfast, wait_until: Callable[..., Any]) -> Known:
    """Send some messages, begin an operation, and return what exists then."""
    deliveries = [each for n in range(5) for each in holdfast.send("leads", {"email": f"{n}@a.b"})]
    wait_until(lambda: holdfast.totals()["dead"] >= 5, "five are dead")
    order = {"kind": "redrive", "q": "status:dead", "reason": "to have one"}
    operation = holdfast.post("/v1/operations", order).json["id"]
    message = holdfast.get(f"/v1/deliveries/{deliveries[0]}")["message_id"]
    group = holdfast.get("/v1/groups")["items"][0]["id"]
    asked = {"name": "shop", "role": "viewer", "reason": "to have one"}
    token = holdfast.post("/v1/tokens", asked).json["id"]
    asked = {"name": "ada", "role": "system_admin", "reason": "to propose something"}
    holdfast.token = holdfast.post("/v1/tokens", asked).json["secret"]
    proposal = {"content": "[log]\nlevel = 'debug'", "reason": "to have one"}
    number = holdfast.post("/v1/configurations", proposal).json["number"]
    holdfast.token = ""
    return {
        "delivery_id": deliveries,
        "message_id": [message],
        "group_id": [group],
        "token_id": [token],
        "number": ["1", str(number)],
        "operation_id": [operation],
        "recipient": ["good", "bad"],
        "flow": ["leads"],
        "name": ["thermal"],
    }


def requested(
    operation: APIOperation[Any, Any, Any, Any], known: Known, mode: GenerationMode
) -> st.SearchStrategy[Case[Any]]:
    """Return requests of one operation, half of them for something that exists."""
    invented = operation.as_strategy(mode)
    names = [each.name for each in operation.path_parameters]
    if not names:
        return invented
    given_ids = st.fixed_dictionaries({name: st.sampled_from(known[name]) for name in names})
    real = given_ids.flatmap(lambda ids: operation.as_strategy(mode, path_parameters=ids))
    return invented | real


@pytest.mark.parametrize(("label", "mode"), list(_asked()))
def test_every_answer_is_documented(
    label: str, mode: GenerationMode, holdfast: Holdfast, known: Known
) -> None:
    """Whatever is asked, allowed or not: the answer is one that the document describes."""
    operation = OPERATIONS[label]
    session = requests.Session()

    @settings(
        max_examples=EXAMPLES,
        derandomize="HOLDFAST_FUZZ" not in os.environ,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(requested(operation, known, mode))
        response = case.call(base_url=holdfast.url, session=session, timeout=30)
        case.validate_response(response, checks=CHECKS)

    ask()


def test_it_still_works(holdfast: Holdfast, known: Known) -> None:
    """After all that the server is whole: its sums hold and it delivers."""
    del known
    assert holdfast.get("/healthz")["status"] == "alive"
    log = holdfast.log()
    assert "Traceback" not in log
