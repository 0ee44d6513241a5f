"""Twice a day, the last five: from names and the time alone."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from hepto.backup import schedule

NOW = datetime(2026, 11, 30, 16, 15, 0, tzinfo=UTC)


def names(*hours: float) -> list[str]:
    """Of backups made so many hours before NOW."""
    return [schedule.name("demo", "one", NOW - timedelta(hours=ago), encrypted=True) for ago in hours]


def test_a_name_says_when_and_whose() -> None:
    name = schedule.name("demo", "one", NOW.astimezone(timezone(timedelta(hours=5))), encrypted=False)

    assert name == "demo-one-20261130T161500Z.tar.gz"
    assert schedule.made(name) == NOW
    assert names(0) == ["demo-one-20261130T161500Z.age"]


@pytest.mark.parametrize("name", ["", "state.json", "demo-one-2026.age", "demo-one-20261399T000000Z.age", ".x.1.tmp"])
def test_what_is_no_backup_is_left_alone(name: str) -> None:
    assert schedule.made(name) is None
    assert schedule.surplus([name] * 9 + names(1)) == ()


@pytest.mark.parametrize(
    ("hours", "wait"),
    [((), 0), ((1,), 11), ((30, 1), 11), ((11.5, 40), 0.5), ((12,), 0), ((100,), 0), ((-5,), 0), ((-5, 3), 9)],
)
def test_the_next_comes_twelve_hours_after_the_last(hours: tuple[float, ...], wait: float) -> None:
    """One of the future is of no use: the clock was wrong when it was made, or is now."""
    assert schedule.pause(names(*hours), NOW) == timedelta(hours=wait)


def test_five_are_kept_whatever_they_are_called() -> None:
    kept = names(5, 4, 3, 2, 1)

    assert schedule.surplus(kept) == ()
    assert schedule.surplus([*kept, "notes", *names(30, 20)]) == (names(30)[0], names(20)[0])
    assert schedule.backups(reversed(kept)) == tuple(kept)
