"""The screen, drawn from canned API answers for any terminal."""

import io

import pytest
from rich.console import Console, RenderableType

from holdfast.demo.answers import Dead, event, lane
from holdfast.demo.dashboard import advice, closing, screen, status_line
from holdfast.demo.picture import Picture

NOW = 1_790_000_000_000


def a_lane(name: str, **fields: object) -> dict[str, object]:
    """Return a lane as the API answers it, its counts adding up."""
    counts = {"pending": 10, "delivered": 90, "dead": 2, "discarded": 0, "pruned": 0}
    lane_ = {"recipient": name, "breaker": "closed", "in_flight": 1, **counts, **fields}
    lane_["created"] = sum(int(str(lane_[count])) for count in counts)
    return lane_


def picture() -> Picture:
    """Return a picture in which something happened."""
    seen = Picture()
    names = ("acme", "flaky", "ratelimited", "sleeper")
    seen.see_lanes([lane(a_lane(name)) for name in names], NOW)
    opened = {"breaker": "open", "reason": "5 failures in a row", "next_probe": NOW + 13_000}
    later = [a_lane(name, delivered=290) for name in names[:3]]
    later.append(a_lane("sleeper", pending=1234, **opened))
    seen.see_lanes([lane(item) for item in later], NOW + 1000)
    seen.review = [Dead("dlv_" + "0" * 32, "acme", "HARD_FAILURE", "Invalid postal code")]
    return seen


def drawn(what: RenderableType, width: int) -> list[str]:
    """Return the lines a terminal of that width shows."""
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_screen_fits_and_tells_what_matters(width: int) -> None:
    """At any usual width and 24 rows: lanes, why they wait, sums, events and reviews."""
    lines = drawn(screen(picture(), title="Holdfast", now=NOW, width=width, height=24), width)
    text = "\n".join(lines)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= width
    for words in ("acme", "sleeper", "open", "1,234", "next probe", "Invalid postal", "█"):
        assert words in text
    assert "breaker open (5 failures in a row), 1,234 held" in text
    assert "2,232 accepted = 960 delivered + 1,264 waiting + 8 dead" in text
    assert "✓" in text


def test_sums_that_do_not_add_up_are_shown() -> None:
    """A missing delivery would be seen at once (promise 2)."""
    seen = Picture()
    seen.see_lanes([lane(a_lane("acme") | {"created": 103})], NOW)
    lines = drawn(screen(seen, title="Holdfast", now=NOW, width=80, height=24), 80)
    assert any("does not add up" in line for line in lines)


def test_a_gone_api_is_shown() -> None:
    """The screen says that nobody answers instead of showing old numbers silently."""
    seen = picture()
    seen.unreachable = "http://127.0.0.1:1 did not answer"
    lines = drawn(screen(seen, title="Holdfast", now=NOW, width=80, height=24), 80)
    assert "http://127.0.0.1:1 did not answer" in lines[1]


def test_rates_come_from_what_was_delivered() -> None:
    """A bar is what a lane delivered in a second."""
    assert picture().rates("acme") == [200.0]
    assert picture().rates("sleeper") == [0.0]


def test_events_are_counted_once() -> None:
    """First tries and retries are counted apart; a position seen before is passed over."""
    seen = Picture()
    base = {"delivery_id": "dlv_1", "recipient": "acme", "outcome": "success"}
    events = [
        event(base | {"position": position, "attempt_number": number})
        for position, number in ((1, 0), (2, 0), (3, 2))
    ]
    seen.see_events(events, NOW)
    seen.see_events(events, NOW)
    assert (seen.first_try, seen.by_retry, seen.position) == (2, 1, 3)
    assert [line.text for line in seen.lines] == ["acme: retry 2 of …dlv_1 succeeded"]


def test_history_is_bounded_and_keeps_what_is_rare() -> None:
    """Many events of a kind are told now and then, and the lines are bounded."""
    seen = Picture()
    base = {"delivery_id": "dlv_1", "outcome": "success", "attempt_number": 1}
    for position in range(1, 101):
        seen.see_events([event(base | {"position": position, "recipient": "flaky"})], NOW)
    assert len(seen.lines) == 1
    for position in range(101, 500):
        item = base | {"position": position, "recipient": f"r{position}"}
        seen.see_events([event(item)], NOW + position)
    assert len(seen.lines) == 50


def test_the_status_line_names_lanes_that_wait() -> None:
    """Without a terminal one line holds the sums and every lane that does not flow."""
    line = status_line(picture(), now=NOW)
    assert "delivered 960" in line
    assert "sleeper open: next probe in 13 s" in line
    assert "acme" not in line
    assert "\n" not in line


def test_the_closing_table_proves_the_count() -> None:
    """Our count of delivered stands beside the partners' own, from the start of the demo."""
    seen = picture()
    seen.first_try, seen.by_retry = 590, 10
    same = {"acme": 200, "flaky": 200, "ratelimited": 200, "sleeper": 0}
    text = " ".join(
        " ".join(
            drawn(closing(seen, seconds=60, leads=456, confirmed=same, repeats=3), 200)
        ).split()
    )
    assert "deliveries of 456 leads accepted in 60 s" in text
    assert "600 different leads" in text
    assert "They agree." in text
    assert "590 delivered at the first try" in text
    assert "3 repeated requests" in text
    other = closing(seen, seconds=60, leads=456, confirmed=same | {"acme": 199}, repeats=0)
    assert "what differs was on its way" in " ".join(drawn(other, 200))


def test_advice_can_be_typed() -> None:
    """What to try next names a real delivery and the address where it is not the usual one."""
    text = advice(5555, "dlv_1")
    assert "holdfast show dlv_1 --url http://127.0.0.1:5555" in text
    assert "--url" not in advice(8420, None)
