from hepto.sim.faults import Kind, parse
from hepto.sim.timeline import Happening
from hepto.sim.trouble import BEGIN, END, Trouble
from tests.sim.stories import Story


def armed(story: Story, kind: Kind, text: str) -> Happening | None:
    return Trouble(story.cluster).arm(parse(kind, text))


def test_every_fault_of_machines_has_a_verb() -> None:
    assert set(BEGIN) == {Kind.KILL, Kind.UNPLUG, Kind.PAUSE, Kind.RESTART, Kind.RENUMBER}
    assert set(END) < set(BEGIN)


def test_a_killed_process_stays_away_or_comes_back_at_the_end() -> None:
    story = Story()
    happening = armed(story, Kind.KILL, "1s:0")
    armed(story, Kind.UNPLUG, "1s..3s:1")

    story.run(2.0)
    assert [node.is_running for node in story.cluster.nodes] == [False, False, True]
    assert [node.is_plugged for node in story.cluster.nodes] == [True, False, True]
    story.run(4.0)

    assert [node.is_running for node in story.cluster.nodes] == [False, True, True]
    assert happening == Happening(Kind.KILL, 1.0, None, (0,))


def test_a_starving_process_is_paused_for_its_share() -> None:
    story = Story()
    armed(story, Kind.PAUSE, "10s..22s:1@5s/6s")

    seen = []
    for second in range(24):
        story.run(second + 0.5)
        seen.append(story.node(1).is_paused)

    assert [second for second in range(24) if seen[second]] == [10, 11, 12, 13, 14, 16, 17, 18, 19, 20]


def test_a_partition_separates_and_heals() -> None:
    story = Story(4)
    happening = armed(story, Kind.PARTITION, "1s..2s:0-1")
    network = story.cluster.network

    story.run(1.5)
    assert network.is_cut(0, 2)
    assert network.is_cut(3, 1)
    assert not network.is_cut(0, 1)
    story.run(2.5)

    assert not network.cuts
    assert happening == Happening(Kind.PARTITION, 1.0, 2.0, (0, 1, 2, 3), (0, 1))


def test_a_partition_can_be_one_way() -> None:
    story = Story(4)
    armed(story, Kind.PARTITION, "1s..2s:all>3")

    story.run(1.5)

    assert story.cluster.network.is_cut(0, 3)
    assert not story.cluster.network.is_cut(3, 0)


def test_weather_comes_and_goes_and_is_no_happening() -> None:
    story = Story()
    assert armed(story, Kind.LOSS, "1s..2s:30%") is None

    story.run(1.5)
    assert story.cluster.network.quality.loss > 0
    story.run(2.5)

    assert story.cluster.network.quality.loss == 0


def test_nodes_are_restarted_and_renumbered_at_an_instant() -> None:
    story = Story()
    armed(story, Kind.RESTART, "1s:all")
    armed(story, Kind.RENUMBER, "1s:2")

    story.run(2.0)

    assert [node.life for node in story.cluster.nodes] == [1, 1, 1]
    assert [node.moves for node in story.cluster.nodes] == [0, 0, 1]
