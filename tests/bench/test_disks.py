"""What is said of disks that were full or failing: one loss, or one that does not heal, is a miss."""

from bench import disks
from bench.report import Row


def rows(name: str, lost: float = 0.0, *, healed: bool = True) -> list[Row]:
    found = [Row(name, f"lost: {what}", number, "") for what, number in (("services", lost), ("echoes", 0.0))]
    found.append(Row(name, disks.NAMED, 3.0, "s"))
    return [*found, Row(name, disks.HEALED, 5.0, "s")] if healed else found


def test_a_disk_that_costs_nothing_and_heals_reaches_its_target() -> None:
    assert disks.verdicts([*rows("full"), *rows("inodes")]) == [
        "full: 0 lost, healed by itself (target: none, by itself): reached",
        "inodes: 0 lost, healed by itself (target: none, by itself): reached",
    ]


def test_a_loss_or_a_disk_that_does_not_heal_misses_it() -> None:
    assert disks.verdicts([*rows("full", 1.0), *rows("failing", healed=False)]) == [
        "full: 1 lost, healed by itself (target: none, by itself): MISSED",
        "failing: 0 lost, did not heal (target: none, by itself): MISSED",
    ]
