import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import certificates, report
from hepto.pki.profiles import held_by
from hepto.pki.signer import enrolled_subject
from hepto.values import Role


def test_nodes_join_and_every_part_is_timed(tmp_path: Path) -> None:
    rows = asyncio.run(certificates.measure(tmp_path, 2))

    assert [row.variant for row in rows if row.what == "time"] == ["certificates", "join", "enrol"] * 2
    assert all(row.value > 0 for row in rows)
    assert report.median(rows, "join", "processor time") > report.median(rows, "certificates", "processor time")
    for name in ("node0", "node1", "node2"):
        assert (tmp_path / name / "pki" / "grant").exists()


def test_the_certificates_are_those_that_a_worker_keeps(tmp_path: Path) -> None:
    async def made() -> set[str]:
        async with certificates.master(tmp_path) as site:
            worker = certificates.node(tmp_path, "node1")
            keys, signed = certificates.make(worker, site.issuer, datetime.now(UTC))
            assert all(signed[name].public_key() == key.public_key() for name, key in keys.items())
            return set(signed)

    subject = enrolled_subject("bench", "node1", Role.NODE)

    assert asyncio.run(made()) == {profile.name for profile in held_by(subject)}


def test_it_prints_the_verdicts_and_keeps_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)

    assert certificates.main(["--runs", "1"]) == 0

    printed = capsys.readouterr().out
    assert "time: certificates / 5 = " in printed
    assert "time: join / 50 = " in printed
    assert "processor time: join / certificates = " in printed
    assert len((tmp_path / "certificates.csv").read_text().splitlines()) == 7


def test_no_more_nodes_than_the_key_lets_in(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        certificates.main(["--runs", "32"])

    assert "1-31" in capsys.readouterr().err
