"""The canonical form: equal where two files mean the same, another where not, never a secret."""

import tomllib
from typing import Any, Final

import pytest

from holdfast.policy.written import differences, digest_of, masked, toml
from holdfast.vault import Vault

VAULT: Final = Vault.generate()
TEXT: Final = """
store = "postgresql://holdfast:p@ss/w0rd@db1:5432,db2:5432/main?sslmode=require"
[server]
token = "open-sesame-1"
[recipients.acme]
url = "https://acme.example/hooks/T0KEN4hooks2drawn9?key=q-secret&page=2"
proxy = "http://me:pr0xy-secret@proxy:3128"
description = "token: what people call it"
headers = { X-Api-Key = "header-secret", X-Trace = "abc123def456ghi789", X-Plain = "plain" }
auth = { type = "basic", username = "shop", password = "basic-secret" }
secrets = ["whsec_first", "env:SECOND"]
[recipients.beta]
url = "https://beta.example/"
auth = { type = "header", name = "X-Own", value = "own-secret" }
[recipients.gamma]
url = "https://gamma.example/"
auth = { type = "bearer", token = "file:/run/gamma" }
"""
SECRETS: Final = (
    *("p@ss", "w0rd", "open-sesame-1", "T0KEN4hooks2drawn9", "q-secret", "pr0xy-secret"),
    *("header-secret", "abc123def456ghi789", "basic-secret", "whsec_first", "own-secret"),
)


def canonical(text: str) -> dict[str, Any]:
    """Return the canonical form of a file."""
    return masked(tomllib.loads(text), VAULT.digest)


def test_no_secret_is_kept() -> None:
    """Wherever a file may hold one; what is none, and every reference, stays readable."""
    shown = toml(canonical(TEXT))
    for secret in SECRETS:
        assert secret not in shown
    for word in (
        *("db1:5432,db2:5432/main?sslmode=require", "https://acme.example/hooks/", "&page=2"),
        *("token: what people call it", '"plain"', '"shop"', "X-Own", "env:SECOND"),
        *("file:/run/gamma", "proxy:3128"),
    ):
        assert word in shown


@pytest.mark.parametrize("secret", SECRETS)
def test_another_secret_is_another_configuration(secret: str) -> None:
    """At one place, which is shown, while neither secret is."""
    before, after = canonical(TEXT), canonical(TEXT.replace(secret, secret[:-1] + "Z"))
    assert digest_of(before) != digest_of(after)
    assert len(differences(before, after)) == 1


def test_the_sum_of_a_secret_tells_nothing_without_the_key() -> None:
    """Two installations show the same secret differently: nobody can try out candidates."""
    other = masked(tomllib.loads(TEXT), Vault.generate().digest)
    assert other["server"] != canonical(TEXT)["server"]


def test_order_comments_and_spelling_do_not_count() -> None:
    """Only what the file means does."""
    one = canonical('store = "postgresql://a/b"\n[engine]\nmax_in_flight = 7\n[log]\nlevel="info"')
    two = canonical(
        '# why\nlog = { level = "info" }\nengine.max_in_flight = 7\n[store]\nurl="postgresql://a/b"'
    )
    assert digest_of(one) == digest_of(two)
    assert differences(one, two) == ()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a.b = 1", "a.b = 2", [("a.b", 1, 2)]),
        ("a.b = 1", "a.b = 1\na.c = []", [("a.c", None, [])]),
        ("a.b = 1", "", [("a", {"b": 1}, None)]),
        ("x = 1", "x = true", [("x", 1, True)]),
        ("x = [1]", "x = [1.0]", [("x", [1], [1.0])]),
        ('["a.b"]\nx = 1', '["a.b"]\nx = 2', [('"a.b".x', 1, 2)]),
        ("x = inf", "x = nan", [("x", "inf", "nan")]),
        (f"x = {2**53}", f"x = -{10**30}", [("x", str(2**53), f"-{10**30}")]),
        ("x = 2026-01-31", "x = 2026-02-01", [("x", "2026-01-31", "2026-02-01")]),
        (
            'rules = [{name="a", n=1}, {name="b", n=1}]',
            'rules = [{name="a", n=1}, {name="c", n=1}, {name="b", n=2}]',
            [("rules.b.n", 1, 2), ("rules.c", None, {"name": "c", "n": 1})],
        ),
        (
            'rules = [{name="a"}, {name="b"}]',
            'rules = [{name="b"}, {name="a"}]',
            [("rules", [{"name": "a"}, {"name": "b"}], [{"name": "b"}, {"name": "a"}])],
        ),
    ],
)
def test_what_differs(before: str, after: str, expected: list[tuple[str, Any, Any]]) -> None:
    """Named by place, with what stood there and what stands there."""
    found = differences(canonical(before), canonical(after))
    assert [(one.place, one.before, one.after) for one in found] == expected
    for mine, given in zip(found, expected, strict=True):
        assert type(mine.after) is type(given[2])


def test_the_text_is_toml_again() -> None:
    """Whatever stands in it: it reads back as the same canonical form."""
    odd = TEXT + (
        'a = [1, 2.5, true, { "q.r" = "x" }, {}, []]\n"\\u007f" = "\\u0000\\u007f\\n\\"ü"\n'
        "[empty]\n[deep.er]\nx = 1979-05-27T07:32:00Z\n"
    )
    assert tomllib.loads(toml(canonical(odd))) == canonical(odd)
    assert toml({}) == ""
    assert toml({"a": {"b": {"c": 1}, "d": {}}}) == "[a]\nd = {}\n\n[a.b]\nc = 1\n"
    assert toml({"a": {"b": {"c": 1}}}) == "[a.b]\nc = 1\n"
