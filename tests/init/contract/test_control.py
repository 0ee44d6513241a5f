import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from init.contract.control import FIELDS, BadRequestError, Request, Verb, decode


def test_every_verb_has_its_fields() -> None:
    assert set(FIELDS) == set(Verb)


@pytest.mark.parametrize("verb", Verb)
def test_what_is_encoded_is_decoded(verb: Verb) -> None:
    request = Request(verb, {name: True if kind is bool else "x" for name, kind in FIELDS[verb].items()})

    assert decode(request.encode()) == request


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"{}",
        b"[]",
        b'{"verb": "dance"}',
        b'{"verb": "start"}',
        b'{"verb": "poweroff", "now": true}',
        b'{"verb": "start", "service": 3}',
        b'{"verb": []}',
    ],
)
def test_what_is_no_request_is_refused(packet: bytes) -> None:
    with pytest.raises(BadRequestError):
        decode(packet)


@given(st.binary() | st.dictionaries(st.text(), st.text()).map(json.dumps).map(str.encode))
def test_any_packet_is_a_request_or_refused(packet: bytes) -> None:
    try:
        assert isinstance(decode(packet), Request)
    except BadRequestError as error:
        assert str(error)
