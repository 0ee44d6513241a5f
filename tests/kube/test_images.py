"""The baked-in images."""

import dataclasses

from hepto.kube.images import plan
from init.contract.service import Ready, ReadyKind, Restart, Type, When
from tests.kube.example import FULL


def test_the_archive_is_imported_and_pinned() -> None:
    service = plan(FULL).services["images"]

    assert service.argv == (
        "/usr/lib/hepto/stack/ctr",
        *("--address", "/run/containerd/containerd.sock", "--namespace", "k8s.io"),
        *("images", "import", "--label", "io.cri-containerd.pinned=pinned", "/usr/lib/hepto/images/images.tar"),
    )
    assert (service.type, service.ready, service.restart) == (
        Type.ONESHOT,
        Ready(ReadyKind.EXIT),
        Restart(When.FAILURE),
    )


def test_another_archive_is_imported_again() -> None:
    before, after = plan(FULL), plan(dataclasses.replace(FULL, images_digest="4567"))

    assert before.services["images"].restarts(after.services["images"])
