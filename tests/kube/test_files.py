"""Plans are added up; a restart key follows contents."""

from hepto.kube.files import Directory, File, KubePlan, json_file, restart_key
from init.contract.service import Service


def test_plans_add_up_in_order() -> None:
    one = KubePlan((Directory("/a"),), (File("/a/x", b"1"),), ("/gone",), {"a": Service(("/a",))})
    two = KubePlan((Directory("/b"),), (File("/b/x", b"2"),), (), {"b": Service(("/b",))})

    assert one + two == KubePlan(
        (Directory("/a"), Directory("/b")),
        (File("/a/x", b"1"), File("/b/x", b"2")),
        ("/gone",),
        {"a": Service(("/a",)), "b": Service(("/b",))},
    )


def test_a_restart_key_follows_the_content_and_its_borders() -> None:
    keys = {
        restart_key(File("/x", b"ab"), File("/y", b"c")),
        restart_key(File("/x", b"a"), File("/y", b"bc")),
        restart_key(File("/x", b"abc")),
    }

    assert len(keys) == 3
    assert restart_key(File("/elsewhere", b"abc", 0o600)) in keys


def test_json_files_end_in_a_newline() -> None:
    assert json_file("/x", {"a": ["b"]}) == File("/x", b'{\n "a": [\n  "b"\n ]\n}\n', 0o644)
