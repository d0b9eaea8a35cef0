"""The test server itself: where its programs may lie, and what it says when it fails."""

from pathlib import Path

import pytest

from holdfast.testing import postgres
from holdfast.testing.postgres import PostgresError, PostgresServer, running


@pytest.mark.slow
def test_it_runs_from_a_checkout_that_only_we_may_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then another user, who the server runs as, gets a copy of its programs."""
    monkeypatch.setattr(postgres, "_is_public", lambda _: False)
    with running(PostgresServer({"fsync": "off"})) as server:
        assert server.execute("SELECT 1") == "1"


def test_what_only_we_may_enter_is_not_public(tmp_path: Path) -> None:
    """Each folder on the way counts."""
    inner = tmp_path / "closed" / "open"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)
    assert not postgres._is_public(inner)


@pytest.mark.slow
def test_a_server_that_does_not_start_says_why() -> None:
    """The error holds the end of its log."""
    with (
        pytest.raises(PostgresError, match="shared_buffers"),
        running(PostgresServer({"shared_buffers": "none"})),
    ):
        pass
