import pytest

from bench import gossip_systems
from bench.gossip_systems import META_BYTES, SYSTEMS
from bench.gossip_views import Sight, What
from hepto.gossip import plain
from hepto.gossip.plain import EndpointRecord, Meta


@pytest.mark.parametrize(
    ("line", "sight"),
    [
        ("    2026/01/02 03:04:05 [INFO] serf: EventMemberJoin: n2 fd00:9::2", Sight(What.JOINED, "n2")),
        ("    2026/01/02 03:04:05 [INFO] serf: EventMemberFailed: n20 fd00:9::14", Sight(What.FAILED, "n20")),
        ("    2026/01/02 03:04:05 [INFO] serf: EventMemberLeave: n3 fd00:9::3", Sight(What.LEFT, "n3")),
        ("    2026/01/02 03:04:05 [INFO] serf: EventMemberLeave (forced): n3 fd00:9::3", Sight(What.LEFT, "n3")),
        ("    2026/01/02 03:04:05 [INFO] agent: Received event: member-failed", None),
        ("    2026/01/02 03:04:05 [INFO] memberlist: Suspect n20 has failed, no acks received", None),
    ],
)
def test_a_line_of_serf_s_log_tells_what_it_sees(line: str, sight: Sight | None) -> None:
    assert gossip_systems.serf_parse(line) == sight


@pytest.mark.parametrize(
    ("change", "what"),
    [("joined", What.JOINED), ("failed", What.FAILED), ("left", What.LEFT), ("suspected", None), ("started", None)],
)
def test_a_line_of_hepto_tells_what_it_sees(change: str, what: What | None) -> None:
    sight = gossip_systems.hepto_parse(f'{{"change": "{change}", "name": "n7"}}')

    assert sight == (Sight(what, "n7") if what else None)


@pytest.mark.parametrize(
    ("event", "what"),
    [
        ("MemberJoined", What.JOINED),
        ("MemberDead", What.FAILED),
        ("MemberLeft", What.LEFT),
        ("MemberSuspect", None),
        ("MemberRecovered", None),
    ],
)
def test_an_event_of_kinship_tells_what_it_sees(event: str, what: What | None) -> None:
    sight = gossip_systems.kinship_parse(f'{{"event": "{event}", "name": "n7"}}')

    assert sight == (Sight(what, "n7") if what else None)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_member_knows_its_own_address_and_joins_others_only(system: str) -> None:
    first, tenth = SYSTEMS[system].argv(1), SYSTEMS[system].argv(10)

    assert any("[fd00:9::1]:7946" in word for word in first)
    assert sum("[fd00:9::1]:7946" in word for word in first) == 1
    assert sum("[fd00:9::1]:7946" in word for word in tenth) == 1
    assert sum("[fd00:9::a]:7946" in word for word in tenth) == 1


def test_metadata_of_hepto_are_as_long_as_those_of_serf() -> None:
    grant = gossip_systems.text(1, META_BYTES - gossip_systems.HEPTO_META_OVERHEAD).encode()
    record = EndpointRecord((bytes(range(16)),), 0, 0, 1_800_000_000)

    assert len(plain.encode_meta(Meta(grant, record))) == META_BYTES


def test_metadata_differ_between_members_and_not_between_runs() -> None:
    assert gossip_systems.text(1, META_BYTES) == gossip_systems.text(1, META_BYTES)
    assert gossip_systems.text(1, META_BYTES) != gossip_systems.text(2, META_BYTES)
    assert len(gossip_systems.text(1, META_BYTES)) == META_BYTES
