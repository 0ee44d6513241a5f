"""Keys of backups as texts: those that age-keygen has made, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto import recipients
from hepto.values import BadValue
from hepto.wireguard import public_key

# Made by age-keygen 1.3.2 and thrown away.
SECRET = "AGE-SECRET-KEY-1JX5UT8UZFYRCFJRYCY6T6MNPPAD3CPG30NATNNL8VSMDL8WG97GQTYW7TY"
PUBLIC = "age10dkyxgq3uumnmdm586z0g3rh504w2ere9zgs57sw9yfx8cum83tswztxqg"


def test_a_pair_of_age_keygen_is_read_and_written() -> None:
    private = recipients.private_key(SECRET)

    assert recipients.secret_text(private.reveal()) == SECRET
    assert recipients.recipient(public_key(private.reveal())) == PUBLIC
    assert recipients.public_key(PUBLIC) == public_key(private.reveal())


@given(st.binary(min_size=32, max_size=32))
def test_any_key_comes_back(key: bytes) -> None:
    assert recipients.public_key(recipients.recipient(key)) == key
    assert recipients.private_key(recipients.secret_text(key)).reveal() == key
    assert recipients.PRIVATE_KEY.parse(recipients.PRIVATE_KEY.render(recipients.private_key(SECRET))).reveal()


def test_any_character_that_is_changed_is_noticed() -> None:
    for place in range(len(PUBLIC)):
        for other in "qpz1b-A9":
            if other != PUBLIC[place]:
                with pytest.raises(BadValue):
                    recipients.public_key(PUBLIC[:place] + other + PUBLIC[place + 1 :])


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_a_named_mistake(text: str) -> None:
    for read in (recipients.public_key, recipients.private_key, recipients.private_keys):
        try:
            read(text)
        except BadValue as error:
            assert not text or text not in str(error) or len(text) < 3


@pytest.mark.parametrize(
    "text",
    ["", "age1", "age", PUBLIC.upper()[:20] + PUBLIC[20:], PUBLIC[:-1], PUBLIC + "q", SECRET, "ssh-ed25519 AAAA"],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="not a recipient"):
        recipients.public_key(text)


def test_the_file_of_a_key_may_have_comments() -> None:
    (key,) = recipients.private_keys(f"# made today\n# public key: {PUBLIC}\n\n{SECRET}\r\n")

    assert recipients.secret_text(key.reveal()) == SECRET
    with pytest.raises(BadValue, match="no private key"):
        recipients.private_keys("# nothing\n")
