import json

import pytest

from hepto.edge import logs
from hepto.errors import UserError
from init.logread import Line

LINES = [Line("first", 0, 1_700_000_000.25, 5.0), Line("second", 6, None, 5.5), Line("thïrd", 13, None, None)]


def test_lines_carry_the_time_as_far_as_it_is_known() -> None:
    assert [logs.as_text(line) for line in LINES] == [
        "2023-11-14T22:13:20.250000Z first",
        "5.500 second",
        "- thïrd",
    ]


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, LINES[2:]), (2, LINES[1:]), (9, LINES), (None, LINES)])
def test_only_the_last_lines_are_shown(count: int | None, expected: list[Line]) -> None:
    assert list(logs.last(LINES, count)) == expected


def test_machines_get_an_object_a_line() -> None:
    found = [json.loads(logs.as_object(line)) for line in LINES]

    assert found[0] == {"time": "2023-11-14T22:13:20.250000Z", "boot": 5.0, "text": "first"}
    assert found[2] == {"time": None, "boot": None, "text": "thïrd"}


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    logs.check("etcd", ("agent", "etcd"))
    with pytest.raises(UserError) as caught:
        logs.check("etc", ("agent", "etcd"))

    assert "agent, etcd" in caught.value.hint
