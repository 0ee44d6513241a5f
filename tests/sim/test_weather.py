import random

import pytest

from hepto.sim.faults import Kind, Weather, parse
from hepto.sim.network import Network, Quality
from hepto.sim.weather import Conditions


def weather(kind: Kind, text: str) -> Weather:
    fault = parse(kind, text)
    assert isinstance(fault, Weather)
    return fault


def test_each_kind_is_in_force_by_itself_and_ends_by_itself() -> None:
    network = Network(random.Random(1))
    conditions = Conditions(network)
    fair = network.quality

    faults = [
        weather(Kind.LOSS, "2%"),
        weather(Kind.LATENCY, "40ms..300ms"),
        weather(Kind.DUPLICATE, "10%"),
        weather(Kind.REORDER, "25%"),
        weather(Kind.CORRUPT, "5%"),
    ]
    for fault in faults:
        conditions.begin(fault)
    assert network.quality == Quality(0.04, 0.3, 0.02, 0.1, 0.25, 0.05)
    for fault in faults:
        conditions.end(fault)

    assert network.quality == fair


def test_what_began_last_is_in_force_and_then_what_was_before() -> None:
    network = Network(random.Random(1))
    conditions = Conditions(network)
    always, storm = weather(Kind.LOSS, "2%"), weather(Kind.LOSS, "30%")
    conditions.begin(always)
    conditions.begin(storm)
    assert network.quality.loss == pytest.approx(0.3)

    conditions.end(storm)

    assert network.quality.loss == pytest.approx(0.02)
