"""Delivers what has been taken from the kernel at least once: an exception on the way does not lose it.

A signal, a death or a notification can be read only once. So it is kept here until it has been dealt with; what raises
is delivered again the next time, `TRIES` times at most, so that one that always raises does not hold up the others.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

TRIES = 3

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """Items in their order."""

    def __init__(self) -> None:
        self._items: deque[tuple[Item, int]] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item) -> None:
        """Keep it until it is delivered."""
        self._items.append((item, 0))

    def deliver(self, handle: Callable[[Item], None]) -> None:
        """Hand each item over. What `handle` raises goes through; the item stays first, unless it was its last try."""
        while self._items:
            item, tries = self._items[0]
            if tries + 1 < TRIES:
                self._items[0] = (item, tries + 1)
                handle(item)
                self._items.popleft()
            else:
                self._items.popleft()
                handle(item)
