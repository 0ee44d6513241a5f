"""The caps fit each other."""

from hepto.gossip import codec, limits
from hepto.gossip.keyring import OVERHEAD
from hepto.gossip.messages import Address, NodeState


def test_five_hundred_members_with_full_metas_and_a_full_user_state_fit_a_granted_stream() -> None:
    state = NodeState(bytes(limits.NAME), Address(bytes(16), 65535), bytes(limits.META), 2**32 - 1, 3, bytes(6))

    members = 500 * len(codec.encode_state(state))

    assert members + limits.USER_STATE + OVERHEAD + 100 <= limits.STREAM_GRANTED


def test_a_member_with_everything_at_its_cap_fits_a_datagram_of_the_default_size() -> None:
    state = NodeState(bytes(limits.NAME), Address(bytes(16), 65535), bytes(limits.META), 2**32 - 1, 3, bytes(6))

    assert len(codec.encode_state(state)) + OVERHEAD + 20 <= 1200


def test_whoever_is_known_better_may_send_more() -> None:
    assert limits.STREAM_UNKNOWN < limits.STREAM_GRANTED < limits.STREAM_OWN
