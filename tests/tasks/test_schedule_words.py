from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.schedule_words import describe, warnings
from tasks.schedules import Schedule

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * *", "Every minute"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("0,30 * * * *", "Every 30 minutes"),
        ("0 * * * *", "Every hour on the hour"),
        ("42 * * * *", "Every hour at minute 42"),
        ("5/15 * * * *", "Every hour at minutes 5, 20, 35 and 50"),
        ("*/25 * * * *", "Every hour at minutes 0, 25 and 50"),
        ("0-20,40 * * * *", "Every hour at minutes 0 to 20 and 40"),
        ("0 */2 * * *", "Every 2 hours from 00:00 to 22:00"),
        ("30 9-17 * * *", "Every hour from 09:30 to 17:30"),
        ("*/15 9-17 * * *", "Every 15 minutes from 09:00 to 17:45"),
        ("* 9-17 * * 1-5", "Every minute from 09:00 to 17:59 on Mondays to Fridays"),
        ("*/15 * * 1 *", "Every 15 minutes in January"),
        ("*/5 */6 * * *", "Every 5 minutes of the hours 0, 6, 12 and 18"),
        (
            "0,7,9 9-17 * * 6,0",
            "At minutes 0, 7 and 9 of the hours 9 to 17 on Saturdays and Sundays",
        ),
        ("0-11,13 4 1 * *", "At minutes 0 to 11 and 13 of the hour 4 on the 1st of every month"),
        ("0 1 * * *", "Every day at 01:00"),
        ("30 8,17,20 * * *", "Every day at 08:30, 17:30 and 20:30"),
        ("0 1 * * 0", "On Sundays at 01:00"),
        ("0 1 * * 7,1", "On Mondays and Sundays at 01:00"),
        ("0 1 * * fri-sun", "On Fridays to Sundays at 01:00"),
        ("0 1 * 2-4 sun", "On Sundays in February to April at 01:00"),
        ("0 1 * 1 *", "Every day in January at 01:00"),
        ("0 0 1-3,21,22,31 * *", "At 00:00 on the 1st to 3rd, 21st, 22nd and 31st of every month"),
        (
            "0 20 1,7,15,30 1,3,5 *",
            "At 20:00 on the 1st, 7th, 15th and 30th of January, March and May",
        ),
        ("0 0 29 2 *", "At 00:00 on the 29th of February"),
        ("0 0 31 * 1", "At 00:00 on the 31st of every month, or on Mondays"),
        ("0 0 31 1 1", "At 00:00 on the 31st of January, or on Mondays in January"),
        ("0 0 13 * */5", "At 00:00 on the 13th of every month, if that is a Friday or Sunday"),
        ("0 0 1-31 * 1", "Every day at 00:00"),
        ("0 0 1 * 0-6", "Every day at 00:00"),
        ("30 8 * * *\n0 17 * * *", "Every day at 08:30 and 17:00"),
        ("0 17 * * 1-5\n30 8 * * 1-5", "On Mondays to Fridays at 08:30 and 17:00"),
        ("0 3 * * *\n0 1 * * 0", "Every day at 03:00; on Sundays at 01:00"),
        ("*/4 8-20 * * *\n0 3 * * *", "Every 4 minutes from 08:00 to 20:56; every day at 03:00"),
        ("*/4 * * * *\n0-59/4 * * * *", "Every 4 minutes"),
    ],
)
def test_schedules_are_described(text: str, words: str) -> None:
    assert describe(Schedule.parse(text, "UTC", at=AT)) == words


BERLIN = "Europe/Berlin"
LORD_HOWE = "Australia/Lord_Howe"


@pytest.mark.parametrize(
    ("text", "zone", "sentences"),
    [
        ("0 8 * * *", BERLIN, []),
        ("*/15 * * * *", BERLIN, []),
        ("30 2 * * *", "Asia/Kathmandu", []),
        ("30 2 * * 1", BERLIN, []),
        (
            "30 2 * * *",
            BERLIN,
            [
                "29 Mar 2026: 02:30 does not exist; it will run at 03:00.",
                "25 Oct 2026: 02:30 happens twice; it will run once, the first time.",
            ],
        ),
        (
            "*/10 2 * * *",
            BERLIN,
            [
                "29 Mar 2026: 02:00 to 02:50 do not exist; it will run once, at 03:00.",
                "25 Oct 2026: 02:00 to 02:50 happen twice; each will run once, the first time.",
            ],
        ),
        (
            "0 */2 * * *",
            BERLIN,
            [
                "29 Mar 2026: 02:00 does not exist; it will run at 03:00.",
                "25 Oct 2026: the hour from 02:00 comes twice; it will run in both.",
            ],
        ),
        ("0 */3 * * *", BERLIN, []),
        ("0 0 * * *", "Africa/Cairo", ["24 Apr 2026: 00:00 does not exist; it will run at 01:00."]),
        (
            "45 */23 * * *\n40 1-23/2 * * *\n10 2 * * *",
            LORD_HOWE,
            [
                "5 Apr 2026: 01:40 happens twice; it will run once, the first time.",
                "4 Oct 2026: 02:10 does not exist; it will run at 02:30.",
            ],
        ),
        (
            "0 2 * * *\n0 2 1 * *\n0 2 * * *",
            BERLIN,
            [
                "29 Mar 2026: 02:00 does not exist; it will run at 03:00.",
                "25 Oct 2026: 02:00 happens twice; it will run once, the first time.",
            ],
        ),
        (
            "0 0 31 * *",
            "UTC",
            ["February, April, June, September and November have no 31st: it will not run then."],
        ),
        ("0 0 30,31 * *", "UTC", ["February has no 30th or 31st: it will not run then."]),
        ("0 0 30 1,2 *", "UTC", ["February has no 30th: it will not run then."]),
        ("0 0 31 1,3,12 *", "UTC", []),
        ("0 0 28,31 * *", "UTC", []),
        (
            "0 0 29,31 * *",
            "UTC",
            ["February has a 29th only in leap years: in other years it will not run then."],
        ),
        ("0 0 29 3-12 *", "UTC", []),
        ("0 0 31 * 1", "UTC", ["Runs on the 31st or on a Monday, whichever comes."]),
        (
            "0 0 1,15 * 1,0",
            "UTC",
            ["Runs on the 1st or 15th, or on a Monday or Sunday, whichever comes."],
        ),
        (
            "0 0 1 * 0-6",
            "UTC",
            ["Runs every day: a day of the month or a day of the week is enough."],
        ),
        ("* * * * *", BERLIN, ["Runs every minute: 1,440 runs a day."]),
        ("*/5 * * * *", "UTC", []),
        ("*/4 * * * *", "UTC", ["Runs 360 times a day."]),
        ("*/5 * * * *\n1 0 * * *", "UTC", ["Runs 289 times a day."]),
        ("*/5 * * * *\n1 0 * * 1", "UTC", ["Runs up to 289 times a day."]),
    ],
)
def test_surprises_are_named(text: str, zone: str, sentences: list[str]) -> None:
    assert warnings(Schedule.parse(text, zone, at=AT), at=AT) == sentences


def test_half_an_hour_which_comes_twice_is_named_by_its_ends() -> None:
    schedule = Schedule.stored("45 */23,1 * * *", LORD_HOWE)
    assert warnings(schedule, at=AT) == [
        "5 Apr 2026: the time between 01:30 and 02:00 comes twice; it will run in both."
    ]


def test_a_day_which_is_skipped_moves_to_another() -> None:
    schedule = Schedule.stored("0 13 * * *", "Pacific/Apia")
    assert warnings(schedule, at=datetime(2011, 12, 1, tzinfo=UTC))[:1] == [
        "30 Dec 2011: 13:00 does not exist; it will run at 00:00 on 31 Dec 2011."
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["*", "*/7", "0", "3,4", "0-12,14"]),
            st.sampled_from(["*", "*/3", "2", "1-5", "0,7,9"]),
            st.sampled_from(["*", "*/4", "31", "1-9", "1-31"]),
            st.sampled_from(["*", "*/5", "2", "1-4,12"]),
            st.sampled_from(["*", "*/2", "1", "5-7", "0-6"]),
        ).map(" ".join),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=100, deadline=None)
def test_every_schedule_has_words(lines: list[str]) -> None:
    schedule = Schedule.stored("\n".join(lines), BERLIN)
    words = describe(schedule)
    assert words[0].isupper()
    assert "  " not in words
    assert words == words.strip()
    assert all(sentence.endswith(".") for sentence in warnings(schedule, at=AT))
