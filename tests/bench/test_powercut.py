"""From what was heard and a log to disks that are looked at, without any machine: the log is made here."""

import io
import random
from pathlib import Path

from bench.powercut import Looker, Survivor, cuts, rows, summary
from bench.recording import Heard, Recording
from bench.replay import Replay
from bench.survival import Told
from bench.writelog import Cut, Fate, Patch, WriteLog, cut
from tests.bench.test_writelog import FLUSH, SECTOR, Request, encoded

SIZE = 64 * SECTOR


def test_what_was_heard_holds_from_the_end_of_the_log_at_that_time(tmp_path: Path) -> None:
    data = encoded([Request(0, 1, fill=1), FLUSH, Request(1, 1, fill=2), FLUSH])
    (path := tmp_path / "log").write_bytes(data[: 3 * SECTOR])
    recording = Recording(path, SIZE, "demo/one")
    recording.note("durable", 1)
    path.write_bytes(data[: 4 * SECTOR])
    recording.note(files={"pki/ca.crt": "ab"})
    path.write_bytes(data)
    recording.note("durable", 2)

    told = list(recording.told(WriteLog(io.BytesIO(data))))

    assert told == [
        (0, Told()),
        (1, Told({}, {"durable": 1})),
        (2, Told({"pki/ca.crt": "ab"}, {"durable": 1})),
        (4, Told({"pki/ca.crt": "ab"}, {"durable": 2})),
    ]
    assert recording.known == {"pki/ca.crt": "ab"}
    assert recording.heard[0] == Heard(3 * SECTOR, "durable", 1)


def test_disks_are_made_in_the_order_of_the_cuts(tmp_path: Path) -> None:
    log = WriteLog(
        io.BytesIO(encoded([Request(0, 1, fill=1), FLUSH, Request(1, 2, fill=2), FLUSH, Request(0, 1, fill=3)]))
    )
    replay = Replay(log, SIZE, tmp_path)

    def disk(position: int, flushed: int, *patches: Patch) -> list[int]:
        replay.disk(Cut(position, flushed, Fate.ANY, patches), tmp_path / "disk")
        data = (tmp_path / "disk").read_bytes()
        assert len(data) == SIZE
        return [data[0], data[SECTOR], data[2 * SECTOR]]

    assert disk(1, 0) == [0, 0, 0]
    assert disk(3, 1) == [1, 0, 0]
    assert disk(3, 1, Patch(2, SECTOR, 2 * SECTOR)) == [1, 2, 0]
    assert disk(4, 3) == [1, 2, 2]
    assert disk(5, 3, Patch(4, 0, SECTOR)) == [3, 2, 2]
    assert disk(5, 3) == [1, 2, 2]


def test_cuts_are_at_random_moments_in_their_order_and_the_same_for_a_seed() -> None:
    log = WriteLog(io.BytesIO(encoded([FLUSH] * 50)))

    found = cuts(log, 20, 1)

    assert found == cuts(log, 20, 1) != cuts(log, 20, 2)
    positions = [one.position for one in found]
    assert positions == sorted(positions)
    assert set(positions) <= set(range(1, 51))
    assert len(set(positions)) > 10


def test_a_disk_is_held_against_what_had_been_told_at_that_moment(tmp_path: Path) -> None:
    """The disk stays blank: fine as long as nothing was told, and a loss from then on."""
    data = encoded([FLUSH, FLUSH, FLUSH])
    (path := tmp_path / "log").write_bytes(data)
    recording = Recording(path, 1 << 20, "demo/one", [Heard(3 * SECTOR, files={"pki/ca.crt": "ab"})])
    log = WriteLog(io.BytesIO(data))
    looker = Looker(recording, log, tmp_path)

    before, after = [looker.look(cut(log.entries, position, random.Random(0))) for position in (1, 2)]

    assert before.wrong == ()
    assert not (tmp_path / "cut-1.raw").exists()
    assert after.wrong[0].startswith("a boot would not mount it: Format")
    assert (tmp_path / "cut-2.raw").exists(), "a disk with something wrong is kept"


def survivor(wrong: str = "", told: int = 0, naive: str = "") -> Survivor:
    return Survivor(
        Cut(1, 0, Fate.ALL, ()), Told({}, {"naive": told} if told else {}), (wrong,) if wrong else (), naive
    )


def test_all_disks_have_to_be_whole_and_the_baseline_has_to_lose_something() -> None:
    found = rows([survivor(), survivor(told=3, naive="naive is at 1, and 3 had been told"), survivor(told=3)], ["", ""])

    assert [row.variant for row in found] == ["unflushed: all"] * 5 + ["Ready again"] * 2, "few lines on a page"
    assert summary(found) == [
        "disks: 3 of 3 (target: all): reached",
        "naive lost: 1 of 2 (target: some): reached",
        "booted: 2 of 2 (target: all): reached",
    ]


def test_one_loss_or_a_baseline_without_any_misses_the_target() -> None:
    found = rows([survivor("pki/ca.crt is lost", told=3)], ["it is not ready"])

    assert [line.rpartition(" ")[2] for line in summary(found)] == ["MISSED"] * 3
