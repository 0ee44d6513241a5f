"""All that was given becomes one configuration, or all mistakes at once; precedence and provenance are kept."""

import dataclasses
from base64 import b64encode
from ipaddress import IPv6Address, IPv6Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepto.config import Resolution, resolve
from hepto.errors import ExitCode, UserError
from hepto.given import DEFAULT, Given, Source, SourceKind
from hepto.options import OPTIONS
from hepto.values import Port, Role, Secret

CMDLINE = Source(SourceKind.CMDLINE)
SMBIOS = Source(SourceKind.SMBIOS)
KEY = Given("key", b"00" * 32, SMBIOS)


def cmdline(**values: str | None) -> list[Given]:
    """Words of a kernel command line."""
    return [Given(name, None if text is None else text.encode(), CMDLINE) for name, text in values.items()]


def what(resolution: Resolution) -> str:
    """The first lines of all mistakes."""
    return "\n".join(mistake.what for mistake in resolution.mistakes)


class TestGood:
    """What can be understood becomes a frozen configuration."""

    def test_a_key_is_enough(self) -> None:
        config = resolve([KEY]).require()

        assert config.cluster == "hepto"
        assert config.key == (Secret(bytes(32)),)
        assert config.role is Role.FULL
        assert (config.port, config.api_port, config.mesh_port) == (7946, 7947, 7948)
        assert (config.ip, config.gw, config.dns, config.name) == (None, None, (), None)
        with pytest.raises(dataclasses.FrozenInstanceError):
            config.cluster = "other"  # type: ignore[misc]

    def test_the_command_line_of_the_readme(self) -> None:
        resolution = resolve([*cmdline(cluster="demo", name="one", role="full"), KEY])

        assert resolution.warnings == ()
        assert resolution.require().name == "one"
        assert resolution.provenance["name"] == CMDLINE
        assert resolution.provenance["key"] == SMBIOS
        assert resolution.provenance["port"] == DEFAULT

    def test_a_static_network(self) -> None:
        config = resolve(
            [KEY, *cmdline(ip="2001:db8::5/64", gw="fe80::1", dns="2001:db8::53,2001:db8::54", open="tcp/8443")]
        ).require()

        assert config.ip == IPv6Interface("2001:db8::5/64")
        assert config.gw == IPv6Address("fe80::1")
        assert config.dns == (IPv6Address("2001:db8::53"), IPv6Address("2001:db8::54"))
        assert config.open == (Port("tcp", 8443),)

    def test_dash_and_underscore_are_the_same(self) -> None:
        assert resolve([KEY, *cmdline(api_port="7000")]).require().api_port == 7000
        assert resolve([KEY, Given("api-port", b"7000", CMDLINE)]).require().api_port == 7000

    def test_a_switch_needs_no_value(self) -> None:
        assert resolve(cmdline(insecure=None)).require().insecure

    def test_several_keys_keep_their_order(self) -> None:
        config = resolve([Given("key", b"ff" * 16 + b"," + b"00" * 16, SMBIOS)]).require()

        assert config.key == (Secret(b"\xff" * 16), Secret(bytes(16)))

    def test_no_key_needs_insecure_or_somebody_who_brings_it_later(self) -> None:
        assert "hepto.key is missing" in what(resolve([]))
        assert resolve(cmdline(insecure="yes")).config
        assert resolve([], key_elsewhere=True).config


class TestMistakes:
    """All at once, each with what was given, what is allowed and what to do."""

    def test_all_mistakes_are_reported_at_once(self) -> None:
        resolution = resolve(cmdline(clustr="a", port="0", dns="1.1.1.1", role="boss"))

        assert resolution.config is None
        assert len(resolution.mistakes) == 5  # these and no key
        with pytest.raises(UserError) as caught:
            resolution.require()
        assert caught.value.code is ExitCode.USAGE
        assert len("\n".join(caught.value.lines()).splitlines()) == 2 * 5

    def test_an_unknown_name_comes_with_the_nearest_known_one(self) -> None:
        (mistake,) = resolve([KEY, *cmdline(clustr="a")]).mistakes

        assert mistake.what == "hepto.clustr from the kernel command line is not an option"
        assert mistake.hint == "did you mean hepto.cluster?"

    def test_the_hint_is_spelled_as_in_the_source(self) -> None:
        flag, variable = Source(SourceKind.FLAG), Source(SourceKind.ENVIRONMENT)

        assert resolve([KEY, Given("api_prot", b"1", flag)]).mistakes[0].hint == "did you mean --api-port?"
        assert "HEPTO_API_PORT=x: not" in what(resolve([KEY, Given("api_port", b"x", variable)]))

    def test_a_bad_value_is_shown_with_what_is_allowed(self) -> None:
        (mistake,) = resolve([KEY, *cmdline(port="99999")]).mistakes

        assert mistake.what == "hepto.port=99999 from the kernel command line: not a number from 1 to 65535"
        assert mistake.hint == "it takes a number from 1 to 65535, for example hepto.port=7946"

    def test_an_unknown_variable_of_the_environment_may_be_of_another_program(self) -> None:
        resolution = resolve([KEY, Given("clustr", b"a", Source(SourceKind.ENVIRONMENT))])

        assert resolution.config
        assert "HEPTO_CLUSTR is not an option; did you mean HEPTO_CLUSTER?" in resolution.warnings
        assert resolve([KEY, Given("cache", b"/tmp", Source(SourceKind.ENVIRONMENT))]).warnings == ()

    @pytest.mark.parametrize("option", [o for o in OPTIONS if not o.available], ids=lambda option: option.name)
    def test_an_option_of_a_later_version_is_refused_by_name(self, option: object) -> None:
        name: str = option.name  # type: ignore[attr-defined]
        (mistake,) = resolve([KEY, Given(name, b"x", CMDLINE)]).mistakes

        assert mistake.what == f"hepto.{name} from the kernel command line is not available in this version"
        assert mistake.hint == "leave it out"

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (None, "there is no value"),
            (b"", "is empty"),
            (b"a\0b", "contains a NUL"),
            (b"a\nb", "contains a line feed"),
            (b'a"b', "contains a double quote"),
            (b"\xff", "is not UTF-8"),
            (b"a" * 5000, "5,000 bytes are too many"),
        ],
    )
    def test_what_no_value_may_be(self, value: bytes | None, reason: str) -> None:
        assert reason in what(resolve([KEY, Given("cluster", value, CMDLINE)]))

    def test_an_encrypted_credential_is_refused_by_name(self) -> None:
        sealed = b64encode(bytes(16) + b"\x20\0\0\0\1\0\0\0\x0c\0\0\0\x10\0\0\0" + bytes(60))
        lines = b"\n".join(sealed[i : i + 20] for i in range(0, len(sealed), 20))

        assert "encrypted by systemd-creds" in what(resolve([Given("key", lines, Source(SourceKind.ESP))]))

    @pytest.mark.parametrize("name", ["debug", "data-disk"])
    def test_what_pid_1_reads_is_refused_where_pid_1_does_not_look(self, name: str) -> None:
        assert resolve([KEY, Given(name, b"lab", CMDLINE)]).config
        (mistake,) = resolve([KEY, Given(name, b"lab", SMBIOS)]).mistakes

        assert mistake.what.startswith(f"hepto.{name} from an SMBIOS credential would be without effect")

    def test_a_defect_of_the_source_is_a_mistake(self) -> None:
        (mistake,) = resolve([Given("key", None, SMBIOS, ("cannot be read", "make it readable"))]).mistakes

        assert mistake.what == "hepto.key from an SMBIOS credential: cannot be read"
        assert mistake.hint == "make it readable"

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ({"port": "7947"}, "hepto.api-port and hepto.port are both 7947"),
            ({"mesh_port": "7946"}, "hepto.mesh-port and hepto.port are both 7946"),
            ({"port": "6443"}, "taken by the apiserver"),
            ({"api_port": "30100"}, "taken by NodePorts"),
            ({"ip": "2001:db8::5/64", "gw": "2001:db8:1::1"}, "cannot be reached"),
            ({"ip": "2001:db8::5/64", "gw": "2001:db8::5"}, "cannot be reached"),
            ({"cluster": "hepto", "ip": "fdfd:9432:32b3::1/64"}, "belongs to the mesh of cluster hepto"),
            ({"cluster": "hepto", "dns": "fdfd:9432:32b3:300::a"}, "belongs to the mesh of cluster hepto"),
        ],
    )
    def test_values_that_contradict_each_other(self, values: dict[str, str], reason: str) -> None:
        assert reason in what(resolve([KEY, *cmdline(**values)]))

    def test_ports_of_different_protocols_may_be_equal(self) -> None:
        assert resolve([KEY, *cmdline(api_port="7948")]).config


class TestSources:
    """The stronger source wins and says so; what names the cluster must not be ambiguous."""

    def test_precedence_is_that_of_the_contract(self) -> None:
        givens = [Given("port", str(8000 + kind).encode(), Source(kind)) for kind in SourceKind]

        for order in (givens, givens[::-1]):
            resolution = resolve([KEY, *order])
            assert resolution.require().port == 8000 + SourceKind.FLAG
            assert len(resolution.warnings) == len(SourceKind) - 1
        assert list(SourceKind) == sorted(SourceKind)
        assert [kind.name for kind in SourceKind] == [
            *("FLAG", "ENVIRONMENT", "CMDLINE", "SMBIOS", "FW_CFG", "ESP", "VOLUME", "CIDATA", "FILE", "IMAGE"),
            "DEFAULT",
        ]

    def test_a_warning_names_both_sources(self) -> None:
        resolution = resolve([KEY, Given("port", b"8001", SMBIOS), *cmdline(port="8000")])

        assert resolution.warnings == (
            "hepto.port=8000 from the kernel command line outranks hepto.port=8001 from an SMBIOS credential",
        )
        assert resolution.provenance["port"] == CMDLINE

    @pytest.mark.parametrize("name", ["cluster", "name"])
    def test_what_names_a_node_must_agree(self, name: str) -> None:
        (mistake,) = resolve([KEY, Given(name, b"a", SMBIOS), Given(name, b"b", CMDLINE)]).mistakes

        assert mistake.what == (
            f"hepto.{name}=b from the kernel command line contradicts hepto.{name}=a from an SMBIOS credential"
        )

    def test_ca_must_agree_as_soon_as_it_is_available(self) -> None:
        assert {option.name for option in OPTIONS if option.must_agree} == {"cluster", "name", "ca"}

    def test_sources_that_agree_are_no_news(self) -> None:
        resolution = resolve([KEY, Given("cluster", b"a", SMBIOS), Given("cluster", b"a", CMDLINE)])

        assert resolution.require().cluster == "a"
        assert resolution.warnings == ()

    def test_the_same_value_in_another_spelling_agrees(self) -> None:
        resolution = resolve(
            [Given("key", b"00" * 16, SMBIOS), Given("key", b64encode(bytes(16)), Source(SourceKind.ESP))]
        )

        assert resolution.config
        assert resolution.warnings == ()

    def test_within_one_source_the_last_wins(self) -> None:
        resolution = resolve([KEY, Given("port", b"8000", CMDLINE), Given("port", b"8001", CMDLINE)])

        assert resolution.require().port == 8001
        assert len(resolution.warnings) == 1

    def test_a_bad_value_is_a_mistake_even_where_it_is_outranked(self) -> None:
        assert resolve([KEY, Given("port", b"x", SMBIOS), *cmdline(port="8000")]).mistakes

    def test_a_node_that_has_joined_goes_on_with_what_it_does_not_know(self) -> None:
        givens = [KEY, *cmdline(clustr="a", info="yes")]

        assert len(resolve(givens).mistakes) == 2
        resolution = resolve(givens, joined=True)
        assert resolution.config
        assert len(resolution.warnings) == 2

    def test_a_bad_value_stops_a_node_that_has_joined_too(self) -> None:
        assert resolve([KEY, *cmdline(port="x")], joined=True).mistakes


class TestSecrets:
    """Nothing that is printed holds a secret."""

    HORSE = "686f727365" * 6 + "6f6f"

    @pytest.mark.parametrize("name", ["key", "kye"])
    @pytest.mark.parametrize("value", ["horse", HORSE, "horse\0", f"{HORSE},{HORSE}"])
    def test_no_finding_shows_a_secret(self, name: str, value: str) -> None:
        resolution = resolve([*cmdline(**{name: value}), Given("key", b"00" * 32, SMBIOS)])

        printed = f"{resolution} {resolution.warnings} {resolution.config and resolution.config.shown()}"
        assert "horse" not in printed
        assert self.HORSE not in printed

    @pytest.mark.parametrize(
        "value", ["horse", "ghcr.io=me:horse", "ghcr.io=me:horse,ghcr.io=you:horse", "a=b:horse,c"]
    )
    def test_no_finding_shows_a_password(self, value: str) -> None:
        resolution = resolve([KEY, Given("registry-credentials", value.encode(), SMBIOS)])

        printed = f"{resolution} {resolution.warnings} {resolution.config and resolution.config.shown()}"
        assert "horse" not in printed
        assert bool(resolution.mistakes) == (value != "ghcr.io=me:horse")

    def test_a_secret_on_the_kernel_command_line_is_taken_with_a_warning(self) -> None:
        resolution = resolve(cmdline(key="00" * 32))

        assert resolution.config
        (warning,) = resolution.warnings
        assert warning.startswith("hepto.key is on the kernel command line, which every pod can read")

    def test_shown_values_are_those_a_user_would_write(self) -> None:
        shown = resolve([KEY, *cmdline(dns="2001:db8::53", debug="lab,console")]).require().shown()

        assert shown["key"] == "(secret)"
        assert shown["dns"] == "2001:db8::53"
        assert shown["debug"] == "console,lab"
        assert shown["ip"] == ""
        assert shown["insecure"] == "no"
        assert "info" not in shown


names = st.sampled_from([option.name for option in OPTIONS]) | st.text(max_size=12)
texts = st.none() | st.binary(max_size=60) | st.sampled_from([b"7946", b"a", b"2001:db8::1/64", b"fe80::1", b"none"])
sources = st.builds(Source, st.sampled_from(SourceKind), st.text(max_size=5))


@given(st.lists(st.builds(Given, names, texts, sources), max_size=8), st.booleans())
def test_any_givens_make_a_resolution_that_is_either_good_or_says_why(givens: list[Given], joined: bool) -> None:
    resolution = resolve(givens, joined=joined)

    assert (resolution.config is None) == bool(resolution.mistakes)
    for mistake in resolution.mistakes:
        assert "\n" not in mistake.what + mistake.hint
        assert mistake.what.isprintable()
