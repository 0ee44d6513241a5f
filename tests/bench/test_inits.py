from pathlib import Path

from bench import inits, roots


def test_what_a_trial_has_said_is_read_in_its_order() -> None:
    said = (
        "\x1b[0mtrial \r\nready: node one\r\ntrial kill 20500000\r\ntrial lost 0\r\nup=1 trial kill 7\r\ntrial over\r\n"
    )

    assert inits.results(said) == [("kill", 20500000), ("lost", 0)]


def test_every_init_but_hepto_is_told_its_trial_by_the_kernel() -> None:
    for variant in inits.MAKERS:
        machine = inits.machine(variant, Path("image"), "disk", ("orphans", "1000", "5"))

        assert ("bench.trial=orphans:1000:5" in machine.options) == (variant != inits.HEPTO)
        assert machine.icount


def test_no_init_pauses_before_a_restart() -> None:
    found = inits.units("DefaultDependencies=no\n")

    assert "Restart=always\nRestartSec=0\n" in found["served.service"]
    assert "[Unit]\nStartLimitIntervalSec=0\nDefaultDependencies=no\n[Service]" in found["served.service"]
    assert "::respawn:/usr/bin/served\n" in inits.BUSYBOX
    assert inits.BUSYBOX.startswith(roots.BUSYBOX["etc/inittab"])
