"""A keyring changes without anybody falling silent."""

from hepto.node.rotation import PROMOTE, RETIRE, Rotation
from hepto.values import Secret

OLD, NEW, NEWEST = (Secret(bytes([number]) * 32) for number in range(3))


def test_a_new_key_is_read_first_then_used_and_then_alone() -> None:
    rotation = Rotation((OLD,), 0.0)
    rotation.change((NEW, OLD), 1000.0)

    assert rotation.ring(1000.0) == (OLD, NEW)
    assert rotation.ring(1000.0 + PROMOTE) == (NEW, OLD)
    assert rotation.ring(1000.0 + RETIRE) == (NEW,)


def test_the_same_keyring_again_changes_nothing() -> None:
    rotation = Rotation((OLD,), 0.0)
    rotation.change((NEW, OLD), 1000.0)
    rotation.change((NEW, OLD), 1000.0 + PROMOTE)

    assert rotation.ring(1000.0 + PROMOTE) == (NEW, OLD)


def test_a_node_that_starts_uses_what_it_kept() -> None:
    rotation = Rotation((NEW, OLD), 5.0)

    assert rotation.ring(5.0) == (NEW, OLD)
    assert rotation.ring(5.0 + RETIRE) == (NEW,)


def test_two_changes_in_a_row_keep_what_encrypts_until_all_know_better() -> None:
    rotation = Rotation((OLD,), 0.0)
    rotation.change((NEW, OLD), 1000.0)
    rotation.change((NEWEST, NEW, OLD), 1001.0)

    assert rotation.ring(1001.0) == (OLD, NEWEST, NEW)
    assert rotation.ring(1001.0 + PROMOTE) == (NEWEST, NEW, OLD)


def test_without_a_key_there_is_none() -> None:
    assert Rotation((), 0.0).ring(1000.0) == ()
