"""Several routers on one link: what is said of them."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from hepto.net.advertisement import Preference
from tests.net.test_machine import ETH0, USUAL, Story, addressed

ROGUE = IPv6Address("fe80::bad")


@pytest.mark.parametrize(
    ("preference", "said"),
    [
        (Preference.MEDIUM, "2 routers advertise on eth0: fe80::1 fe80::bad"),
        (Preference.LOW, "2 routers advertise on eth0: fe80::1, and with a lower preference fe80::bad"),
        (Preference.HIGH, "2 routers advertise on eth0: fe80::bad, and with a lower preference fe80::1"),
    ],
)
def test_a_second_router_is_named_with_those_that_the_kernel_takes(preference: Preference, said: str) -> None:
    story = Story()
    story.see(addressed(ETH0))
    story.hear(USUAL)
    assert story.machine.view.warnings == ()

    story.hear(replace(USUAL, router=ROGUE, preference=preference))
    assert story.machine.view.warnings == (said,)

    story.hear(replace(USUAL, router=ROGUE, lifetime=0))
    assert story.machine.view.warnings == ()
