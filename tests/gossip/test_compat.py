"""What the two kinds of clusters have on the wire."""

import pytest

from hepto.gossip import plain, serf
from hepto.gossip.compat import Compat
from hepto.gossip.plain import EndpointRecord, Meta

META = Meta(None, EndpointRecord((bytes(16),), 0, 0, 1))


def test_only_ours_has_the_cluster_s_name_as_its_label() -> None:
    assert Compat.NONE.label("demo") == b"demo"
    assert Compat.SERF.label("demo") == b""


def test_each_speaks_its_own_application_version() -> None:
    assert Compat.NONE.application(b"one").versions == plain.VERSIONS
    assert Compat.SERF.application(b"one").versions == serf.VERSIONS


@pytest.mark.parametrize("compat", list(Compat))
def test_the_meta_is_known_as_ours_and_read_again(compat: Compat) -> None:
    assert compat.application(b"one").is_ours(compat.meta(META))
    assert compat.read(compat.meta(META)) == META
    assert compat.read(b"someone else's") is None


def test_tags_are_serf_s_only() -> None:
    assert b"role" in Compat.SERF.meta(META, {b"role": b"db"})
    assert Compat.NONE.meta(META, {b"role": b"db"}) == plain.encode_meta(META)


@pytest.mark.parametrize("compat", list(Compat))
def test_a_meta_that_nobody_would_take_is_not_sent(compat: Compat) -> None:
    with pytest.raises(ValueError, match="at most 512"):
        compat.meta(META._replace(grant=bytes(500)))
