"""What goes over an exec."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from init import handover, inheritance
from init.contract.service import Service
from init.contract.status import BootStatus, PhaseStatus, encode
from init.handover import DISTRUST, Handover, phases_before
from init.inheritance import GONE, Inherited
from init.service import Supervised


def test_what_is_written_is_read() -> None:
    reader, writer = os.pipe()
    told = Handover(1, {"fifo/init": reader}, {"etcd": Inherited(77, 3, 2, True, 5.5, False)}, "reboot")
    memory = told.write()

    assert handover.read(memory) == told
    os.close(reader)
    assert handover.read(memory).descriptors == {}
    os.close(writer)
    os.close(memory)


def test_it_can_be_read_again_and_is_not_trusted_after_some_tries() -> None:
    told = Handover(0, {}, {"etcd": Inherited(77)}, "reboot")
    memory = told.write()

    assert handover.read(memory, DISTRUST - 1) == told
    assert handover.read(memory, DISTRUST) == Handover(DISTRUST, {}, {}, "reboot")
    os.close(memory)


def test_a_descriptor_that_is_another_thing_than_its_name_says_is_not_taken_over() -> None:
    reader, writer = os.pipe()
    with socket.socket(socket.AF_UNIX) as sock:
        told = Handover(0, {"notify": reader, "control": sock.fileno(), "fifo/a": sock.fileno(), "fifo/b": writer})
        memory = told.write()

        assert handover.read(memory).descriptors == {"control": sock.fileno(), "fifo/b": writer}
    for descriptor in (reader, writer, memory):
        os.close(descriptor)


@pytest.mark.parametrize(
    "fields", [{"starts": "3"}, {"held": 1}, {"up_since": None}, {"started": True, "x": 1}, [], "text", {"spec": 1}]
)
def test_a_service_whose_fields_make_no_sense_is_not_inherited(fields: object) -> None:
    found = handover.parse({"generation": 0, "services": {"etcd": fields, "kubelet": {"starts": 3}}})

    assert found.services == {"kubelet": Inherited(starts=3)}


def test_a_generation_that_is_distrusted_takes_over_descriptors_only() -> None:
    reader, writer = os.pipe()
    told = Handover(DISTRUST, {"fifo/init": reader}, {"etcd": Inherited()}, "reboot")
    memory = told.write()

    assert handover.read(memory) == Handover(DISTRUST, {"fifo/init": reader}, {}, "reboot")
    for descriptor in (reader, writer, memory):
        os.close(descriptor)


def test_a_memfd_that_is_none_is_distrusted() -> None:
    assert handover.read(10**6) == Handover(DISTRUST)
    descriptor = os.memfd_create("x")
    os.write(descriptor, b"{")

    assert handover.read(descriptor) == Handover(DISTRUST)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(("generation", "descriptors", "services", "action", "x")), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(plain)
def test_no_content_makes_reading_raise(value: Any) -> None:
    found = handover.parse(json.loads(json.dumps(value)))

    assert isinstance(found.generation, int)
    assert found.action in ("", "poweroff", "reboot")


def test_what_is_inherited_of_a_service_goes_there_and_back() -> None:
    spec = Service(("/bin/x", "ä"), env={"A": "b"}, after=("y",))
    service = Supervised("x", spec, 0.0)
    service.hold()

    told = inheritance.of(service)
    assert (told.held, told.service) == (True, spec)
    assert inheritance.of(Supervised("x", GONE, 0.0)).service is None
    assert told._replace(spec="{").service is None


def test_phases_that_make_no_sense_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    path = tmp_path / "boot.json"
    assert phases_before(str(path)) is None
    for content in (b"", b"[]", b'{"phases": 1}', b'{"phases": [{}]}', b"[" * 100_000, b'{"phases": [{"name": []}]}'):
        path.write_bytes(content)
        assert phases_before(str(path)) is None
    path.write_bytes(encode(BootStatus((PhaseStatus("a"),))))
    assert phases_before(str(path)) == BootStatus((PhaseStatus("a"),))
