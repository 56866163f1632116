"""How times, durations, statuses and icons look."""

from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils import timezone as django_timezone

from wallaroo_ui.templatetags import display

NOON = datetime(2026, 11, 22, 11, 58, 3, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "—"),
        (timedelta(milliseconds=320), "320 ms"),
        (timedelta(0), "0 ms"),
        (timedelta(seconds=-3), "0 ms"),
        (timedelta(milliseconds=999.7), "1 s"),
        (timedelta(seconds=4.2), "4.2 s"),
        (timedelta(seconds=59.94), "59.9 s"),
        (timedelta(seconds=59.96), "1 min"),
        (timedelta(minutes=3, seconds=12), "3 min 12 s"),
        (timedelta(minutes=15), "15 min"),
        (timedelta(hours=2, minutes=5, seconds=50), "2 h 5 min"),
        (timedelta(hours=24), "1 d"),
        (timedelta(days=3, hours=4), "3 d 4 h"),
        (900, "15 min"),
        (0.25, "250 ms"),
    ],
)
def test_duration_is_said_in_at_most_two_units(value: timedelta | float | None, words: str) -> None:
    assert display.duration(value) == words


def test_local_time_carries_the_moment_for_machines_and_readers() -> None:
    assert display.local_time(NOON) == (
        '<time datetime="2026-11-22T11:58:03.123456+00:00"'
        ' title="2026-11-22 11:58:03.123456 UTC">22 Nov 2026, 11:58:03 UTC</time>'
    )


def test_local_time_uses_the_active_time_zone_and_keeps_utc_in_the_title() -> None:
    with django_timezone.override(timezone(timedelta(hours=2), "EET")):
        shown = display.local_time(NOON)

    assert "22 Nov 2026, 13:58:03 EET" in shown
    assert 'title="2026-11-22 11:58:03.123456 UTC"' in shown


def test_local_time_of_nothing_is_a_dash() -> None:
    assert display.local_time(None) == "—"


@pytest.mark.parametrize("name", sorted(display.ICONS))
def test_every_icon_is_well_formed_and_hidden_from_screen_readers(name: str) -> None:
    drawing = ET.fromstring(display.icon(name))

    assert drawing.get("aria-hidden") == "true"
    assert len(drawing) > 0


def test_an_unknown_icon_is_a_mistake_in_a_template() -> None:
    with pytest.raises(KeyError):
        display.icon("unicorn")


@pytest.mark.parametrize("name", [*display.STATUS_ICONS.values(), *display.KIND_ICONS.values()])
def test_statuses_and_kinds_name_icons_that_exist(name: str) -> None:
    assert name in display.ICONS


def test_status_badge_has_an_icon_and_the_word() -> None:
    badge = display.status_badge("timed_out", "Timed_out")

    assert badge.startswith('<span class="status" data-status="timed_out"><svg')
    assert badge.endswith("</svg>Timed_out</span>")


def test_status_badge_shows_a_status_it_does_not_know() -> None:
    assert 'data-icon="dot"' in display.status_badge("dozing", "Dozing")


def test_status_badge_escapes_what_it_is_given() -> None:
    assert "<script>" not in display.status_badge('"><script>', "<script>")


def test_kind_icon_names_the_symbols_of_the_three_kinds() -> None:
    kinds = ["once", "scheduled", "continuous"]

    assert [display.kind_icon(kind) for kind in kinds] == ["bolt", "repeat", "infinity"]


def test_thousands_groups_digits() -> None:
    assert [display.thousands(n) for n in (None, 0, 1234567)] == ["—", "0", "1,234,567"]


def test_the_tags_need_no_load() -> None:
    page = Template('{% icon "bolt" %}{% local_time at %}{{ took|duration }}')

    shown = page.render(Context({"at": None, "took": timedelta(seconds=4)}))

    assert shown.endswith("—4 s")


def test_wall_time_is_that_of_a_zone_to_the_minute() -> None:
    shown = display.wall_time(NOON, ZoneInfo("Asia/Tokyo"))

    assert shown.startswith('<time datetime="2026-11-22T20:58:03.123456+09:00">')
    assert "20:58</time>" in shown
    assert "11:58</time>" in display.wall_time(NOON)
    assert display.wall_time(None) == "—"


@pytest.mark.parametrize(
    ("days", "is_said"), [(0, False), (-290, False), (290, False), (310, True)]
)
def test_wall_time_names_the_year_only_where_it_is_far(days: int, is_said: bool) -> None:
    moment = django_timezone.now() + timedelta(days=days)

    assert (str(moment.year) in display.wall_time(moment).split(">")[1]) is is_said


def test_reader_time_says_its_zone_until_a_script_has_changed_it() -> None:
    assert display.reader_time(NOON).endswith("11:58\N{NO-BREAK SPACE}UTC</time>")


@pytest.mark.parametrize(
    ("zone", "name"),
    [("Europe/Berlin", "Berlin"), ("America/Argentina/Buenos_Aires", "Buenos Aires"), ("UTC",) * 2],
)
def test_place_says_a_zone_in_short(zone: str, name: str) -> None:
    assert display.place(zone) == name


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "Never"),
        (NOON, "0 s ago"),
        (NOON - timedelta(seconds=3.4), "3 s ago"),
        (NOON + timedelta(seconds=2), "0 s ago"),
        (NOON - timedelta(hours=2, minutes=5), "2 h 5 min ago"),
    ],
)
def test_ago_says_how_long_before(value: datetime | None, words: str) -> None:
    assert display.ago(value, NOON) == words
