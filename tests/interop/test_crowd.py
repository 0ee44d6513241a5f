"""Twenty agents, half of each release, and twenty members of ours are one cluster, and behave as one."""

import signal

from bench.gossip_views import What
from tests.interop.world import NEW, OLD, Agent, Key, Member, Ours, World, together

EACH = 20


@together
def test_forty_see_each_other_come_and_go(world: World) -> None:
    key = Key()
    for_ours = world.key_file(key)
    for_agents = (f"-encrypt={key.base64}", "-retry-interval=1s")

    def one_of_ours(number: int, anchor: Member) -> Ours:
        return world.ours(f"o{number}", EACH + number, for_ours, f"--anchor={anchor.endpoint}")

    def agent(number: int, *anchors: Member) -> Agent:
        joins = [f"-retry-join={anchor.endpoint}" for anchor in anchors]
        return world.agent(f"s{number}", number, *for_agents, *joins, release=(OLD, NEW)[number % 2])

    agents = [agent(1)]
    ours = [one_of_ours(number, agents[0]) for number in range(1, EACH + 1)]
    agents += [agent(number, ours[number % EACH]) for number in range(2, EACH + 1)]
    everybody: list[Member] = [*agents, *ours]
    world.until_all_see(ours, whom=everybody)
    for one in agents:  # when so many join at once, some agent misses some news until its next push/pull, in a minute
        one.does("join", ours[0].endpoint)
    world.until_all_see(everybody)

    for victim in (ours[3], agents[4]):
        world.kill(victim)
        everybody.remove(victim)
        world.until_all_say(everybody, What.FAILED, victim)
    assert ours[5].end(signal.SIGINT) == 0
    agents[6].does("leave")
    for leaver in (ours[5], agents[6]):
        world.excuse(leaver.endpoint)
        everybody.remove(leaver)
        world.until_all_say(everybody, What.LEFT, leaver)
    everybody += [one_of_ours(4, agents[9]), agent(5, ours[9])]
    world.until_all_see(everybody)

    assert all(member.refused() == {} for member in ours if not member.has_ended())
