import json

import pytest

from bench import memory
from bench.report import Row


def process(group: str, pss: int) -> dict[str, object]:
    return {"pid": 1, "name": "x", "group": group, "sizes": {"Pss": pss, "Rss": 2 * pss, "Anonymous": 0}}


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("/hepto/etcd", "etcd"),
        ("/hepto/shims", "shims"),
        ("/kubepods/burstable/pod1/c", "pods"),
        ("/init", "PID 1"),
        ("/", "PID 1"),
    ],
)
def test_a_process_belongs_to_its_control_group(group: str, name: str) -> None:
    assert memory.owner(group) == name


def test_shims_and_pods_are_in_one_sum_and_the_lab_is_in_none() -> None:
    groups = {"/init": 1024, "/hepto/etcd": 2048, "/hepto/lab": 4096, "/hepto/shims": 8192, "/kubepods/p": 16384}
    answer = {"processes": [process(group, pss) for group, pss in groups.items()], "available": 1024}

    rows = memory.rows_of(json.dumps(answer))

    assert Row("sum", "PSS", 3.0, "MiB") in rows
    assert Row("everything", "PSS", 27.0, "MiB") in rows
    assert Row("lab", "PSS", 4.0, "MiB") in rows
    assert Row("everything", "RSS", 54.0, "MiB") in rows
