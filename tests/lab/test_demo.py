"""The demo's objects, and the reading of what a pod printed."""

from hepto.lab.demo import ASK, IMAGE, REPLICAS, Saw, describe, objects, read

OUTPUT = """Server:\t\tfd2a:9751:6c35:300::a
Address:\t[fd2a:9751:6c35:300::a]:53

Name:\tkubernetes.default.svc.cluster.local
Address: fd2a:9751:6c35:300::1

answer hello-7d4b9-abcde
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
    assert read(OUTPUT) == Saw("fd2a:9751:6c35:300::1", frozenset({"hello-7d4b9-abcde", "hello-7d4b9-fghij"}))


def test_nothing_seen_is_nothing_and_no_error() -> None:
    assert read("") == Saw("", frozenset())
    assert read("answer \nanswer a b\n") == Saw("", frozenset())


def test_the_script_stops_at_the_second_pod() -> None:
    assert "first:=$name" in ASK
    assert "{" not in ASK.replace("${first", "")


def test_a_person_sees_who_answered() -> None:
    assert "answered by a and b" in describe(Saw("fd::1", frozenset({"b", "a"})))
