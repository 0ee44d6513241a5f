"""Which modules are asked for."""

from pathlib import Path

from init import modules


def test_each_alias_is_found_once_on_whatever_bus_but_the_processors(tmp_path: Path) -> None:
    for place, alias in {
        "sys/bus/pci/devices/0000:00:01.0": "pci:a\n",
        "sys/bus/pci/devices/0000:00:02.0": "pci:a\n",
        "sys/bus/acpi/devices/PNP0A03:00": "acpi:PNP0A03:\n",
        "sys/bus/cpu/devices/cpu0": "cpu:type:x86\n",
        "sys/bus/usb/devices/empty": "\n",
    }.items():
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "modalias").write_text(alias)
    (tmp_path / "sys/bus/platform/devices/none").mkdir(parents=True)

    assert modules.aliases(str(tmp_path)) == ("acpi:PNP0A03:", "pci:a")


def test_a_machine_without_buses_has_no_aliases(tmp_path: Path) -> None:
    assert modules.aliases(str(tmp_path)) == ()


def test_only_devices_that_come_are_of_interest() -> None:
    events = (
        {"ACTION": "add", "MODALIAS": "b"},
        {"ACTION": "add", "MODALIAS": "a"},
        {"ACTION": "add", "MODALIAS": "a"},
        {"ACTION": "add"},
        {"ACTION": "bind", "MODALIAS": "c"},
        {"ACTION": "add", "MODALIAS": "cpu:type:x86"},
    )

    assert modules.aliases_of(events) == ("a", "b")


def test_an_alias_is_never_taken_for_an_option() -> None:
    command = modules.command(("-r",))

    assert command.index("--") < command.index("-r")


def test_what_is_always_loaded_is_named_once() -> None:
    names = (*modules.EARLY, *modules.SOON, *modules.LATER)

    assert len(set(names)) == len(names)


def test_the_operator_may_name_more() -> None:
    assert modules.ordered("kvm-amd,,ib_core") == ("kvm-amd", "ib_core")
    assert modules.ordered("") == ()
