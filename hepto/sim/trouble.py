"""Makes faults happen at their time."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from hepto.sim.cluster import Cluster
from hepto.sim.faults import Fault, Kind, MachineFault, Weather
from hepto.sim.network import Cut, separate
from hepto.sim.timeline import Happening
from hepto.sim.weather import Conditions

Verb = Callable[[Cluster, int], None]

BEGIN: Final[Mapping[Kind, Verb]] = {
    Kind.KILL: Cluster.kill,
    Kind.UNPLUG: Cluster.unplug,
    Kind.PAUSE: Cluster.pause,
    Kind.RESTART: Cluster.start,
    Kind.RENUMBER: Cluster.renumber,
}
END: Final[Mapping[Kind, Verb]] = {
    Kind.KILL: Cluster.start,
    Kind.UNPLUG: Cluster.start,
    Kind.PAUSE: Cluster.resume,
}


class Trouble:
    """Arms faults on a cluster's clock."""

    def __init__(self, cluster: Cluster):
        self._cluster = cluster
        self._clock = cluster.clock
        self._conditions = Conditions(cluster.network)

    def arm(self, fault: Fault) -> Happening | None:
        """It will happen; what of it a picture shows (of weather nothing)."""
        if isinstance(fault, Weather):
            self._arm_weather(fault)
            return None
        everybody = range(len(self._cluster.nodes))
        named = tuple(everybody) if fault.nodes is None else fault.nodes
        if fault.kind is Kind.PARTITION:
            towards = fault.towards or tuple(index for index in everybody if index not in set(named))
            self._arm_partition(fault, named, towards)
            return Happening(fault.kind, fault.when.begin, fault.when.end, (*named, *towards), named)
        self._arm_machines(fault, named)
        return Happening(fault.kind, fault.when.begin, fault.when.end, named)

    def _arm_weather(self, weather: Weather) -> None:
        if weather.when is None:
            self._conditions.begin(weather)
            return
        self._clock.at(weather.when.begin, self._conditions.begin, weather)
        assert weather.when.end is not None  # faults.py has seen to it
        self._clock.at(weather.when.end, self._conditions.end, weather)

    def _arm_partition(self, fault: MachineFault, named: tuple[int, ...], towards: tuple[int, ...]) -> None:
        is_one_way = fault.towards is not None
        cuts = (Cut(frozenset(named), frozenset(towards)),) if is_one_way else separate(named, towards)
        self._clock.at(fault.when.begin, self._cluster.network.cuts.extend, cuts)
        assert fault.when.end is not None
        self._clock.at(fault.when.end, self._heal, cuts)

    def _heal(self, cuts: tuple[Cut, ...]) -> None:
        for cut in cuts:
            self._cluster.network.cuts.remove(cut)

    def _arm_machines(self, fault: MachineFault, nodes: tuple[int, ...]) -> None:
        begin, end = fault.when.begin, fault.when.end
        if fault.share is not None and end is not None:
            part, period = fault.share
            starts = [begin + turn * period for turn in range(math.ceil((end - begin) / period))]
            spans: list[tuple[float, float | None]] = [(start, min(start + part, end)) for start in starts]
        else:
            spans = [(begin, end)]
        for start, stop in spans:
            self._clock.at(start, self._do, BEGIN[fault.kind], nodes)
            if stop is not None:
                self._clock.at(stop, self._do, END[fault.kind], nodes)

    def _do(self, verb: Verb, nodes: tuple[int, ...]) -> None:
        for index in nodes:
            verb(self._cluster, index)
