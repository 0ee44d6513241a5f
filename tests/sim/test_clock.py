from hepto.sim.clock import Clock


def test_actions_happen_in_the_order_of_their_time_and_then_of_their_asking() -> None:
    clock, seen = Clock(), list[str]()
    for when, name in ((2.0, "c"), (1.0, "a"), (1.0, "b"), (3.0, "d")):
        clock.at(when, seen.append, name)

    clock.run(2.0)

    assert seen == ["a", "b", "c"]
    assert clock.now == 2.0


def test_an_action_sees_its_own_time_and_can_ask_for_another() -> None:
    clock, seen = Clock(), list[float]()

    def again() -> None:
        seen.append(clock.now)
        clock.at(clock.now + 1, again)

    clock.at(0.5, again)
    clock.run(3.0)

    assert seen == [0.5, 1.5, 2.5]


def test_what_is_asked_for_too_late_happens_now() -> None:
    clock, seen = Clock(), list[float]()
    clock.run(5.0)

    clock.at(1.0, lambda: seen.append(clock.now))
    clock.run(5.0)

    assert seen == [5.0]
