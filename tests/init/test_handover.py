"""What goes over an exec."""

import json
import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from init import handover
from init.handover import DISTRUST, Handover
from init.supervisor import Inherited


def test_what_is_written_is_read() -> None:
    reader, writer = os.pipe()
    told = Handover(1, {"notify": reader}, {"etcd": Inherited(77, 3, 2, True, 5.5, False)}, "reboot")

    assert handover.read(told.write()) == told
    os.close(reader)
    assert handover.read(told.write()).descriptors == {}
    os.close(writer)


def test_a_generation_that_is_distrusted_takes_over_descriptors_only() -> None:
    reader, writer = os.pipe()
    told = Handover(DISTRUST, {"notify": reader}, {"etcd": Inherited()}, "reboot")

    assert handover.read(told.write()) == Handover(DISTRUST, {"notify": reader}, {}, "reboot")
    os.close(reader)
    os.close(writer)


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
    assert isinstance(found.action, str)
