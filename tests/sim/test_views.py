from hepto.gossip.messages import Status
from hepto.gossip.model import Change, Claim
from hepto.sim.node import Node
from hepto.sim.views import Views
from tests.sim.stories import Story


def claim(node: Node, status: Status = Status.ALIVE) -> Claim:
    return Claim(node.name, node.address, node.meta, 1, status, 0.0)


def settled(story: Story) -> Views:
    """Everybody knows everybody."""
    views = Views(story.cluster.nodes)
    for node in story.cluster.nodes:
        views.know(node.index, [claim(other) for other in story.cluster.nodes])
        views.refresh(node.index)
    return views


def test_strangers_are_wrong_about_all_others() -> None:
    story = Story(3)
    views = Views(story.cluster.nodes)

    for node in story.cluster.nodes:
        views.refresh(node.index)

    assert views.wrong == 6
    assert settled(story).wrong == 0


def test_a_name_leads_to_a_number() -> None:
    views = settled(Story(3))

    assert views.subject(b"node-2") == 2
    assert views.subject(b"somebody") is None


def test_who_ends_is_wrongly_held_for_alive_until_each_has_noticed() -> None:
    story = Story(3)
    views = settled(story)

    story.cluster.kill(1)
    views.forget(1)
    views.refresh(1)
    assert views.wrong == 2
    views.learn(0, 1, Change.SUSPECTED, claim(story.node(1), Status.SUSPECT))
    assert views.wrong == 2
    views.learn(0, 1, Change.FAILED, claim(story.node(1), Status.DEAD))
    assert views.wrong == 1
    views.learn(2, 1, Change.FORGOTTEN, claim(story.node(1), Status.DEAD))

    assert views.wrong == 0


def test_who_comes_back_knows_nobody_and_nobody_knows_it() -> None:
    story = Story(3)
    views = settled(story)
    story.cluster.kill(1)
    views.forget(1)
    for observer in (0, 2):
        views.learn(observer, 1, Change.FAILED, claim(story.node(1), Status.DEAD))

    story.cluster.start(1)
    views.refresh(1)

    assert views.wrong == 4


def test_an_old_address_or_an_old_meta_is_wrong() -> None:
    story = Story(3)
    views = settled(story)
    before = claim(story.node(1))

    story.cluster.renumber(1)
    views.refresh(1)
    assert views.wrong == 2
    views.learn(0, 1, Change.MOVED, claim(story.node(1)))
    assert views.wrong == 1
    views.learn(0, 1, Change.UPDATED, before)

    assert views.wrong == 2
