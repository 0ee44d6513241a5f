import pytest

from init.contract import bootid


def test_this_boot_has_an_identifier(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(bootid.boot_id()) == 36
    monkeypatch.setattr(bootid, "PATH", "/no/such/file")
    assert bootid.boot_id() == ""
