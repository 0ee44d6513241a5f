"""From what was given, wherever it was given, to one frozen configuration: `resolve`.

Promises: pure; takes any input without raising; reports *all* mistakes at once, each with what was given, what is
allowed and the nearest known name; remembers where every value came from; never shows a secret. A configuration exists
only if there is no mistake.
"""

import base64
import binascii
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Interface
from pathlib import Path
from typing import Any

from hepto import options
from hepto.address import AddressPlan
from hepto.errors import ExitCode, UserError
from hepto.given import DEFAULT, Given, Source, SourceKind, printable, shorten
from hepto.options import Option
from hepto.values import Anchor, BadValue, Login, Mirror, Port, Role, Secret

LONGEST_VALUE = 4096
"""Bytes. Longer than the kernel's whole command line; a list of keys fits many times."""

# What systemd-creds writes after a 16 byte identifier: the sizes of key, block, IV and tag of AES-256-GCM.
_ENCRYPTED_SIZES = struct.pack("<IIII", 32, 1, 12, 16)
_AFTER_CMDLINE = (
    *(SourceKind.SMBIOS, SourceKind.FW_CFG, SourceKind.ESP, SourceKind.VOLUME, SourceKind.CIDATA),
    SourceKind.FILE,
)

TAKEN_PORTS = {
    range(53, 54): "cluster DNS",
    range(2379, 2381): "etcd",
    range(6443, 6444): "the apiserver",
    range(10248, 10260): "the parts of Kubernetes",
    range(30000, 32768): "NodePorts",
}


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong, and what to do about it."""

    key: str
    what: str
    hint: str


@dataclass(frozen=True)
class Config:
    """What a node is to be. One attribute for each row of the table, of the type that the row's kind makes.

    `None` means what hepto/options.py says under `default_text`: it is found out on the machine, not here.
    """

    cluster: str
    key: tuple[Secret, ...]
    name: str | None
    role: Role
    anchor: tuple[Anchor, ...]
    iface: str | None
    ip: IPv6Interface | None
    gw: IPv6Address | None
    dns: tuple[IPv6Address, ...]
    search: tuple[str, ...]
    ntp: tuple[str, ...]
    data: Path
    port: int
    api_port: int
    mesh_port: int
    cni: str
    proxy: str
    admin: tuple[str, ...]
    ca: str | None
    admit: str
    identity: Secret | None
    profile: str
    kube_api: str
    api_names: tuple[str, ...]
    open: tuple[Port, ...]
    registry_mirrors: tuple[Mirror, ...]
    registry_credentials: tuple[Login, ...]
    data_disk: str | None
    gossip_compat: str
    insecure: bool
    backup_to: tuple[str, ...]
    restore: str | None
    restore_key: Secret | None
    debug: frozenset[str]
    info: bool

    def shown(self) -> dict[str, str]:
        """Every available option and its value in force, fit to be printed: no secret, and "" for nothing."""
        result = {}
        for option in options.AVAILABLE:
            value = getattr(self, option.attribute)
            if value == option.kind.absent and not option.kind.is_switch:
                result[option.name] = ""
            else:
                result[option.name] = "(secret)" if option.secret else option.kind.render(value)
        return result


@dataclass(frozen=True)
class Resolution:
    """What came of it. `config` is None exactly if there are mistakes."""

    config: Config | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[str, ...]
    provenance: dict[str, Source]
    """For each option by name: where the value in force comes from."""

    def require(self) -> Config:
        """The configuration, or one UserError with all mistakes, two lines each."""
        if self.config is not None:
            return self.config
        lines = [line for mistake in self.mistakes for line in (mistake.what, mistake.hint)]
        raise UserError("\n".join(lines[:-1]), lines[-1], ExitCode.USAGE)


@dataclass(frozen=True)
class _Value:
    """A given that was understood."""

    option: Option
    value: object = field(repr=False)
    source: Source

    def __str__(self) -> str:
        shown = "" if self.option.secret else f"={shorten(self.option.kind.render(self.value))}"
        return f"{self.source.spell(self.option.name)}{shown}{self.source.origin}"


@dataclass
class _Findings:
    """What resolve collects on its way."""

    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def wrong(self, key: str, what: str, hint: str) -> None:
        self.mistakes.append(Mistake(key, printable(what), printable(hint)))

    def warn(self, text: str) -> None:
        self.warnings.append(printable(text))

    def mention(self, name: str) -> bool:
        return any(mistake.key == options.PREFIX + name for mistake in self.mistakes)


def resolve(givens: Iterable[Given], *, joined: bool = False, key_elsewhere: bool = False) -> Resolution:
    """Make one configuration of all that was given.

    `joined`: this node belongs to a cluster already; then what is unknown to this version is a warning, so that a
    rollback is not bricked by a new option. `key_elsewhere`: nothing is started with this configuration, so a missing
    key is no mistake.
    """
    findings = _Findings()
    understood: dict[str, list[_Value]] = {}
    for given in givens:
        value = _understand(given, findings, joined=joined)
        if value:
            understood.setdefault(value.option.name, []).append(value)
    chosen = {name: _choose(candidates, findings) for name, candidates in understood.items()}
    config = _assemble(chosen)
    if not (config.key or config.insecure or key_elsewhere or findings.mention("key")):
        findings.wrong(
            options.PREFIX + "key",
            "hepto.key is missing: a node without a key would let everybody in",
            "make one with “hepto key” and give it as a credential (or say hepto.insecure)",
        )
    findings.mistakes += _contradictions(config)
    provenance = {option.name: DEFAULT for option in options.OPTIONS}
    provenance |= {name: value.source for name, value in chosen.items()}
    mistakes = tuple(findings.mistakes)
    return Resolution(None if mistakes else config, mistakes, tuple(findings.warnings), provenance)


def _understand(given: Given, findings: _Findings, *, joined: bool) -> _Value | None:
    """One given as a value, or None and a finding."""
    option = options.BY_NAME.get(options.normalise(given.name))
    if option is None or not option.available:
        _unknown(given, option, findings, joined=joined)
        return None
    key = given.source.spell(option.name)
    if option.on_cmdline_only and given.source.kind in _AFTER_CMDLINE:
        what = f"{key}{given.source.origin} would be without effect: PID 1 reads it from the kernel command line"
        findings.wrong(option.key, what, "give it there")
        return None
    if given.defect:
        what, hint = given.defect
        findings.wrong(option.key, f"{key}{given.source.origin}: {what}", hint)
        return None
    try:
        value = _parse(option, given)
    except BadValue as error:
        shown = "" if given.value is None else f"={shorten(given.value.decode(errors='replace'))}"
        if option.secret:
            shown = f" ({len(given.value or b'')} bytes)"
        example = "" if option.secret else f", for example {key}={option.example}"
        hint = f"it takes {option.kind.allowed}{example}"
        findings.wrong(option.key, f"{key}{shown}{given.source.origin}: {error}", hint)
        return None
    if option.secret and given.source.kind is SourceKind.CMDLINE:
        findings.warn(f"{key} is on the kernel command line, which every pod can read; use a credential")
    return _Value(option, value, given.source)


def _unknown(given: Given, option: Option | None, findings: _Findings, *, joined: bool) -> None:
    # The value is not shown: it may be a secret whose name was mistyped.
    key = given.source.spell(shorten(given.name))
    is_variable = given.source.kind is SourceKind.ENVIRONMENT
    if option is not None:
        what, hint = f"{key}{given.source.origin} is not available in this version", "leave it out"
    else:
        near = options.nearest(given.name)
        # Other programs, and other parts of hepto, have variables that begin alike: only a likely slip is worth a word.
        if is_variable and not options.nearest(given.name, 0.8):
            return
        what = f"{key}{given.source.origin} is not an option"
        hint = f"did you mean {given.source.spell(near.name)}?" if near else "“hepto options” lists what there is"
    if joined or (option is None and is_variable):
        findings.warn(f"{what}; {hint}")
    else:
        findings.wrong(options.PREFIX + options.normalise(given.name), what, hint)


def _parse(option: Option, given: Given) -> object:
    if given.value is None:
        if not option.kind.is_switch:
            raise BadValue("there is no value")
        return True
    if len(given.value) > LONGEST_VALUE:
        raise BadValue(f"{len(given.value):,} bytes are too many, at most {LONGEST_VALUE:,} are taken")
    if _is_encrypted(given.value):
        raise BadValue("is encrypted by systemd-creds, which hepto cannot read; store the credential plain")
    try:
        text = given.value.decode()
    except UnicodeDecodeError:
        raise BadValue("is not UTF-8 text") from None
    for character, name in (("\0", "a NUL"), ("\n", "a line feed"), ('"', "a double quote")):
        if character in text:
            raise BadValue(f"contains {name}")
    if not text:
        raise BadValue("is empty; leave the option out instead")
    return option.kind.parse(text)


def _is_encrypted(value: bytes) -> bool:
    try:
        head = base64.b64decode(b"".join(value.split())[:64], validate=True)
    except binascii.Error:
        return False
    return head[16:32] == _ENCRYPTED_SIZES


def _choose(candidates: list[_Value], findings: _Findings) -> _Value:
    """The value of the strongest source; within one source the last, as everywhere on a kernel command line."""
    best = min(reversed(candidates), key=lambda value: value.source.kind)
    for other in candidates:
        if other.value == best.value:
            continue
        if best.option.must_agree:
            findings.wrong(best.option.key, f"{best} contradicts {other}", "give it once only, or the same in both")
        else:
            findings.warn(f"{best} outranks {other}")
    return best


def _assemble(chosen: dict[str, _Value]) -> Config:
    # Any: the kinds of the table make the types of the attributes; tests/test_config.py compares them.
    in_force: dict[str, Any] = {}
    for option in options.OPTIONS:
        if option.name in chosen:
            in_force[option.attribute] = chosen[option.name].value
        elif option.default is not None:
            in_force[option.attribute] = option.kind.parse(option.default)
        else:
            in_force[option.attribute] = option.kind.absent
    if in_force["role"] is None:
        in_force["role"] = Role.NODE if in_force["anchor"] else Role.FULL
    return Config(**in_force)


def _contradictions(config: Config) -> Iterator[Mistake]:
    """Values that are good each, but not together."""
    ports = {"port": config.port, "api-port": config.api_port, "mesh-port": config.mesh_port}
    for name, number in ports.items():
        owner = next((text for taken, text in TAKEN_PORTS.items() if number in taken), None)
        if owner:
            yield Mistake(f"hepto.{name}", f"hepto.{name}={number} is taken by {owner}", "choose another port")
    # Gossip is UDP and TCP, so it collides with either; the other two do not meet.
    for name in ("api-port", "mesh-port"):
        if ports[name] == config.port:
            what = f"hepto.{name} and hepto.port are both {config.port}"
            yield Mistake(f"hepto.{name}", what, "choose different ports")
    if config.restore is not None and not config.role.has_control_plane:
        what = "hepto.restore is given, and hepto.role=node: a backup is of a master"
        yield Mistake("hepto.restore", what, "give the role of the master that it is of: hepto.role=full or master")
    hosts = [login.host for login in config.registry_credentials]
    for host in sorted({host for host in hosts if hosts.count(host) > 1}):
        what = f"hepto.registry-credentials has several for {host}"
        yield Mistake("hepto.registry-credentials", what, "give one for each host")
    if config.ip and config.gw:
        inside = config.gw in config.ip.network and config.gw != config.ip.ip
        if not inside and not config.gw.is_link_local:
            what = f"hepto.gw={config.gw} cannot be reached from hepto.ip={config.ip}"
            yield Mistake("hepto.gw", what, "it is another address in the same network, or link-local (fe80::…)")
    prefix = AddressPlan(config.cluster).prefix
    own = {"ip": (config.ip.ip,) if config.ip else (), "gw": (config.gw,) if config.gw else (), "dns": config.dns}
    for name, addresses in own.items():
        for address in addresses:
            if address in prefix:
                what = f"hepto.{name}={address} lies in {prefix}, which belongs to the mesh of cluster {config.cluster}"
                yield Mistake(f"hepto.{name}", what, "give an address of the underlay")
