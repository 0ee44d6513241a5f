"""Machine-wide sysctls."""

from pathlib import Path

from init import sysctls
from init.sysctls import Sysctl


def test_values_are_written_and_unknown_names_are_passed_over(tmp_path: Path) -> None:
    (directory := tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (directory / "panic").write_text("0\n")

    refused = sysctls.apply((Sysctl("kernel/panic", "10"), Sysctl("kernel/nowhere", "1")), str(tmp_path))

    assert (directory / "panic").read_text().startswith("10")
    assert refused == []


def test_a_refusal_is_told_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/a").mkdir(parents=True)
    (tmp_path / "proc/sys/b").write_text("")

    assert sysctls.apply((Sysctl("a", "1"), Sysctl("b", "2")), str(tmp_path)) == ["a = 1: Is a directory"]
    assert (tmp_path / "proc/sys/b").read_text() == "2"


def test_what_is_below_sys_is_written_there(tmp_path: Path) -> None:
    (file := tmp_path / "sys/kernel/mm").parent.mkdir(parents=True)
    file.write_text("[always]")

    assert sysctls.apply((Sysctl("kernel/mm", "never   ", sysctls.SYS),), str(tmp_path)) == []
    assert file.read_text() == "never   "


def test_kubelet_finds_what_it_wants() -> None:
    """The values of pkg/kubelet/cm: setupKernelTunables."""
    wanted = {
        "vm/overcommit_memory": "1",
        "vm/panic_on_oom": "0",
        "kernel/panic": "10",
        "kernel/panic_on_oops": "1",
        "kernel/keys/root_maxkeys": "1000000",
        "kernel/keys/root_maxbytes": "25000000",
    }

    assert wanted.items() <= {item.name: item.value for item in sysctls.TABLE}.items()


def test_nothing_of_an_interface_or_of_forwarding_is_here() -> None:
    assert not [item.name for item in sysctls.TABLE if item.name.startswith(("net/ipv4", "net/ipv6"))]


def test_no_name_comes_twice() -> None:
    names = [item.name for item in sysctls.TABLE]

    assert len(set(names)) == len(names)
