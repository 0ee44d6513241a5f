"""The options of a node: ONE table (contract.md section 1).

From it come the parser of the kernel command line and of credentials, the environment variables, the flags,
`hepto options`, docs/options.md and the values that a shell completes. Option NAME is `hepto.NAME` on the kernel
command line and as a credential, `HEPTO_NAME` in the environment, `--NAME` or `-NAME` as a flag; `-` and `_` are the
same.

A row with `available=False` is known by name but cannot be honoured by this version: giving it is a mistake, and it is
not shown anywhere. Config (hepto/config.py) has one attribute for each row, available or not.
"""

from dataclasses import dataclass
from typing import Any, Final

from hepto import recipients, values
from hepto.values import Kind, Role, choice, many, words

PREFIX: Final = "hepto."
ENVIRONMENT_PREFIX: Final = "HEPTO_"

PUBLIC_RESOLVERS: Final = ("2606:4700:4700::1111", "2001:4860:4860::8888")
"""What `dns` falls back to when no router names a resolver: Cloudflare's and Google's."""


@dataclass(frozen=True)
class Option:
    """One row. `Any`: the table holds kinds of many types; a test compares each with the type of Config's attribute."""

    name: str
    kind: Kind[Any]
    help: str
    """One sentence: what it does, and what one gives up."""
    example: str
    default: str | None = None
    """As a user would write it; None if nothing is in force unless given."""
    default_text: str = "none"
    """What a reader is told in place of a missing default."""
    secret: bool = False
    available: bool = True
    on_cmdline_only: bool = False
    """PID 1 reads it, from the kernel command line; on a booted machine it would be without effect elsewhere."""
    must_agree: bool = False
    """Two sources that disagree are an error, not a warning: the node would become part of something else."""

    @property
    def attribute(self) -> str:
        """The name in Config."""
        return self.name.replace("-", "_")

    @property
    def key(self) -> str:
        """On the kernel command line, and as a credential."""
        return PREFIX + self.name

    @property
    def variable(self) -> str:
        """In the environment."""
        return ENVIRONMENT_PREFIX + self.attribute.upper()

    @property
    def flag(self) -> str:
        """For a command."""
        return f"--{self.name}"

    @property
    def shown_default(self) -> str:
        """What applies if nothing is given, for a reader."""
        return self.default_text if self.default is None else self.default


# fmt: off
OPTIONS: Final[tuple[Option, ...]] = (
    Option("cluster", values.CLUSTER,
        "Name of the cluster: all its addresses follow from it, so changing it later makes another cluster.",
        "demo", default="hepto", must_agree=True),
    Option("key", many(values.KEY, "16, 24 or 32 bytes in hex or base64; of several the first is the primary"),
        "Gossip key, the same on all nodes; give it as a credential, for every pod can read the kernel command line.",
        "@key.hex", secret=True),
    Option("name", values.LABEL_NAME,
        "Name of the node: its addresses follow from it, so it must be unique in the cluster and stay.",
        "one", must_agree=True,
        default_text="that of the only node in data, else node- and 8 hex digits of the machine's UUID or MAC"),
    Option("role", choice(Role.FULL, Role.MASTER, Role.NODE),
        "What runs here: full is master and node at once; a master alone keeps pods off etcd; a node runs pods only.",
        "full", default_text="node if an anchor is given, else full"),
    Option("anchor", many(values.ANCHOR, "hosts or addresses of members"),
        "Members to contact, any of them; several are tried for ever, so name more than one.",
        "one.example.org,[2001:db8::5]:7946"),
    Option("iface", values.INTERFACE,
        "Network interface of the underlay; needed only if the first that hears a router is the wrong one.",
        "eth0", default_text="the first with carrier and a router advertisement"),
    Option("ip", values.INTERFACE_ADDRESS,
        "Static address of the node on the underlay; router advertisements renumber by themselves, this does not.",
        "2001:db8:1::10/64", default_text="from router advertisements"),
    Option("gw", values.ADDRESS,
        "Static gateway of the underlay, link-local or in the network of ip.",
        "fe80::1", default_text="from router advertisements"),
    Option("dns", many(values.ADDRESS, "IPv6 addresses of resolvers"),
        "Resolvers to use instead of those that routers name; with NAT64 they have to be the network's DNS64.",
        "2001:db8:1::53", default_text="from router advertisements (RDNSS), else two public ones"),
    Option("search", many(values.HOST_NAME, "domain names"),
        "Search domains of the node's resolver; each costs every unknown name one more query.",
        "lab.internal", default_text="from router advertisements (DNSSL)"),
    Option("ntp", many(values.HOST, "host names or IPv6 addresses of NTP servers"),
        "Time servers, reachable over IPv6; certificates need a clock that is right to the minute.",
        "ntp.example.org", default="2.debian.pool.ntp.org"),  # of the pool's numbers only 2 has AAAA records
    Option("data", values.DIRECTORY,
        "Directory below which all state of the node is kept; on an image the data disk is mounted at the default.",
        "/srv/hepto", default="/var/lib/hepto"),
    Option("port", values.PORT,
        "Gossip, UDP and TCP; the same on all nodes, and open on the underlay.",
        "7946", default="7946"),
    Option("api-port", values.PORT,
        "Node API (HTTPS), through which nodes join and renew certificates; open on the underlay.",
        "7947", default="7947"),
    Option("mesh-port", values.PORT,
        "WireGuard, UDP; open on the underlay.",
        "7948", default="7948"),
    Option("cni", choice("native", "none"),
        "Pod network: native routes pods through the mesh but knows no NetworkPolicy; none waits for your plugin.",
        "none", default="native"),
    Option("proxy", choice("native", "none"),
        "Service proxy: native is kube-proxy with nftables; none if your plugin replaces it.",
        "none", default="native"),
    Option("admin", many(values.OPERATOR_KEY, "OpenSSH public keys (ssh-ed25519 AAAA…, or AAAA… alone)"),
        "Public keys of the operators, on masters: whoever has the private half may do everything in the cluster.",
        "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    Option("ca", values.FINGERPRINT,
        "SHA-256 of the cluster CA to insist on at the first join; without it the first answer is trusted.",
        64 * "0", must_agree=True),
    Option("admit", choice("key", "operator"),
        "Who lets a new node in: whoever holds the key, or an operator for each by hand.",
        "operator", default="key"),
    Option("identity", values.IDENTITY,
        "The node's identity key (Ed25519), for nodes without a disk: without it such a node is another at each boot.",
        "@identity.key", secret=True),
    Option("profile", choice("lan", "wan", "local"),
        "Timing of gossip: wan tolerates slow paths and notices failures later.",
        "wan", default="lan"),
    Option("kube-api", choice("open", "mesh"),
        "Where masters offer the apiserver: open includes the underlay; mesh hides it, also from operators outside.",
        "mesh", default="open"),
    Option("api-names", many(values.HOST_NAME, "host names"),
        "Further host names for the certificates of apiserver and node API, for those who reach them by such a name.",
        "api.example.org"),
    Option("open", many(values.OPEN_PORT, "ports such as tcp/8443"),
        "Further ports of the node to open on the underlay, to everybody who can reach it.",
        "tcp/8443,udp/53"),
    Option("registry-mirrors", many(values.MIRROR, "REGISTRY=MIRROR pairs"),
        "Where to pull images from instead; needed for registries without IPv6, and the mirror sees what you run.",
        "docker.io=https://mirror.example.org"),
    Option("registry-credentials", many(values.LOGIN, "HOST=USER:PASSWORD, HOST that of the registry or mirror"),
        "Who the node is towards registries and mirrors; what they let it pull, every pod of the node can use.",
        "@logins", secret=True),
    Option("data-disk", values.TEXT,
        "Serial number of the disk for the data, or memory: then nothing survives a reboot, not even the cluster.",
        "memory", default_text="the disk labelled hepto-data, else the only blank disk", on_cmdline_only=True),
    Option("gossip-compat", choice("none", "serf"),
        "Speak to other software: serf leaves out the label, so that serf can watch.",
        "serf", default="none"),
    Option("insecure", values.SWITCH,
        "Run without a key: whoever reaches the gossip port belongs to the cluster.",
        "yes", default="no"),
    Option("backup-to", many(recipients.RECIPIENT, "age recipients (age1…)"),
        "Who can open a master's backups (`hepto key --backup`); without it they stay on the master's own disk.",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"),
    Option("restore", recipients.BACKUP,
        "Bring the cluster back from this backup, on a blank data disk: a file, or a disk that begins with it.",
        "/dev/vdb"),
    Option("restore-key", recipients.PRIVATE_KEY,
        "Opens that backup: the private half of its recipient.",
        "@backup.key", secret=True),
    Option("debug", words("console", "lab", "no-kube", "short-leaves"),
        "Open the node: console (a shell if no root is found), lab (its channel). "
        "For tests: no-kube, short-leaves (20 minutes).",
        "lab,no-kube", on_cmdline_only=True),
    Option("info", values.SWITCH,
        "Print what this configuration means, and start nothing.",
        "yes", default="no", available=False),
)
# fmt: on

BY_NAME: Final = {option.name: option for option in OPTIONS}
AVAILABLE: Final = tuple(option for option in OPTIONS if option.available)


def normalise(name: str) -> str:
    """The table's spelling of a name: `-` and `_` are the same."""
    return name.replace("_", "-")


def nearest(name: str, likeness: float = 0.6) -> Option | None:
    """The available option whose name is most like `name`, if any is that much like it (1 is equal)."""
    from difflib import get_close_matches  # only a mistake needs it

    close = get_close_matches(normalise(name).lower(), [option.name for option in AVAILABLE], 1, likeness)
    return BY_NAME[close[0]] if close else None


def render(option: Option, value: object) -> str:
    """How `value` of `option` is written. Not for secrets."""
    if option.secret:
        raise ValueError(f"{option.name} is secret")
    return option.kind.render(value)
