"""A configuration is described by plain data that holds no secret."""

import json

from hepto.config import resolve
from hepto.given import Given, Source, SourceKind
from hepto.meaning import describe, underlay_ports

CMDLINE = Source(SourceKind.CMDLINE)


def givens(**values: str) -> list[Given]:
    """A configuration with a key."""
    return [Given(name, text.encode(), CMDLINE) for name, text in ({"key": "ab" * 32} | values).items()]


def test_a_description_is_json_with_sources_and_without_secrets() -> None:
    resolution = resolve(givens(cluster="mycluster"))
    text = json.dumps(describe(resolution.require(), "node1", resolution.provenance))

    meaning = json.loads(text)
    assert meaning["node"]["address"] == "fd6d:9999:dd30:100:ca12:f31b:8cbf:5f29"
    assert meaning["options"]["cluster"] == {"value": "mycluster", "source": "the kernel command line"}
    assert meaning["options"]["port"] == {"value": "7946", "source": "the default"}
    assert "abab" not in text


def test_only_a_control_plane_that_is_open_has_the_apiserver_on_the_underlay() -> None:
    def has_apiserver(**values: str) -> bool:
        return ("tcp/6443", "apiserver") in underlay_ports(resolve(givens(**values)).require())

    assert has_apiserver()
    assert has_apiserver(role="master")
    assert not has_apiserver(kube_api="mesh")
