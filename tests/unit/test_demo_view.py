"""The demo's view and last words: what a person reads, without a broker."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from schemas.instants import DAY, HOUR, SECOND, Instant, parse_rfc3339
from schemas.transitions import SegmentChange
from streams.demo.closing import last_words, summary
from streams.demo.pictures import svg
from streams.demo.plan import HISTORY_DAYS, MAX_SPEED, PATIENCE, environment, plan_demo
from streams.demo.state import DemoState, Sample
from streams.demo.view import screen
from streams.settings import Settings
from streams.stacks import Stack

NOW = parse_rfc3339("2026-06-01T12:00:00Z")
SHOP_TIME = parse_rfc3339("2026-03-14T09:26:00Z")
SEGMENTS = ["vip", "lapsed", "winback_opportunity"]
EVIDENCE = [
    {"clause": "orders.count >= 1", "value": 2, "threshold": 1, "holds": True, "until": None},
    {
        "clause": "since(orders.last_at) < days(90)",
        "value": "1h",
        "threshold": "90d",
        "holds": True,
        "until": "2026-05-01T00:00:00Z",
    },
]


def change(segment: str = "vip", *, entered: bool = True, event: str | None = "order.placed", **other: Any) -> Any:
    """A transition of the show, by an event; with `event=None`, by time alone."""
    kind = "time" if event is None else "event"
    body = {
        "id": "0-1",
        "type": "segment.entered" if entered else "segment.exited",
        "segment": segment,
        "customer_id": "c000017",
        "anonymous_id": None,
        "effective_at": SHOP_TIME,
        "emitted_at": NOW + SECOND,
        "cause": {"kind": kind, "event_type": event},
        "definitions_version": 1,
        "memberships": [],
        "profile": {"orders": 2, "spend": "120.50", "currency": "GBP"},
        "evidence": EVIDENCE,
        "shard": 0,
        "sequence": 1,
    }
    return SegmentChange.model_validate(body | other)


def state(*changes: SegmentChange, segments: list[str] = SEGMENTS, live: bool = True) -> DemoState:
    """A show that began at `NOW`; crossings by time were emitted 40 ms after they were due."""
    made = DemoState(segments, lambda _effective_at, _emitted_at: 40.0)
    if live:
        made.go_live(NOW)
    for one in changes:
        made.note(one)
        made.turn()
    made.measure(Sample(10.0, SHOP_TIME, 1_000, 2, {"vip": 8, "lapsed": 4}))
    made.measure(Sample(11.0, SHOP_TIME, 1_400, 3, {"vip": 9, "lapsed": 4}))
    return made


def text(picture: RenderableType, width: int = 80) -> str:
    """What stands on a screen of so many columns, without colours."""
    console = Console(width=width, file=StringIO(), record=True)
    console.print(picture)
    return console.export_text()


@pytest.mark.parametrize("width", [80, 100, 120, 200])
@pytest.mark.parametrize("count", [3, 18, 60])
def test_the_screen_fits_the_terminal(width: int, count: int) -> None:
    segments = [f"segment_with_a_long_key_{number}" for number in range(count)]
    shown = state(*(change(key, event="customer.identified") for key in segments), segments=segments)
    lines = text(screen(shown, width, 24), width).rstrip("\n").split("\n")
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= width
    assert ("and 43 more" in "\n".join(lines)) == (count == 60)


def test_the_headline_has_every_figure() -> None:
    shown = text(screen(state(change(), change("lapsed", event=None)), 120, 30), 120)
    for figure in (
        "shop time 14 Mar 09:26",
        "400 events applied/s",
        "2 transitions",
        "1 by time alone",
        "40 ms from due to emitted",
        "3 dead letters",
    ):
        assert figure in shown


@pytest.mark.parametrize(
    ("one", "narrow", "wide"),
    [
        (change(), "14 Mar + vip c000017 order", "14 Mar 09:26 + vip c000017 order.placed"),
        (change(entered=False, event=None), "14 Mar - vip c000017 time", "14 Mar 09:26 - vip c000017 time"),
        (
            change(cause={"kind": "late_event", "event_type": "order.placed"}),
            "14 Mar + vip c000017 late",
            "14 Mar 09:26 + vip c000017 order.placed, late",
        ),
        (
            change(customer_id=None, anonymous_id="a17-1", event="page.viewed"),
            "14 Mar + vip a17-1 page",
            "14 Mar 09:26 + vip a17-1 page.viewed",
        ),
    ],
)
def test_a_transition_is_one_line_with_its_cause(one: SegmentChange, narrow: str, wide: str) -> None:
    for width, line in ((80, narrow), (120, wide)):
        assert line in " ".join(text(screen(state(one), width, 24), width).split())


def test_a_segment_has_its_size_and_its_change_since_the_show_began() -> None:
    shown = state(change(), change(), change("lapsed", entered=False))
    rows = [line.split()[:4] for line in text(screen(shown, 80, 24)).split("\n")[4:7]]
    assert rows[0][:2] == ["vip", "9"]
    assert rows[0][3] == "+2"
    assert rows[1][:2] == ["lapsed", "4"]
    assert rows[1][3] == "-1"
    assert rows[2][:3] == ["winback_opportunity", "0", "·"]


def test_before_the_show_nothing_is_listed_and_nothing_counted() -> None:
    shown = state(change(), live=False)
    assert "reading the shop's past" in text(screen(shown, 80, 24))
    assert shown.transitions == 0
    assert shown.seen == 1


def test_what_was_emitted_before_the_show_is_of_the_past_although_it_is_read_later() -> None:
    assert state(change(emitted_at=NOW - 1)).transitions == 0


def test_of_many_transitions_the_list_has_the_rarest_one_by_event_and_one_by_time() -> None:
    shown = state(change("vip"), change("vip"))
    for one in (change("vip"), change("lapsed"), change("vip", event=None), change("winback_opportunity", event=None)):
        shown.note(one)
    shown.turn()
    assert [row.segment for row in shown.shown] == ["vip", "vip", "lapsed", "winback_opportunity"]


def test_a_crossing_that_was_due_before_the_show_has_no_lag() -> None:
    shown = DemoState(SEGMENTS, lambda _effective_at, _emitted_at: 5_000.0)
    shown.go_live(NOW)
    shown.note(change(event=None))
    assert shown.by_time == 1
    assert shown.lag is None


def test_the_last_words_have_every_segment_and_explain_one_crossing_by_time() -> None:
    said = text(last_words(state(change(), change(), change("lapsed", event=None), change("lapsed", entered=False))))
    cells = [line.split() for line in said.split("\n")]
    assert ["vip", "9", "2", "0"] in cells
    assert ["lapsed", "4", "1", "1"] in cells
    assert ["winback_opportunity", "0", "0", "0"] in cells
    assert "c000017 (2 orders, 120.50 GBP) entered lapsed" in said
    assert "orders.count >= 1 2 1 yes further notice" in " ".join(said.split())
    assert "2026-05-01T00:00:00Z" in said
    assert "40 ms from due to emitted" in said


def test_without_a_crossing_by_time_there_is_nothing_to_explain() -> None:
    said = text(last_words(state(change())))
    assert "Why?" not in said
    assert "no crossing by time came due" in said


def test_the_best_explained_crossing_is_the_latest_entry_of_a_known_customer_whose_answer_ends() -> None:
    best = change("vip", event=None, customer_id="c2")
    shown = state(
        change("vip", event=None, customer_id="c1"),
        best,
        change("vip", event=None, customer_id=None, anonymous_id="a1"),
        change("vip", event=None, evidence=EVIDENCE[:1]),
        change("vip", event=None, entered=False),
    )
    assert shown.example == best


def test_the_plain_summary_names_sizes_and_the_latest_transitions() -> None:
    said = summary(state(change(), change("lapsed", event=None)))
    assert said.startswith("2026-03-14T09:26Z  1400 events applied, 2 transitions, 1 by time alone, 3 dead letters")
    assert "members: vip 9 (+1), lapsed 4 (+1), winback_opportunity 0" in said
    assert "2026-03-14T09:26:00Z + lapsed               c000017 (time)" in said


def test_the_picture_refers_to_nothing_elsewhere() -> None:
    drawn = svg(state(change()))
    assert drawn == svg(state(change()))
    assert drawn.replace("http://www.w3.org/2000/svg", "").count("http") <= 1  # the comment that names its maker
    assert "@font-face" not in drawn
    assert "c000017" in drawn


@pytest.mark.parametrize("seconds", [1, 8, 10, 60, 3600])
@pytest.mark.parametrize("speed", [None, 0.5, MAX_SPEED])
def test_a_plan_ends_before_the_present_and_has_enough_of_a_shop(seconds: float, speed: float | None) -> None:
    plan = plan_demo(seconds, 300, speed, NOW)
    assert plan.shop.end <= NOW
    assert plan.shop.end - plan.live_at >= plan.speed * (seconds + PATIENCE) * DAY
    assert plan.live_at - plan.shop.start == HISTORY_DAYS * DAY
    assert speed is None or plan.speed == speed
    assert plan.speed <= MAX_SPEED


def test_the_lag_is_counted_from_the_moment_at_which_the_clock_showed_the_instant() -> None:
    plan = plan_demo(60, 10, 2.0, NOW)
    due: Instant = plan.live_at + 12 * HOUR  # a quarter of a second later, at 2 days a second
    assert plan.lag_ms(due, plan.live_from + 300_000) == pytest.approx(50.0)


def test_a_worker_gets_the_demos_settings_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TOPIC_PREFIX", "other-"), ("INSTANCE_ID", "me"), ("KAFKA", "elsewhere:1")):
        monkeypatch.setenv(f"SEGMENTS_{name}", value)
    wanted = plan_demo(10, 10, None, NOW).settings(Stack("embedded", "127.0.0.1:1", "redis://127.0.0.1:2/0"))
    for name, value in environment(wanted).items():
        monkeypatch.setenv(name, value)
    assert Settings() == wanted
