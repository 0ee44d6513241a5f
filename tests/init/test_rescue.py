"""When to go on and when to fall back."""

from init.rescue import BURST, IN_A_ROW, QUIET, ROUNDS, Guard, Next


def test_an_exception_now_and_then_means_go_on() -> None:
    guard = Guard()
    for second in range(1000):
        assert guard.failed(float(second)) is Next.GO_ON
        guard.succeeded()

    assert guard.caught == 1000


def test_a_defect_that_repeats_itself_slows_the_loop_down_but_does_not_stop_it() -> None:
    guard = Guard()
    answers = []
    for _ in range(BURST + 5):
        answers.append(guard.failed(0.0))
        guard.succeeded()

    assert answers == [Next.GO_ON] * BURST + [Next.BREATHE] * 5


def test_when_nothing_succeeds_the_minimal_loop_takes_over_and_in_the_end_a_re_exec() -> None:
    guard = Guard()
    answers = [guard.failed(at / 100) for at in range(IN_A_ROW * (ROUNDS + 1))]

    assert [answer for answer in answers if answer in (Next.MINIMAL, Next.RE_EXEC)] == [Next.MINIMAL] * ROUNDS + [
        Next.RE_EXEC
    ]
    assert answers[IN_A_ROW - 1] is Next.MINIMAL


def test_a_quiet_minute_forgives_the_rounds() -> None:
    guard = Guard()
    now = 0.0
    for _ in range(ROUNDS * 3):
        answers = [guard.failed(now) for _ in range(IN_A_ROW)]
        assert answers[-1] is Next.MINIMAL
        now += QUIET
