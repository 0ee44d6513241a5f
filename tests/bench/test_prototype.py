import base64
import json
import re
from pathlib import Path

from bench import prototype, ready
from bench.programs import prototype as program
from hepto.kube.plan import plan


def test_the_baseline_has_every_process_with_hepto_s_own_flags_and_environment() -> None:
    described = prototype.description()
    wanted = plan(prototype.parameters()).services

    found = described["services"] | {prototype.ONESHOT: described["images"]}

    assert {name: service.argv for name, service in wanted.items()} == {n: s["argv"] for n, s in found.items()}
    assert {name: dict(service.env) for name, service in wanted.items()} == {n: s["env"] for n, s in found.items()}


def test_the_baseline_travels_as_json() -> None:
    described = json.loads(json.dumps(prototype.description()))

    assert {path for path, _, _ in described["files"]} == {file.path for file in plan(prototype.parameters()).files}
    assert base64.b64decode(described["files"][0][2]) == plan(prototype.parameters()).files[0].data


def test_the_data_disk_holds_the_certificates_that_the_flags_name(tmp_path: Path) -> None:
    content = prototype.certificates(tmp_path / "content")
    words = [word for service in prototype.description()["services"].values() for word in service["argv"]]
    named = {path for word in words for path in re.findall(rf"{prototype.DATA}/pki/[^,]+", word)}

    missing = [path for path in named if not (content / Path(path).relative_to("/var/lib/hepto")).exists()]

    assert named
    assert missing == []


def test_kubelets_line_is_read_alike_in_both_variants() -> None:
    line = (
        'I1123 16:58:29.250000     271 kubelet_node_status.go:550] "Fast updating node status as it just became ready"'
    )
    pattern = re.search(r're\.search\(r"(.*?)", text', ready.FIND)

    ours, theirs = re.search(pattern[1], line) if pattern else None, program.BECAME_READY.search(line)

    assert ours is not None
    assert theirs is not None
    assert ours.groups() == theirs.groups() == ("16", "58", "29.250000")
