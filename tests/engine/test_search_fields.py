"""Search fields of payloads on the whole engine: found by value, kept as digests, per account."""

import msgspec
import pytest

from holdfast.engine.fields import Fields
from holdfast.errors import QueryError
from holdfast.model.flow import Catalog
from holdfast.model.search import Search
from holdfast.testing.clock import run
from holdfast.testing.rig import Rig, catalog, recipient, running
from holdfast.vault import Vault


def searchable(*fields: str, strip: tuple[str, ...] = ()) -> Catalog:
    """Return a catalog whose flow has search fields."""
    made = catalog(recipient())
    flows = {
        name: msgspec.structs.replace(flow, search=fields, strip=strip)
        for name, flow in made.flows.items()
    }
    return msgspec.structs.replace(made, flows=flows)


def raw(payload: object) -> msgspec.Raw:
    """Return a payload as it arrives."""
    return msgspec.Raw(msgspec.json.encode(payload))


async def found(rig: Rig, query: str) -> list[str]:
    """Return the messages of what a query finds, newest first."""
    page = await rig.engine.views.find(Search(rig.engine.views.where(query)))
    return [each.message_id for each in page.deliveries]


def test_deliveries_are_found_by_fields_of_their_payload() -> None:
    """By declared fields only; a replay is found as well."""
    rig = Rig(searchable("/email", "/lead/zip"))

    async def main() -> None:
        async with running(rig):
            (ada,) = await rig.send(
                payload=raw({"email": "Ada@Example.com", "lead": {"zip": 78701}})
            )
            (bob,) = await rig.send(
                payload=raw({"email": "bob@example.com", "lead": {"zip": "78701"}})
            )
            assert await found(rig, "/email:ada@example.com") == [ada.message_id]
            both = await found(rig, "/lead/zip:78701")
            assert set(both) == {ada.message_id, bob.message_id}
            assert await found(rig, "/lead/zip:78701 -status:delivered /email:nobody") == []
            again = await rig.engine.actions.replay(ada.message_id, actor="ann", reason="lost")
            assert len(await found(rig, "/email:ada@example.com")) == 2
            assert again.message_id in await found(rig, "/email:ADA@example.com")
            with pytest.raises(QueryError, match="allowed: /email, /lead/zip"):
                await found(rig, "/phone:1")

    run(main(), rig.clock)


def test_the_store_holds_no_value_of_a_search_field() -> None:
    """Neither the value nor a plain digest of it: the whole database is searched for both."""
    rig = Rig(searchable("/email", "/gone", strip=("gone",)))
    secret = "ada.lovelace@example.com"

    async def main() -> None:
        async with running(rig):
            await rig.send(payload=raw({"email": secret, "gone": "stripped-value"}))
            assert len(await found(rig, f"/email:{secret}")) == 1
            assert await found(rig, "/gone:stripped-value") == []
            image = rig.connection.serialize("main")
            assert secret.encode() not in image
            lengths = rig.connection.execute("SELECT length(token) FROM search_tokens").fetchall()
            assert lengths == [(16,)]

    run(main(), rig.clock)


def test_another_account_and_another_key_have_other_tokens() -> None:
    """The same value of two accounts, or under two keys, cannot be joined."""
    one = searchable("/email")
    leads = one.flows["leads"]
    bolt = msgspec.structs.replace(leads, name="bolt", account="bolt")
    both = msgspec.structs.replace(one, flows={"leads": leads, "bolt": bolt})
    fields = Fields(both, Vault.generate())
    payload = b'{"email": "a"}'
    own, other = fields.of_payload(leads, payload), fields.of_payload(bolt, payload)
    assert own != other
    assert set(fields.digest("/email", "a")) == {*own, *other}
    assert Fields(both, Vault.generate()).of_payload(leads, payload) != own


def test_without_fields_intake_does_not_look_into_payloads() -> None:
    """Most flows have none and pay nothing."""
    rig = Rig(catalog(recipient()))

    async def main() -> None:
        async with running(rig):
            await rig.send(payload=raw({"email": "ada@example.com"}))
            assert rig.connection.execute("SELECT count(*) FROM search_tokens").get == 0

    run(main(), rig.clock)
