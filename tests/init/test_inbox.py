"""At least once."""

import pytest

from init.inbox import TRIES, Inbox


def test_items_are_delivered_once_and_in_order() -> None:
    inbox, got = Inbox[int](), list[int]()
    inbox.add(1)
    inbox.add(2)
    inbox.deliver(got.append)
    inbox.deliver(got.append)

    assert got == [1, 2]
    assert len(inbox) == 0


def test_what_raises_is_delivered_again_and_then_given_up() -> None:
    inbox, got = Inbox[int](), list[int]()

    def handle(item: int) -> None:
        got.append(item)
        if item == 1:
            raise MemoryError

    inbox.add(1)
    inbox.add(2)
    for _ in range(TRIES):
        with pytest.raises(MemoryError):
            inbox.deliver(handle)
    inbox.deliver(handle)

    assert got == [1] * TRIES + [2]
