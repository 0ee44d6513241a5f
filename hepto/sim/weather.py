"""The network's quality as faults come and go: what began last is in force, each kind for itself."""

from dataclasses import replace

from hepto.sim.faults import Kind, Weather
from hepto.sim.network import Network, Quality


class Conditions:
    """What is in force, in the order in which it began."""

    def __init__(self, network: Network):
        self._network = network
        self._fair = network.quality
        self._active: list[Weather] = []

    def begin(self, weather: Weather) -> None:
        """From now on."""
        self._active.append(weather)
        self._network.quality = self._quality()

    def end(self, weather: Weather) -> None:
        """No longer."""
        self._active.remove(weather)
        self._network.quality = self._quality()

    def _quality(self) -> Quality:
        quality = self._fair
        for weather in self._active:
            quality = _under(quality, weather)
        return quality


def _under(quality: Quality, weather: Weather) -> Quality:
    match weather.kind:
        case Kind.LATENCY:
            return replace(quality, shortest=weather.low, longest=weather.high)
        case Kind.LOSS:
            return replace(quality, loss=weather.high)
        case Kind.DUPLICATE:
            return replace(quality, duplicate=weather.high)
        case Kind.REORDER:
            return replace(quality, reorder=weather.high)
        case Kind.CORRUPT:
            return replace(quality, corrupt=weather.high)
        case _:
            raise ValueError(f"{weather.kind} is no weather")
