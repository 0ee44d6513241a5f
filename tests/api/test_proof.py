from hepto.api.proof import holds
from tests.api.example import MAC, Mac


def test_a_proof_is_of_one_key_one_name_and_these_fields() -> None:
    proof = MAC("a", b"b", b"c")

    assert holds(MAC, proof, "a", b"b", b"c")
    assert not holds(Mac(b"other"), proof, "a", b"b", b"c")
    assert not holds(MAC, proof, "x", b"b", b"c")
    assert not holds(MAC, proof, "a", b"bc")
    assert not holds(MAC, proof, "a", b"c", b"b")
    assert not holds(MAC, b"", "a", b"b", b"c")
