from hypothesis import given
from hypothesis import strategies as st

from image.goinfo import BuildInfo, Module, parse, read
from tests.image.gobinary import with_note

NOTE = """\
path\thepto.invalid/stack
mod\thepto.invalid/stack\t(devel)\t
dep\tk8s.io/api\tv0.0.0\th1:old=
=>\tk8s.io/api\tv0.37.2\th1:new=
dep\texample.com/one\tv1.0.0\th1:a=
=>\texample.com/fork\tv1.0.1\th1:b=
build\t-trimpath=true
"""


def test_modules_have_version_and_checksum_and_what_they_stand_for() -> None:
    assert read(with_note("go1.26.8 X:nodwarf5", NOTE)) == BuildInfo(
        "1.26.8",
        (
            Module("example.com/fork", "v1.0.1", "h1:b=", stands_for="example.com/one"),
            Module("k8s.io/api", "v0.37.2", "h1:new="),
        ),
    )


def test_a_note_may_be_longer_than_one_byte_of_length_says() -> None:
    note = "".join(f"dep\texample.com/{number:04}\tv1.0.0\th1:x=\n" for number in range(500))

    info = read(with_note("go1.26.8", note))

    assert info is not None
    assert len(info.modules) == 500


def test_what_go_did_not_make_has_none() -> None:
    assert read(b"") is None
    assert read(b"\x7fELF" + bytes(1000)) is None


@given(st.text())
def test_any_text_gives_modules_or_none(text: str) -> None:
    assert all(module.path == module.path.strip("\n") for module in parse(text))


@given(st.data())
def test_a_binary_that_is_cut_off_or_changed_gives_some_answer(data: st.DataObject) -> None:
    whole = bytearray(with_note("go1.26.8", NOTE))
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))

    info = read(bytes(whole[: data.draw(st.integers(0, len(whole)))]))

    assert info is None or isinstance(info, BuildInfo)
