"""Changed inputs into a target, one after another; an input that leads somewhere new becomes a seed itself."""

import random
import traceback
from collections.abc import Iterator
from typing import NamedTuple

from tests.fuzz.corpus import SETTINGS, change, seeds, wrap
from tests.fuzz.targets import TARGETS

MOST_KEPT = 2000
KEPT_OF_AN_OUTCOME = 5


class Finding(NamedTuple):
    """An input that broke the promise."""

    target: str
    settings: str
    data: bytes
    error: str


def fuzz(target: str, count: int, seed: int) -> Iterator[tuple[str, Finding | None]]:
    """What became of each input. The same seed gives the same inputs."""
    chance = random.Random(seed)
    pool = list(seeds(target))
    originals = tuple(pool)
    kept: dict[str, int] = {}
    for _ in range(count):
        content = change(chance.choice(pool), originals, chance)
        settings = chance.choice(tuple(SETTINGS))
        data = wrap(target, content, settings, chance)
        try:
            outcome = TARGETS[target](SETTINGS[settings], data)
        except Exception:  # noqa: BLE001 - that anything may come is what fuzzing is about
            yield "broken", Finding(target, settings, data, traceback.format_exc())
            continue
        if kept.get(outcome, 0) < KEPT_OF_AN_OUTCOME and len(pool) < MOST_KEPT:
            kept[outcome] = kept.get(outcome, 0) + 1
            pool.append(content)
        yield outcome, None
