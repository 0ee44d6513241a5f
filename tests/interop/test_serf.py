"""A few agents of both releases and members of ours in one cluster: whatever one does, the others see it as it is."""

import signal

from bench.gossip_views import What
from tests.interop.world import NEW, OLD, Agent, Ours, World, together


def mixed(world: World, *, serf: tuple[str, ...] = (), ours: tuple[str, ...] = ()) -> tuple[Agent, Agent, Ours, Ours]:
    """Two agents and two of ours; one joined an agent, one agent joined ours."""
    old = world.agent("old", 1, *serf, release=OLD)
    one = world.ours("one", 2, f"--anchor={old.endpoint}", *ours)
    world.until(one.answers, "it answers")
    new = world.agent("new", 3, f"-join={one.endpoint}", *serf, release=NEW)
    two = world.ours("two", 4, f"--anchor={one.endpoint}", *ours)
    world.until_all_see((old, new, one, two))
    return old, new, one, two


@together
def test_they_see_each_other_whoever_joined_whom(world: World) -> None:
    old, new, one, two = mixed(world, serf=("-tag=role=db",), ours=("--tag=role=web",))

    for agent in (old, new):
        found = agent.members()
        assert {name: member["status"] for name, member in found.items()} == dict.fromkeys(found, "alive")
        assert found["one"]["addr"] == one.endpoint
        assert found["one"]["tags"]["role"] == "web"
        assert found["one"]["protocol"] == found["old"]["protocol"]
    for member in (one, two):
        told = {known["name"]: (known["address"], known["status"]) for known in member.report()["members"]}
        assert told["new"] == (new.endpoint, "alive")
    assert one.refused() == two.refused() == {}


@together
def test_who_leaves_has_left_and_not_failed(world: World) -> None:
    old, new, one, two = mixed(world)

    assert two.end(signal.SIGINT) == 0
    world.until_all_say((old, new, one), What.LEFT, two)
    new.does("leave")
    world.until_all_say((old, one), What.LEFT, new)

    assert {name: member["status"] for name, member in old.members().items()} == {
        "old": "alive",
        "one": "alive",
        "two": "left",
        "new": "left",
    }
    assert {known["name"]: known["status"] for known in one.report()["members"]}["new"] == "left"


@together
def test_who_is_killed_has_failed_and_may_come_back(world: World) -> None:
    old, new, one, two = mixed(world)

    world.kill(two)
    world.until_all_say((old, new, one), What.FAILED, two)
    world.kill(new)
    world.until_all_say((old, one), What.FAILED, new)
    two = world.ours("two", 4, f"--anchor={old.endpoint}")
    new = world.agent("new", 3, f"-join={one.endpoint}")

    world.until_all_see((old, new, one, two))


@together
def test_who_was_only_slow_is_back_without_a_restart(world: World) -> None:
    old, new, one, two = mixed(world)

    two.process.send_signal(signal.SIGSTOP)
    world.until(lambda: old.says("Suspect two") or new.says("Suspect two"), "an agent suspects ours")
    two.process.send_signal(signal.SIGCONT)
    new.process.send_signal(signal.SIGSTOP)
    world.until(lambda: one.told("suspected", new) > 0, "ours suspects an agent")
    new.process.send_signal(signal.SIGCONT)
    world.excuse(new.endpoint)  # whoever was stopped is late with its answers
    world.excuse(two.endpoint)

    world.until_all_see((old, new, one, two))


@together
def test_user_events_and_queries_are_passed_on_and_ignored(world: World) -> None:
    old, new, one, two = mixed(world)

    old.does("event", "deploy", "payload")
    new.does("query", "-timeout=1s", "load", "x")
    old.does("tags", "-set", "role=db")
    world.until(lambda: new.says("deploy") and old.says("load"), "the agents hear each other")
    world.until(lambda: two.told("updated", old) > 0, "ours hears of new tags")

    assert one.refused() == two.refused() == {}
    world.until_all_see((old, new, one, two))
