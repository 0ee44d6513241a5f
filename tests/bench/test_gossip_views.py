from bench.gossip_views import Sight, Views, What


def cluster(*names: str) -> Views:
    """Everybody sees everybody."""
    views = Views()
    for name in names:
        views.started(name)
    for observer in names:
        for subject in names:
            views.take(0.0, observer, Sight(What.JOINED, subject))
    return views


def failed(subject: str) -> Sight:
    return Sight(What.FAILED, subject)


def test_a_cluster_has_converged_when_everybody_sees_everybody_else() -> None:
    views = Views()
    views.started("a")
    views.started("b")
    views.take(0.0, "a", Sight(What.JOINED, "b"))

    assert not views.converged()

    views.take(0.0, "b", Sight(What.JOINED, "a"))

    assert views.converged()


def test_an_end_is_noticed_once_every_survivor_has_said_so_and_the_first_word_counts() -> None:
    views = cluster("a", "b", "c")
    views.ended("c")
    views.take(1.0, "a", failed("c"))
    views.take(5.0, "a", failed("c"))

    assert not views.all_noticed()

    views.take(2.0, "b", failed("c"))

    assert views.all_noticed()
    assert views.noticed == {"a": 1.0, "b": 2.0}
    assert views.false == []


def test_the_failure_of_one_that_runs_is_false_and_undoes_convergence() -> None:
    views = cluster("a", "b")
    views.take(1.0, "a", failed("b"))

    assert views.false == [("a", "b")]
    assert views.false_about({"b"}) == 1
    assert views.false_about({"a"}) == 0
    assert views.false_about({"b"}, since=1) == 0
    assert not views.converged()


def test_a_failure_that_is_told_after_the_restart_is_false() -> None:
    views = cluster("a", "b")
    views.ended("b")
    views.started("b")
    views.take(1.0, "a", failed("b"))

    assert views.false == [("a", "b")]


def test_leaving_is_neither_a_failure_nor_noticed() -> None:
    views = cluster("a", "b", "c")
    views.ended("c")
    views.take(1.0, "a", Sight(What.LEFT, "c"))
    views.take(1.0, "a", Sight(What.LEFT, "b"))

    assert views.noticed == {}
    assert views.false == []
    assert not views.converged()


def test_the_last_words_of_an_ended_member_are_void() -> None:
    views = cluster("a", "b")
    views.ended("b")
    views.take(1.0, "b", failed("a"))

    assert views.false == []
