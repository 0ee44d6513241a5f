"""A node keeps its name, and machines that look alike get none by accident."""

import hashlib
from uuid import UUID

import pytest

from hepto.config import Config, resolve
from hepto.errors import UserError
from hepto.given import Given, Source, SourceKind
from hepto.naming import node_name, usable_uuid
from hepto.values import LABEL

SMBIOS = "4C4C4544-0051-3410-8051-B5C04F375931"
MAC = "52:54:00:12:34:56"


def config(name: str | None = None) -> Config:
    """A configuration with or without a name."""
    source = Source(SourceKind.CMDLINE)
    given = [Given("name", name.encode(), source)] if name else []
    return resolve([Given("insecure", None, source), *given]).require()


def test_a_name_that_was_given_is_taken() -> None:
    assert node_name(config("one"), SMBIOS, MAC, ["two"]) == "one"


def test_a_data_directory_that_holds_one_node_keeps_its_name() -> None:
    assert node_name(config(), SMBIOS, MAC, ["two"]) == "two"


def test_a_data_directory_of_several_nodes_decides_nothing() -> None:
    assert node_name(config(), SMBIOS, MAC, ["two", "three"]) == node_name(config(), SMBIOS, MAC)


def test_the_name_is_that_of_the_uuid_as_sha256sum_shows_it() -> None:
    name = node_name(config(), SMBIOS + "\n", MAC)

    assert name == "node-" + hashlib.sha256(SMBIOS.lower().encode()).hexdigest()[:8]
    assert LABEL.fullmatch(name)


@pytest.mark.parametrize(
    "uuid",
    [
        None,
        "",
        str(UUID(int=0)),
        str(UUID(int=2**128 - 1)),
        "03000200-0400-0500-0006-000700080009",
        "FEFEFEFE-FEFE-FEFE-FEFE-FEFEFEFEFEFE",
        "Not Settable",
    ],
)
def test_a_uuid_that_many_machines_share_counts_as_absent(uuid: str | None) -> None:
    assert usable_uuid(uuid) is None
    assert node_name(config(), uuid, MAC) == "node-" + hashlib.sha256(MAC.encode()).hexdigest()[:8]


@pytest.mark.parametrize("mac", [None, "", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "52:54"])
def test_a_machine_without_any_identifier_needs_a_name(mac: str | None) -> None:
    with pytest.raises(UserError, match="neither an SMBIOS UUID nor a MAC"):
        node_name(config(), None, mac)
