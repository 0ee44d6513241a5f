"""The demo's objects, and the reading of what a pod printed."""

import os
import subprocess
from pathlib import Path
from typing import Any

from hepto.lab.demo import IMAGE, LOOKUP, REPLICAS, Pod, Saw, ask, complete, describe, objects, pods, read, table

OUTPUT = """Server:\t\tfd2a:9751:6c35:300::a
Address:\t[fd2a:9751:6c35:300::a]:53

Name:\tkubernetes.default.svc.cluster.local
Address: fd2a:9751:6c35:300::1

reached hello-7d4b9-abcde
answer hello-7d4b9-abcde
answer hello-7d4b9-fghij
"""


def test_the_pods_need_no_registry() -> None:
    deployment, service = objects()["items"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert container["image"] == IMAGE
    assert container["imagePullPolicy"] == "Never"
    assert deployment["spec"]["replicas"] == REPLICAS == 2
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]


def test_the_address_is_the_name_s_and_not_the_resolver_s() -> None:
    assert read(OUTPUT) == Saw(
        "fd2a:9751:6c35:300::1",
        frozenset({"hello-7d4b9-abcde", "hello-7d4b9-fghij"}),
        frozenset({"hello-7d4b9-abcde"}),
    )


def test_nothing_seen_is_nothing_and_no_error() -> None:
    assert read("") == Saw("", frozenset())
    assert read("answer \nanswer a b\n") == Saw("", frozenset())


def run(script: str, tmp_path: Path, *answers: str) -> list[str]:
    """What the script prints when wget gets these answers one after the other ("-" is a failure)."""
    for name, body in {
        "nslookup": "echo 'Server: x'; echo; echo \"Name: $2\"; echo Address: fd::1",
        "wget": 'read -r first; [ "$first" = - ] || [ -z "$first" ] && exit 1; echo "$first"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        input="".join(f"{answer}\n" for answer in answers),
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True,
    )
    assert f"Name: {LOOKUP}" in done.stdout
    return [line for line in done.stdout.splitlines() if line.startswith(("answer", "reached"))]


def test_the_script_stops_when_all_pods_have_answered(tmp_path: Path) -> None:
    assert run(ask(2), tmp_path, "a", "a", "b", "c") == ["answer a", "answer b"]


def test_the_script_asks_each_address_and_goes_on_if_one_is_silent(tmp_path: Path) -> None:
    said = run(ask(2, ["fd::a", "fd::b"]), tmp_path, "a", "-", "b", "a")

    assert said == ["reached a", "reached ", "answer b", "answer a"]


def test_the_script_gives_up_after_three_requests_without_an_answer(tmp_path: Path) -> None:
    assert run(ask(3), tmp_path, "a", "-", "b", "-", "-", "c") == ["answer a", "answer b"]


def test_with_several_nodes_each_gets_a_pod() -> None:
    workload, service = objects(everywhere=True)["items"]

    assert workload["kind"] == "DaemonSet"
    assert "replicas" not in workload["spec"]
    assert service == objects()["items"][1]


def item(name: str, node: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **more}, "spec": {"nodeName": node}, "status": {"podIP": f"fd::{name}"}}


def test_pods_that_end_or_have_no_address_yet_are_not_asked() -> None:
    starting: dict[str, Any] = {"metadata": {"name": "d"}, "spec": {}, "status": {}}

    found = pods([item("b", "two"), item("a", "one"), item("c", "two", deletionTimestamp="now"), starting])

    assert found == (Pod("a", "one", "fd::a"), Pod("b", "two", "fd::b"))


BOTH = frozenset({"a", "b"})


def test_it_is_complete_when_each_reached_each_both_ways_and_dns_answered() -> None:
    one, two = Pod("a", "one", "fd::a", Saw("fd::1", BOTH, BOTH)), Pod("b", "two", "fd::b", Saw("fd::1", BOTH, BOTH))

    assert complete([one, two])
    for saw in (None, Saw("", BOTH, BOTH), Saw("fd::1", frozenset("a"), BOTH), Saw("fd::1", BOTH, frozenset("b"))):
        assert not complete([one, Pod("b", "two", "fd::b", saw)])


def test_the_table_shows_who_reached_whom() -> None:
    one = Pod("a", "one", "fd::a", Saw("fd::1", BOTH, BOTH))
    two = Pod("b", "two", "fd::b", Saw("", frozenset("b"), frozenset("b")))

    assert table([one, two]) == (
        ("FROM", "TO one", "TO two", "SERVICE", "DNS"),
        [("one", "yes", "yes", "2 of 2", "fd::1"), ("two", "no", "yes", "1 of 2", "no answer")],
    )


def test_a_person_sees_who_answered() -> None:
    assert "answered by a and b" in describe(Saw("fd::1", frozenset({"b", "a"})))
