"""Waits for descriptors with epoll and remembers whose they are."""

import select
from collections.abc import Callable

Callback = Callable[[], None]


class Poller:
    """Descriptors and their callbacks."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}

    def watch(self, descriptor: int, callback: Callback, events: int = select.EPOLLIN) -> None:
        """Call `callback` when the descriptor is ready, until `forget`; a second call replaces the first."""
        try:
            self._epoll.register(descriptor, events)
        except FileExistsError:
            self._epoll.modify(descriptor, events)
        self._callbacks[descriptor] = callback

    def forget(self, descriptor: int) -> None:
        """Before the descriptor is closed. One that is not watched is none of our business."""
        if self._callbacks.pop(descriptor, None) is not None:
            try:
                self._epoll.unregister(descriptor)
            except OSError:
                pass  # closed already: the kernel has forgotten it by itself

    def wait(self, seconds: float | None) -> list[Callback]:
        """What became ready within the time. Each is run only if it is still watched then, by the same callback: a
        number that was closed and given out again is another descriptor."""
        found = self._epoll.poll(None if seconds is None else max(0.0, seconds))
        return [self._guarded(descriptor) for descriptor, _events in found]

    def _guarded(self, descriptor: int) -> Callback:
        callback = self._callbacks.get(descriptor)

        def run() -> None:
            if callback is not None and self._callbacks.get(descriptor) is callback:
                callback()
            elif callback is None:
                self._epoll.unregister(descriptor)

        return run
