"""The process as a whole: what ends it."""

import asyncio
from pathlib import Path
from types import MethodType
from typing import cast

import pytest
from tests.api.conftest import CATALOG

from holdfast.api.run import Running, run
from holdfast.app import App
from holdfast.config import load
from holdfast.errors import StoreError, StoreLost


@pytest.mark.parametrize("lost", [False, True], ids=["its writer", "its store"])
async def test_a_process_that_cannot_write_ends_and_says_why(tmp_path: Path, *, lost: bool) -> None:
    """A bug in the writer is not taken for another process that took over."""
    (tmp_path / "holdfast.toml").write_text(CATALOG)
    own = {"data": tmp_path / "data", "server.port": 0, "server.metrics_port": 0}
    config = load(tmp_path / "holdfast.toml", {}, own)

    def ready(running: Running) -> None:
        app = cast("App", cast("MethodType", running.reload).__self__)
        engine = app.engine
        engine.writer._on_commit = bug
        if lost:
            engine.writer._epoch -= 1
        engine.writer.lane_changed(engine.lane("acme").state, engine.lane("acme").state)

    def bug() -> None:
        raise ValueError("a bug")

    expected = "another process took" if lost else "ValueError: a bug"
    with pytest.raises(StoreLost if lost else StoreError, match=expected):
        async with asyncio.timeout(20):
            await run(config, ready=ready, stop=asyncio.Event())
