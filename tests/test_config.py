"""The configuration: precedence, secrets, and errors that name the place."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from holdfast import config as configuration
from holdfast.config import STRATEGIES, Config, is_loopback, load, parsed, prepare_data, schema
from holdfast.errors import ConfigError
from holdfast.model.flow import BearerAuth
from holdfast.model.policy import Strategy

FULL = """
data = "state"

[server]
port = 9000
allowed_hosts = ["holdfast.internal"]

[engine]
max_in_flight = 64

[log]
level = "warning"

[policy]
max_retries = 5

[limits]
max_interval = [1, 86400]

[templates.patient]
strategy = "fixed"
initial_delay = 30

[accounts.north.policy]
max_retries = 4

[recipients.acme]
url = "https://acme.example/leads"
headers = { "X-Source" = "holdfast" }
auth = { type = "bearer", token = "env:ACME_TOKEN" }
concurrency = 4
breaker = { consecutive = 3 }

[recipients.beta]
[[recipients.beta.endpoints]]
name = "one"
url = "https://one.beta.example/"
[[recipients.beta.endpoints]]
name = "two"
url = "https://two.beta.example/"

[flows.leads]
mode = "sequential"
[[flows.leads.steps]]
recipient = "acme"
[[flows.leads.steps]]
name = "second"
recipient = "beta"
policy = { max_retries = 2 }
"""


def read(
    folder: Path,
    text: str,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Config:
    """Write `text` as the file and load it."""
    path = folder / "holdfast.toml"
    path.write_text(text)
    return load(path, environ or {}, overrides)


def refusal(
    folder: Path,
    text: str,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> str:
    """Return the words of the error that loading `text` raises."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environ, overrides)
    return str(caught.value).removeprefix(f"{folder}/")


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without file and variables everything has a safe default: loopback, 8420, 9090."""
    monkeypatch.chdir(tmp_path)
    config = load(None, {}, {})
    assert (config.server.host, config.server.port, config.server.metrics_port) == (
        "127.0.0.1",
        8420,
        9090,
    )
    assert config.server.token is None
    assert config.data == Path(".holdfast")
    assert config.store.reserve_bytes == 64 * 1024 * 1024
    assert config.engine.max_in_flight == 512
    assert config.retention.key_days == 30
    assert config.catalog.flows == {}


def test_full_file(tmp_path: Path) -> None:
    """Names come from the table keys, a single endpoint may stand inline, secrets are resolved."""
    config = read(tmp_path, FULL, {"ACME_TOKEN": "s3cret"})
    acme = config.catalog.recipients["acme"]
    assert acme.name == "acme"
    assert acme.concurrency == 4
    assert acme.breaker.consecutive == 3
    assert acme.endpoints[0].url == "https://acme.example/leads"
    assert acme.endpoints[0].auth == BearerAuth("s3cret")
    assert [one.name for one in config.catalog.recipients["beta"].endpoints] == ["one", "two"]
    flow = config.catalog.flows["leads"]
    assert [step.name for step in flow.steps] == ["acme", "second"]
    assert flow.steps[1].policy.max_retries == 2
    assert config.catalog.accounts["north"].name == "north"
    assert config.catalog.templates["patient"].strategy is Strategy.FIXED
    assert config.catalog.limits.max_interval == (1.0, 86_400.0)
    assert config.data == Path("state")


def test_precedence(tmp_path: Path) -> None:
    """Overrides beat variables, variables beat the file, the file beats the defaults."""
    text = "[server]\nport = 1\nmetrics_port = 1\nhost = 'localhost'"
    environ = {"HOLDFAST_SERVER_PORT": "2", "HOLDFAST_SERVER_METRICS_PORT": "2"}
    config = read(tmp_path, text, environ, {"server.port": 0, "data": Path("x"), "log.path": None})
    assert (config.server.port, config.server.metrics_port) == (0, 2)
    assert config.server.host == "localhost"
    assert config.data == Path("x")


def test_variables(tmp_path: Path) -> None:
    """Each setting outside the catalog has a variable; lists are separated by commas."""
    environ = {
        "HOLDFAST_TOKEN": "long-enough",
        "HOLDFAST_DATA": "/var/lib/recovery/data",
        "HOLDFAST_SERVER_ALLOWED_HOSTS": "a.example, b.example",
        "HOLDFAST_STORE_QUOTA_BYTES": "1048576",
        "HOLDFAST_ENGINE_SHUTDOWN_SECONDS": "2.5",
        "HOLDFAST_LOG_LEVEL": "WARNING",
        "HOLDFAST_URL": "http://belongs-to-the-command-line",
        "HOLDFAST_SERVICE_HOST": "set by Kubernetes",
    }
    config = read(tmp_path, "", environ)
    assert config.server.token == "long-enough"
    assert config.data == Path("/var/lib/recovery/data")
    assert config.server.allowed_hosts == ("a.example", "b.example")
    assert config.store.quota_bytes == 1_048_576
    assert config.engine.shutdown_seconds == 2.5
    assert config.log.level == "warning"


def test_config_variable_names_the_file(tmp_path: Path) -> None:
    """`HOLDFAST_CONFIG` is used when no path is given; the argument beats it."""
    path = tmp_path / "other.toml"
    path.write_text("[server]\nport = 77")
    assert load(None, {"HOLDFAST_CONFIG": str(path)}).server.port == 77
    with pytest.raises(ConfigError, match=r"cannot read .*gone.toml: No such file"):
        load(tmp_path / "gone.toml", {"HOLDFAST_CONFIG": str(path)})


@pytest.mark.parametrize(("given", "strategy"), STRATEGIES.items())
def test_retry_strategy(tmp_path: Path, given: str, strategy: str) -> None:
    """`RETRY_STRATEGY` sets the global strategy for every name of S5.28 that exists."""
    config = read(tmp_path, "[policy]\nstrategy = 'fixed'", {"RETRY_STRATEGY": given})
    assert config.catalog.policy.strategy == strategy


def test_retry_strategy_hybrid_keeps_given_phases(tmp_path: Path) -> None:
    """HYBRID brings phases of its own only where the file has none (S1.32)."""
    given = "[policy]\nphases = [{ strategy = 'linear' }]"
    phases = read(tmp_path, given, {"RETRY_STRATEGY": "HYBRID"}).catalog.policy.phases
    assert phases is not None
    assert [phase.strategy for phase in phases] == [Strategy.LINEAR]
    phases = read(tmp_path, "", {"RETRY_STRATEGY": "HYBRID"}).catalog.policy.phases
    assert phases is not None
    assert [phase.strategy for phase in phases] == [Strategy.IMMEDIATE, Strategy.EXPONENTIAL]


BAD_FILES = [
    ("[server", r"holdfast.toml is not valid TOML: .*\(at (end of document|line 1, column 8)\)"),
    ("[server]\nport == 1", r"holdfast.toml is not valid TOML: .*at line 2, column 7"),
    ("[servr]\nport = 1", r"servr: .* one of: accounts, .* \(did you mean server\?\)"),
    ("[server]\nprot = 1", r"server.prot: 1 is not allowed; .* \(did you mean port\?\)"),
    ("[server]\nport = '1'", r"server.port: '1' is not allowed; allowed: an integer from 0 to"),
    ("[server]\nport = 65536", r"server.port: 65536 is not allowed; .* from 0 to 65535"),
    ("server = 1", r"server: 1 is not allowed; allowed: an object with: host, port"),
    ("[server]\ntoken = 'short'", r"server.token: '\*\*\*' is not allowed; .* 8 to 512"),
    ("[server]\nhost = '0.0.0.0'", r"server.host: '0.0.0.0' .* set server.token"),
    ("[server]\nallowed_hosts = [1]", r"server.allowed_hosts.0: 1 is not allowed; allowed: text"),
    ("[server]\ntrusted_proxies = ['lb']", r"server.trusted_proxies.0: 'lb' .* or a network"),
    ("[engine]\nmax_in_flight = 0", r"engine.max_in_flight: 0 .* an integer from 1 to 10000"),
    ("[engine]\nshutdown_seconds = nan", r"engine.shutdown_seconds: nan .* from 0 to 3600"),
    ("[log]\nlevel = 'loud'", r"log.level: 'loud' .* one of: debug, error, info, warning"),
    ("[retention]\nkey_days = 1", r"retention.key_days: 1 .* at least payload_days \(7\)"),
    ("data = 1", r"data: 1 is not allowed; allowed: text"),
    ("recipients = 1", r"recipients: 1 .* tables such as \[recipients.NAME\]"),
    ("[recipients.a]\n", r"recipients.a.url: None .* a URL, or \[\[recipients.a.endpoints\]\]"),
    ("[recipients.a]\nurl = 1", r"recipients.a.url: 1 is not allowed; allowed: text"),
    ("[recipients.a]\nurl = 'ftp://x'", r"recipients.a.url: 'ftp://x' is not allowed"),
    ("[recipients.a]\nulr = 'x'", r"recipients.a.ulr: 'x' .* \(did you mean url\?\)"),
    ("[recipients.a]\nurl = 'x'\nheaders = {A = 1}", r"recipients.a.headers.A: '\*\*\*' .* text"),
    (
        "[recipients.a]\nurl = 'x'\nauth = {type = 'bear'}",
        r"recipients.a.auth.type: '\*\*\*' .* one of: basic, bearer, header",
    ),
    (
        "[recipients.a]\nurl = 'x'\nauth = {type = 'bearer', tokn = 's3'}",
        r"recipients.a.auth.* is not allowed; allowed: (?!.*s3)",
    ),
    (
        "[recipients.a]\nurl = 'x'\n[[recipients.a.endpoints]]\nurl = 'y'",
        r"recipients.a.url: 'x' .* either this or \[\[recipients.a.endpoints\]\]",
    ),
    (
        "[recipients.a]\nurl = 'https://a.example'\nauth = {type='bearer', token='env:NONE'}",
        r"recipients.a.auth.token: 'env:NONE' .* a variable that is set \(NONE is not\)",
    ),
    (
        "[recipients.a]\nurl = 'https://a.example'\nsecrets = ['file:/nowhere/key']",
        r"recipients.a.secrets.0: 'file:/nowhere/key' .* a text file that can be read",
    ),
    (
        "[recipients.a]\nurl = 'https://a.example'\nauth = {type='bearer', token='file:/dev/null'}",
        r"recipients.a.auth.token: 'file:/dev/null' .* \(/dev/null is empty\)",
    ),
    ("[flows.f]\nsteps = [{}]", r"flows.f.steps.0.recipient: None .* text; it is required"),
    ("[flows.f]\n[[flows.f.steps]]\nrecipient = 'no'", r"flows.f.steps.no.recipient: 'no'"),
    ("[flows.f]", r"flows.f.steps: .* at least one step"),
    ("[flows.'a b']\nsteps = []", r"flows.a b: 'a b' is not allowed"),
    ("[policy]\nmax_retries = 11", r"policy.max_retries: 11 is not allowed; allowed: 1 to 10"),
    ("[policy]\nstrategy = 'x'", r"policy.strategy: 'x' .* one of: immediate, fixed"),
    ("[limits]\nmax_retries = [1]", r"limits.max_retries: .* a list of 2: an integer"),
]


@pytest.mark.parametrize(("text", "words"), BAD_FILES)
def test_bad_file(tmp_path: Path, text: str, words: str) -> None:
    """Whatever is wrong is named with its place, its value and what is allowed."""
    assert re.search(words, refusal(tmp_path, text)), refusal(tmp_path, text)


BAD_VARIABLES = [
    ({"HOLDFAST_SERVER_PORT": "x"}, "HOLDFAST_SERVER_PORT: 'x' .* an integer from 0 to 65535"),
    ({"HOLDFAST_SERVER_PROT": "1"}, "HOLDFAST_SERVER_PROT: .* one of: HOLDFAST_DATA"),
    ({"HOLDFAST_TOKEN": "short"}, r"server.token: '\*\*\*' is not allowed"),
    ({"RETRY_STRATEGY": "SOMETIMES"}, "RETRY_STRATEGY: 'SOMETIMES' .* IMMEDIATE, FIXED_INTERVAL"),
]


@pytest.mark.parametrize(("environ", "words"), BAD_VARIABLES)
def test_bad_variable(tmp_path: Path, environ: dict[str, str], words: str) -> None:
    """A variable that cannot be used is named, with what is allowed; a secret is not shown."""
    assert re.search(words, refusal(tmp_path, "", environ))


def test_unreadable_files(tmp_path: Path) -> None:
    """A file that is no text, or a folder, is a clear error."""
    (tmp_path / "holdfast.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load(tmp_path / "holdfast.toml", {})
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path, {})


def test_secret_from_file(tmp_path: Path) -> None:
    """`file:` reads a secret without its line end."""
    (tmp_path / "token").write_text("from-a-file\n")
    config = read(tmp_path, f"[server]\ntoken = 'file:{tmp_path}/token'\nhost = '0.0.0.0'")
    assert config.server.token == "from-a-file"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.3.4.5", True),
        ("::1", True),
        ("[::1]", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.com", False),
    ],
)
def test_is_loopback(host: str, *, loopback: bool) -> None:
    """Only addresses that nobody else can reach count as loopback."""
    assert is_loopback(host) is loopback


def test_data_folder_is_private(tmp_path: Path) -> None:
    """The data folder is made with mode 0700, whatever the umask, and is accepted again."""
    config = read(tmp_path, "", overrides={"data": tmp_path / "a" / "b"})
    old = os.umask(0)
    try:
        folder = prepare_data(config)
    finally:
        os.umask(old)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert prepare_data(config) == folder


def test_loose_data_folder_is_refused(tmp_path: Path) -> None:
    """A folder that others may enter is refused, with the command that helps (S5.25)."""
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o750)
    config = read(tmp_path, "", overrides={"data": folder})
    with pytest.raises(ConfigError, match=r"mode 0750.*chmod 700"):
        prepare_data(config)


def test_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A file in the folder's place is a clear error."""
    (tmp_path / "data").write_text("")
    config = read(tmp_path, "", overrides={"data": tmp_path / "data"})
    with pytest.raises(ConfigError, match="cannot create the folder"):
        prepare_data(config)


def test_schema_describes_the_file() -> None:
    """The JSON schema knows every section, ranges, and the inline endpoint; it is plain JSON."""
    found = json.loads(json.dumps(schema()))
    file = found["$defs"]["File"]["properties"]
    assert {"server", "policy", "recipients", "flows", "data"} <= file.keys()
    assert "url" in found["$defs"]["RecipientTable"]["properties"]
    assert "name" not in found["$defs"]["RecipientTable"]["properties"]
    assert found["$defs"]["Server"]["properties"]["port"]["maximum"] == 65_535


def test_a_wrong_rule_names_its_place(tmp_path: Path) -> None:
    """The error names file, rule, line and column, and what is known there."""
    file = tmp_path / "holdfast.toml"
    file.write_text(
        '[[rules]]\nname = "tiers"\nwhen = "message.valeu > 1.0"\nthen = { add_retries = 1 }\n'
    )
    told = r"holdfast\.toml: rules\.0\.when: .*'tiers'.* line 1, column 8: .*message\.value"
    with pytest.raises(ConfigError, match=told):
        load(file, {})
    file.write_text('[[rules]]\nname = "a"\nwhen = "true"\nthen = { retry = 1 }\n')
    with pytest.raises(ConfigError, match=r"rules\.0\.then\.retry"):
        load(file, {})


SECRET_URL = "postgresql://me:s3cret@db:5432/holdfast"


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        (f'store = "{SECRET_URL}"', {}),
        (f'[store]\nurl = "{SECRET_URL}"', {}),
        ('store = "env:DATABASE"', {"DATABASE": SECRET_URL}),
        ("", {"HOLDFAST_STORE": SECRET_URL}),
        ('store = "postgresql://elsewhere/db"', {"HOLDFAST_STORE": SECRET_URL}),
    ],
)
def test_the_store_may_be_a_database(tmp_path: Path, text: str, environ: dict[str, str]) -> None:
    """In short, as a table, by reference or from the environment; its password is not shown."""
    file = tmp_path / "holdfast.toml"
    file.write_text(text)
    found = load(file, environ).store
    assert found.url == SECRET_URL
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('store = "mysql://me:s3cret@db/holdfast"', "store.url: '***'"),
        ('store = "s3cret"', "store.url: '***'"),
        (f'[store]\nurl = "{SECRET_URL}"\nquota_bytes = 2000000', "store.quota_bytes"),
    ],
)
def test_a_store_that_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """The error names the key and never repeats the value, which may hold a password."""
    file = tmp_path / "holdfast.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(said)) as refused:
        load(file, {})
    assert "s3cret" not in str(refused.value)


def test_what_the_file_says_is_kept_as_it_is(tmp_path: Path) -> None:
    """References unresolved, without what variables and options set; those places are named."""
    path = tmp_path / "holdfast.toml"
    path.write_text("store = 'env:DB'\n[engine]\nmax_in_flight = 7\n")
    environ = {
        "DB": "postgresql://a/b",
        "HOLDFAST_LOG_LEVEL": "debug",
        "RETRY_STRATEGY": "hybrid",
        "HOLDFAST_URL": "http://elsewhere",
    }
    found = configuration.read(path, environ, {"server.port": 9, "server.host": None})
    assert found.config.store.url == "postgresql://a/b"
    assert found.written.tree == {"store": "env:DB", "engine": {"max_in_flight": 7}}
    assert found.written.outside == ("log.level", "policy.strategy", "server.port")
    assert found.written.source == str(path)


def test_no_variable_says_how_the_file_may_be_changed(tmp_path: Path) -> None:
    """Who may set variables could switch approval off."""
    said = refusal(tmp_path, "", {"HOLDFAST_CHANGES_APPROVAL": "false"})
    assert "HOLDFAST_CHANGES_APPROVAL: '***' is not allowed" in said
    assert read(tmp_path, "[changes]\napproval = true").changes.approval


def test_a_proposal_may_hold_references() -> None:
    """Where a value must have a shape, what stands for it has it."""
    text = """
    [server]
    trusted_proxies = ["env:PROXY"]
    [recipients.a]
    url = "env:URL"
    zone = "env:ZONE"
    account = "env:ACCOUNT"
    secrets = ["env:SECRET"]
    """
    assert parsed(text).tree["recipients"]["a"]["zone"] == "env:ZONE"
