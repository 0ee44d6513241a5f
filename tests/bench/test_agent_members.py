from bench import agent_members


def test_every_member_is_known_to_gossip_and_a_peer() -> None:
    rows, agent = agent_members.measure(agent_members.make(5))

    assert [row.what for row in rows] == ["before", "after", "growth"]
    assert {claim.name for claim in agent.core.members()} == {b"own", *(b"node%d" % number for number in range(1, 6))}
    assert [peer.name for peer in agent.roster.peers()] == [f"node{number}" for number in range(1, 6)]
    assert all(peer.endpoints for peer in agent.roster.peers())
    assert not agent.roster.refused
