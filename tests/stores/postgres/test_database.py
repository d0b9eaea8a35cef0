"""The database itself: whose it is, what its statements cost, what its troubles mean."""

import asyncio
import re
from pathlib import Path

import asyncpg
import msgspec
import pytest

from holdfast.errors import InvalidInput, StoreBusy, StoreError, StoreFull, StoreLost, StoreMismatch
from holdfast.model.attempt import Result
from holdfast.model.delivery import Verb
from holdfast.model.lane import LaneState
from holdfast.store import Accept, EventQuery, Pruned, Retention
from holdfast.stores.planning.searching import AMONG, BY_GROUPS, EVERY, WALKS
from holdfast.stores.postgres import PostgresStore, opening, sql
from holdfast.stores.postgres.address import parse
from holdfast.testing.postgres import PostgresServer
from holdfast.testing.store_suite.case import DAY, NOW, Case

FOLDER = Path(opening.__file__).parent
QUERIES = sorted((FOLDER / "queries").glob("*.sql"))
LANE = {
    "recipient": ["north"],
    "body": ['{"recipient":"north","revision":9}'],
    "released": [False],
    "offered": [False],
}
GUARD = re.compile(r"-- \?(\w+)$", re.MULTILINE)


async def _shape(connection: asyncpg.Connection) -> list[tuple[str, ...]]:
    """Return everything that makes up the schema, in words."""
    rows = await connection.fetch(
        """
        SELECT 'column', c.relname, a.attname,
            concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage,
                a.attidentity, a.attgenerated, co.collname, pg_get_expr(d.adbin, d.adrelid),
                array_to_string(c.reloptions, ' '))
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
        LEFT JOIN pg_collation AS co ON co.oid = a.attcollation
        WHERE c.relnamespace = 'holdfast'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'holdfast'
        UNION ALL
        SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'holdfast'::regnamespace
        UNION ALL
        SELECT 'view', viewname, '', definition FROM pg_views WHERE schemaname = 'holdfast'
        UNION ALL
        SELECT 'function', proname, '', pg_get_functiondef(oid)
        FROM pg_proc WHERE pronamespace = 'holdfast'::regnamespace
        ORDER BY 1, 2, 3, 4
        """
    )
    return [tuple(row) for row in rows]


async def test_the_schema_is_what_the_migrations_make(database: str) -> None:
    """`schema.sql` can be read instead of the migrations."""
    connection = await asyncpg.connect(database)
    await opening.migrate(connection)
    migrated = await _shape(connection)
    await connection.execute("DROP SCHEMA holdfast CASCADE; CREATE SCHEMA holdfast")
    await connection.execute((FOLDER / "schema.sql").read_text())
    assert migrated == await _shape(connection)
    assert len(migrated) > 100
    await connection.close()


async def test_what_was_resolved_before_causes_came_counts_as_resolved_once(database: str) -> None:
    """Only the last time is known of it, and whether it held."""
    connection = await asyncpg.connect(database)
    before = [step for step in sql.migrations() if step.name < "0019"]
    await opening.migrate(connection, scripts=before)
    await connection.executemany(
        "INSERT INTO holdfast.failure_groups (id, account, flow, step, recipient, failure_class,"
        " code, template, first_at, last_at, failures, status, resolved_at, regressed_at)"
        " VALUES ($1, 'd', 'f', 's', 'r', 'data', '', '', 1, 1, 1, $2, $3, $4)",
        [("a", "open", 0, 0), ("b", "resolved", 5, 4), ("c", "regressed", 5, 6)],
    )
    assert "0019_causes (pre)" in map(str, await opening.migrate(connection))
    found = await connection.fetch(
        "SELECT id, resolutions, regressions FROM holdfast.failure_groups ORDER BY 1"
    )
    assert [tuple(row) for row in found] == [("a", 0, 0), ("b", 1, 0), ("c", 1, 1)]
    await connection.close()


def _filters(path: Path) -> list[frozenset[str]]:
    """Return sets of filters that are valid together: none at all, and one or all of a kind."""
    names = set(GUARD.findall(path.read_text()))
    if "by_status" in names:
        return _searches(path.stem, names)
    if "forward" in names:
        names -= {"forward", "backward"}
        return [frozenset({*some, way}) for way in ("forward", "backward") for some in ((), names)]
    return [frozenset(), *(frozenset({name}) for name in names), frozenset(names)]


def _searches(stem: str, names: set[str]) -> list[frozenset[str]]:
    """Return every walk with nothing else, and with everything else, that may be asked."""
    walks = {walk for walk, _ in WALKS}
    parts = {"deliveries", "page", "count", "grouped", *AMONG.values(), BY_GROUPS, EVERY}
    found = []
    if stem == "search":
        tally = {BY_GROUPS, "deliveries", "grouped"}
        more = names - walks - parts | set(AMONG.values())
        found += [frozenset(tally | each) for each in (set(), {EVERY}, more)]
    for walk in walks - ({"by_id", "by_message", "by_parent"} if stem == "search_floor" else set()):
        table = walk if walk == "by_token" else "deliveries"
        for what in ("page", "count"):
            found += [frozenset({walk, table, what, *rest}) for rest in ((), names - walks - parts)]
    return found


def _texts() -> list[tuple[str, str]]:
    """Return every statement, parts of larger ones within one."""
    found = []
    for path in QUERIES:
        for filters in _filters(path):
            text = sql.statement(path.stem, filters).text
            if "fence" not in text:
                found.append((path.stem, text))
    found += [
        (name, sql._writing(((name, False),)).text)
        for name in ("append_attempts", "save_lanes", "sight_groups", "change_group")
    ]
    return found


def test_every_query_is_explained() -> None:
    """Each file begins with a comment."""
    for path in QUERIES:
        assert path.read_text().startswith("-- "), path.name


async def test_no_statement_reads_a_whole_table(
    postgres: PostgresServer, other: asyncpg.Connection
) -> None:
    """Every statement is valid, and has an index for what grows without bound."""
    await other.execute("SELECT holdfast.open_day(20000)")
    growing = re.compile(r"Seq Scan on (deliveries|messages|attempts\w*|notes)\b")
    for name, text in _texts():
        asked = f"SET enable_seqscan = off; EXPLAIN (GENERIC_PLAN, COSTS OFF) {text}"
        plan = postgres.execute(asked)
        assert not growing.search(plan), (name, plan)


async def test_a_store_that_is_opened_again_has_everything(database: str) -> None:
    """Closing and opening changes nothing."""
    first = await PostgresStore.open(parse(database))
    delivery = await Case(first, await first.join(NOW)).take()
    await first.close()
    again = await PostgresStore.open(parse(database))
    assert await again.get(delivery.id) == delivery
    await again.close()
    assert await PostgresStore.version(parse(database)) == len(sql.migrations())


async def test_foreign_schemas_and_newer_stores_are_refused(database: str) -> None:
    """Neither is touched."""
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE SCHEMA holdfast; CREATE TABLE holdfast.version (x integer)")
    with pytest.raises(StoreMismatch, match="not a Holdfast store"):
        await PostgresStore.open(parse(database))
    await connection.execute("DROP SCHEMA holdfast CASCADE")
    await (await PostgresStore.open(parse(database))).close()
    await connection.execute("UPDATE holdfast.version SET version = 99, cleaned = 99")
    with pytest.raises(StoreMismatch, match="newer"):
        await PostgresStore.open(parse(database))
    await connection.close()


ADD = "ALTER TABLE holdfast.lanes ADD COLUMN extra integer"
DROP = "ALTER TABLE holdfast.lanes DROP COLUMN extra"


def _later(post: str | None = DROP) -> list[sql.Migration]:
    """Return the migrations of a version to come."""
    return [*sql.migrations(), sql.Migration("0099_extra", ADD, post)]


async def test_additions_come_while_an_older_program_works(
    store: PostgresStore, case: Case, other: asyncpg.Connection
) -> None:
    """The pre phase runs beside it, and it goes on and starts again; post waits for a person."""
    (step,) = await opening.migrate(other, scripts=_later())
    assert str(step) == "0099_extra (pre)"
    assert await opening.migrate(other, scripts=_later()) == []
    await case.take()
    await store.close()
    again = await PostgresStore.open(store._address)
    await again.close()
    left = opening.pending(await opening.schema(other), scripts=_later())
    assert [str(step) for step in left] == ["0099_extra (post)"]


async def test_taking_away_waits_for_older_programs(
    store: PostgresStore, other: asyncpg.Connection
) -> None:
    """It names those that are connected; when they are gone it runs, and they cannot come back."""
    await opening.migrate(other, scripts=_later())
    present = len(sql.migrations())
    with pytest.raises(StoreBusy, match=rf"holdfast/{present} at 127\.0\.0\.1; upgrade or stop"):
        await opening.migrate(other, post=True, scripts=_later())
    assert (await opening.schema(other)).cleaned == present
    await store.close()
    told: list[tuple[str, int, int]] = []
    progress = lambda *step: told.append(step)  # noqa: E731  # three words
    (step,) = await opening.migrate(other, post=True, scripts=_later(), told=progress)
    assert told == [("0099_extra (post)", 0, 1), ("done", 1, 1)]
    assert step.phase == "post"
    with pytest.raises(StoreMismatch, match="use a newer Holdfast"):
        await PostgresStore.open(store._address)


async def test_an_older_program_does_not_turn_the_version_back(other: asyncpg.Connection) -> None:
    """It has nothing to do in a newer schema, and leaves what is noted there."""
    await opening.migrate(other, scripts=_later())
    newer = await opening.schema(other)
    assert await opening.migrate(other, post=True) == []
    assert await opening.schema(other) == newer


async def test_a_migration_does_not_queue_everybody_up(
    database: str, case: Case, other: asyncpg.Connection
) -> None:
    """It gives up when somebody keeps a table, and changes nothing."""
    reader = await asyncpg.connect(database)
    await reader.execute("BEGIN; SELECT FROM holdfast.lanes")
    with pytest.raises(StoreBusy, match="nothing was changed, try again"):
        await opening.migrate(other, scripts=_later())
    present = len(sql.migrations())
    assert await opening.schema(other) == opening.Schema(present, present)
    await reader.close()
    await case.take()


async def test_the_first_version_is_brought_up_to_date(
    database: str, store: PostgresStore, other: asyncpg.Connection
) -> None:
    """From a schema that had no second phases."""
    await store.close()
    await other.execute("DROP SCHEMA holdfast CASCADE; CREATE SCHEMA holdfast")
    await other.execute((FOLDER / "migrations" / "0001_first.sql").read_text())
    await other.execute("UPDATE holdfast.version SET version = 1")
    assert await opening.schema(other) == opening.Schema(1, 1)
    numbers = [step.number for step in await opening.migrate(other)]
    assert numbers == list(range(2, len(sql.migrations()) + 1))
    again = await PostgresStore.open(parse(database))
    await again.close()


async def test_a_server_that_would_forget_is_refused(database: str) -> None:
    """Without synchronous commits promise 1 does not hold."""
    with pytest.raises(StoreMismatch, match="synchronous_commit"):
        await PostgresStore.open(parse(f"{database}?synchronous_commit=off"))


@pytest.mark.parametrize(
    "url",
    ["postgresql:///db", "mysql://u:s3cret@h/db", "postgresql://u:s3cret@[h/db", "s3cret", ""],
)
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(InvalidInput, match=r"store\.url") as refused:
        parse(url)
    assert "s3cret" not in str(refused.value)


def test_an_address_never_shows_its_password() -> None:
    """Neither in its label nor in its representation."""
    address = parse("postgresql://u:s3cret@one:5432,two/db?password=s3cret&application_name=x")
    assert address.label == "postgresql://one:5432,two/db"
    assert "s3cret" not in repr(address)
    assert address.target == "read-write"
    with pytest.raises(InvalidInput, match="target_session_attrs"):
        parse("postgresql://h/db?target_session_attrs=standby")


async def test_a_wrong_password_is_named_but_not_shown(postgres: PostgresServer) -> None:
    """The error says where and who."""
    wrong = postgres.url().replace(postgres.password, "s3cret")
    with pytest.raises(StoreError, match="password authentication failed") as refused:
        await PostgresStore.open(parse(wrong))
    assert "s3cret" not in str(refused.value)


async def test_errors_quote_no_rows(case: Case) -> None:
    """What the database says about a row that it refuses stays out of our messages."""
    message = case.message(account="s3cret", priority=11)
    with pytest.raises(StoreError) as refused:
        await case.commit(accepts=(Accept(message, ()),))
    assert "s3cret" not in str(refused.value)
    with pytest.raises(StoreError) as refused:
        await case.commit(accepts=(Accept(case.message(account="s3cret", priority=2**40), ()),))
    assert "s3cret" not in str(refused.value)


async def test_a_full_disk_is_named_and_the_store_goes_on(
    case: Case, other: asyncpg.Connection
) -> None:
    """Nothing of the refused commit is written; with room again the same store goes on."""
    await other.execute(
        """
        CREATE FUNCTION holdfast.full() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON holdfast.messages EXECUTE FUNCTION holdfast.full()
        """
    )
    message = case.message(key="k")
    member = Accept(message, (case.delivery(message),))
    with pytest.raises(StoreFull, match="could not extend file"):
        await case.commit(accepts=(member,))
    assert await case.store.counts() == {}
    await other.execute("DROP TRIGGER full_disk ON holdfast.messages")
    (answer,), _ = await case.commit(accepts=(member,))
    assert not answer.duplicate


async def test_a_takeover_between_look_and_write_is_noticed(
    case: Case, other: asyncpg.Connection
) -> None:
    """The write itself compares the epoch, on the row as it is then."""
    await case.store.acquire(case.epoch, ("north",))
    await other.execute("DELETE FROM holdfast.workers")
    parts = [sql.Part("save_lanes", LANE)]
    with pytest.raises(asyncpg.PostgresError, match=sql.OWNER):
        await sql.write(other, case.epoch, parts)
    assert await case.store.lane_states() == [LaneState("north")]
    with pytest.raises(StoreLost):
        await case.take()


async def test_a_change_between_look_and_write_is_noticed(
    case: Case, other: asyncpg.Connection
) -> None:
    """A revision that is not the one that was looked at undoes the whole statement."""
    delivery = await case.take()
    proof = {"id": [delivery.id], "seen": [7], "http_status": [200], "now": NOW}
    await case.store.acquire(case.epoch, ("north",))
    lanes = sql.Part("save_lanes", LANE)
    with pytest.raises(asyncpg.PostgresError, match=sql.CHANGED):
        await sql.write(other, case.epoch, [sql.Part("prove_deliveries", proof, 1), lanes])
    assert await case.get(delivery) == delivery
    assert await case.store.lane_states() == [LaneState("north")]


@pytest.mark.parametrize("kind", ["payloads", "rows"])
async def test_a_redrive_beside_a_purge_keeps_its_payload(
    store: PostgresStore, case: Case, other: asyncpg.Connection, kind: str
) -> None:
    """Whoever comes second waits and sees what the first did: nothing pending loses its payload."""
    dead = await case.change(await case.take(), Verb.DIE)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("UPDATE holdfast.recovery_tasks SET retry_count = 0")
    prune = asyncio.ensure_future(store.prune(NOW, Retention(**{kind: NOW + 1})))
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    for _ in range(1_000):
        if await other.fetchval(asked):
            break
        await asyncio.sleep(0.02)  # noqa: TID251  # the server is another process
    await transaction.commit()
    assert await prune == Pruned()
    message = await store.message(dead.message_id)
    assert message is not None
    assert message.sealed is not None


async def test_resets_by_sql_and_commits_wait_for_each_other(
    case: Case, other: asyncpg.Connection
) -> None:
    """Both move many counters, in different orders: neither fails."""
    lanes = [f"lane{number:02}" for number in range(20)]
    dead = [
        await case.change(await case.take(recipient=name), Verb.DIE)
        for name in [*reversed(lanes), *lanes]
    ]
    moves = [await case.take(recipient=name) for name in lanes for _ in range(3)]
    reset = "UPDATE holdfast.recovery_tasks SET retry_count = 0 WHERE status = 'failed'"
    chunks = [moves[start : start + 10] for start in range(0, len(moves), 10)]
    resets = asyncio.ensure_future(other.execute(reset))
    for chunk in chunks:
        await case.apply(*[case.transition(each, Verb.CANCEL) for each in reversed(chunk)])
    assert await resets == f"UPDATE {len(dead)}"
    counts = await case.store.counts()
    assert {name: (each.pending, each.dead) for name, each in counts.items()} == dict.fromkeys(
        lanes, (2, 0)
    )


async def test_nothing_above_the_oldest_open_transaction_is_shown(
    case: Case, other: asyncpg.Connection
) -> None:
    """A reader who goes on from a position misses nothing that commits late."""
    await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
    (first,) = await case.store.events(EventQuery(after=0))
    late = await case.take()
    transaction = other.transaction()
    await transaction.start()
    await other.fetchval("SELECT pg_current_xact_id()")
    ended = await case.change(late, Verb.SUCCEED, Result.SUCCESS)
    assert await case.store.events(EventQuery(after=first.position)) == []
    assert await case.store.events(EventQuery()) == [first]
    assert len(await case.store.events(EventQuery(delivery_id=ended.id))) == 1
    await transaction.commit()
    (second,) = await case.store.events(EventQuery(after=first.position))
    assert second.attempt.delivery_id == late.id


async def test_positions_go_on_rising_on_another_server(
    case: Case, other: asyncpg.Connection
) -> None:
    """There transaction ids begin low again; the new owner makes up for it."""
    await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
    await other.execute("UPDATE holdfast.attempts SET position = position + (1 << 30)")
    (high,) = await case.store.events(EventQuery(delivery_id=None, before=None, limit=1)) or (None,)
    assert high is None, "as seen from here it is yet to come"
    case.epoch = (await case.store.join(NOW)).epoch
    await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
    newest, oldest = await case.store.events(EventQuery())
    assert newest.position > oldest.position > 1 << 30


async def test_events_go_by_whole_days(case: Case, other: asyncpg.Connection) -> None:
    """A day is dropped once it has passed wholly; another process may do it too."""
    await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
    assert await case.store.prune(NOW, Retention(events=NOW + DAY - 1)) == Pruned()
    assert await case.store.prune(NOW, Retention(events=NOW + DAY)) == Pruned(events=1)
    tables = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'holdfast.attempts'::regclass"
    assert await other.fetchval(tables) == 0
    await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
    await other.execute("SELECT holdfast.drop_day($1)", NOW // DAY)
    await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)
    assert len(await case.store.events(EventQuery())) == 1


async def test_a_commit_opens_as_many_days_as_it_needs(case: Case) -> None:
    """A store that was away for days has events of all of them to write at once."""
    transitions = []
    for day in range(6):
        transition = case.transition(await case.take(), Verb.SUCCEED, Result.SUCCESS)
        assert transition.attempt is not None
        at = NOW + day * DAY
        attempt = msgspec.structs.replace(transition.attempt, retry_timestamp=at)
        transitions.append(msgspec.structs.replace(transition, attempt=attempt))
    assert [each.applied for each in await case.apply(*transitions)] == [True] * 6
    assert len(await case.store.events(EventQuery())) == 6


async def test_a_commit_takes_two_statements(case: Case, other: asyncpg.Connection) -> None:
    """However much is in it, as PostgreSQL itself counts them."""
    await other.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    members = []
    for number in range(100):
        message = case.message(key=f"k{number}")
        members.append(Accept(message, (case.delivery(message),)))
    old = [await case.take() for _ in range(100)]
    settled = [case.transition(each, Verb.SUCCEED, Result.SUCCESS) for each in old]
    await case.change(await case.take(), Verb.SUCCEED, Result.SUCCESS)  # opens the day
    await other.execute("SELECT pg_stat_statements_reset()")
    await case.commit(accepts=tuple(members), transitions=tuple(settled))
    calls = "SELECT sum(calls) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_%'"
    assert await other.fetchval(calls) == 2


async def test_a_batch_larger_than_its_numbers_is_refused(case: Case) -> None:
    """The error names how many there may be."""
    delivery = case.delivery(case.message())
    attempt = case.attempt(delivery, Result.ERROR)
    one = case.transition(delivery, Verb.RETRY, Result.ERROR)
    many = tuple(
        msgspec.structs.replace(
            one,
            after=msgspec.structs.replace(one.after, id=f"dlv_{number}"),
            attempt=msgspec.structs.replace(attempt, event_id=f"evt_{number}"),
        )
        for number in range(8193)
    )
    with pytest.raises(StoreError, match="the most are 8192"):
        await case.apply(*many)
