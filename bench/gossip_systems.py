"""What is compared: how a member of each system is started and what its lines mean.

The same for all: profile `lan`, port 7946, one 32-byte key, one member as the seed of all, and META_BYTES of
metadata that do not compress. Each says on its standard output what it sees, at once; that costs all the same, and no
interface is polled. serf's log line is written where its view changes, whereas its event stream (RPC `stream`) is held
back for one to three seconds to coalesce.
"""

import base64
import functools
import json
import random
import re
import string
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import report
from bench.gossip_network import address
from bench.gossip_serf import ensure_serf
from bench.gossip_views import Sight, What
from hepto.edge.cache import cache_directory
from hepto.edge.command import CommandFailedError, run
from hepto.errors import UserError

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PORT = 7946
META_BYTES = 320
KINSHIP = "kinship==0.4.0"
PACKAGES = report.RESULTS / "kinship"
MEMBER = Path(__file__).parent / "programs" / "kinship_member.py"
SERF = report.RESULTS / "serf"
SERF_LINE = re.compile(r"serf: EventMember(Join|Failed|Leave)(?: \(forced\))?: (\S+)")
SERF_WORDS = {"Join": What.JOINED, "Failed": What.FAILED, "Leave": What.LEFT}
KINSHIP_WORDS = {"MemberJoined": What.JOINED, "MemberDead": What.FAILED, "MemberLeft": What.LEFT}
# What the encoding of one tag adds to its value: a magic byte, map of one, one-letter name, string of 16-bit length.
SERF_TAG_OVERHEAD = 1 + 1 + 2 + 3
# What hepto's meta has beside the grant (hepto/gossip/plain.py): version, lengths, an endpoint record of one address.
HEPTO_META_OVERHEAD = 34
HEPTO_FILES = report.RESULTS / "gossip"
HEPTO_KEY = HEPTO_FILES / "key"
HEPTO_WORDS = {"joined": What.JOINED, "failed": What.FAILED, "left": What.LEFT}
MOST_MEMBERS = 200


@dataclass(frozen=True)
class System:
    """One of the compared."""

    argv: Callable[[int], list[str]]
    """The command for member `number`, from 1."""
    parse: Callable[[str], Sight | None]
    """What a line of its standard output says of another member, if anything."""
    prepare: Callable[[], None] = lambda: None
    """Once, before the first start. Raises UserError."""


def name(number: int) -> str:
    """What a member is called."""
    return f"n{number}"


def text(number: int, length: int) -> str:
    """Characters that LZW cannot shorten, the same in every run."""
    return "".join(random.Random(number).choices(string.ascii_letters + string.digits, k=length))


def endpoint(number: int) -> str:
    """Where a member listens."""
    return f"[{address(number)}]:{PORT}"


def seed(number: int) -> str:
    """Whom a member joins: the first one, which itself joins the second. One, for serf would ask each of several."""
    return endpoint(2 if number == 1 else 1)


def hepto_argv(number: int) -> list[str]:
    """A member that is no node; random text stands in for its grant."""
    words = [sys.executable, "-m", "hepto", "gossip", "run", "--json", "--profile=lan", f"--name={name(number)}"]
    words += [f"--bind={endpoint(number)}", f"--key=@{HEPTO_KEY}", f"--grant={_grant(number)}"]
    return [*words, f"--anchor={seed(number)}"]


def hepto_parse(line: str) -> Sight | None:
    """A line of the member."""
    value = json.loads(line)
    what = HEPTO_WORDS.get(value["change"])
    return Sight(what, value["name"]) if what else None


def hepto_prepare() -> None:
    """Write the key and the grants, which are given as files."""
    HEPTO_FILES.mkdir(parents=True, exist_ok=True)
    HEPTO_KEY.touch(mode=0o600)
    HEPTO_KEY.write_text(base64.b64decode(KEY).hex())
    for number in range(1, MOST_MEMBERS + 1):
        _grant(number).write_text(text(number, META_BYTES - HEPTO_META_OVERHEAD))


def _grant(number: int) -> Path:
    return HEPTO_FILES / f"grant-{number}"


def serf_argv(number: int, profile: str = "lan") -> list[str]:
    """A serf agent; its RPC, which nobody uses, has a port of its own."""
    words = [str(SERF), "agent", f"-profile={profile}", f"-node={name(number)}", f"-bind={endpoint(number)}"]
    words += [f"-rpc-addr=127.0.0.1:{20000 + number}", f"-encrypt={KEY}", "-retry-interval=1s"]
    words += [f"-tag=m={text(number, META_BYTES - SERF_TAG_OVERHEAD)}"]
    return [*words, f"-retry-join={seed(number)}"]


def serf_parse(line: str) -> Sight | None:
    """A line of an agent's log."""
    found = SERF_LINE.search(line)
    return Sight(SERF_WORDS[found[1]], found[2]) if found else None


def serf_prepare() -> None:
    """Debian's, of the release that a node is made of."""
    binary = ensure_serf(cache_directory())
    SERF.unlink(missing_ok=True)
    SERF.symlink_to(binary)


def kinship_argv(number: int) -> list[str]:
    """A Python program as kinship's documentation shows it."""
    words = [sys.executable, str(MEMBER), str(PACKAGES), name(number), endpoint(number), KEY]
    return [*words, text(number, META_BYTES), seed(number)]


def kinship_parse(line: str) -> Sight | None:
    """A line of the program."""
    value = json.loads(line)
    what = KINSHIP_WORDS.get(value["event"])
    return Sight(what, value["name"]) if what else None


def kinship_prepare() -> None:
    """Install it from PyPI beside the results, since hepto does not depend on it."""
    if (PACKAGES / "kinship").is_dir():
        return
    try:
        run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", PACKAGES, KINSHIP])
    except CommandFailedError as error:
        raise UserError(
            f"pip could not install {KINSHIP}: {error.last_line()}", "leave it out with --systems"
        ) from error


SYSTEMS = {
    "hepto": System(hepto_argv, hepto_parse, hepto_prepare),
    "serf": System(serf_argv, serf_parse, serf_prepare),
    "kinship": System(kinship_argv, kinship_parse, kinship_prepare),
}
SERF_WAN = "serf-wan"
OTHERS = {SERF_WAN: System(functools.partial(serf_argv, profile="wan"), serf_parse, serf_prepare)}
"""Not compared with the three above: see bench/gossip_wan.py."""
