"""What the certificates are for, judged by the TLS library over a socket pair: the negative half above all."""

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hepto.pki import store
from hepto.pki.issue import Issuer
from tests.pki.example import MASTER, WORKER, authority, pair

# The TLS library reads the machine's clock, so these certificates are issued by it.
NOW = datetime.now(UTC)
CLUSTER = authority(now=NOW)
STRANGER = authority(now=NOW)

API = "kubernetes.default.svc"


def server(directory: Path, issuer: Issuer, profile: str, now: datetime = NOW) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    (directory / "server.pem").write_bytes(pair(profile, issuer, now=now).pem())
    context.load_cert_chain(directory / "server.pem")
    return context


def client(issuer: Issuer) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=store.certificate_pem(issuer.certificate).decode())
    return context


def shake(serving: ssl.SSLContext, asking: ssl.SSLContext, name: str) -> None:
    """Both sides' handshake and one byte each way, which brings a refusal of the client's certificate to light."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    asker = asking.wrap_socket(near, server_hostname=name, do_handshake_on_connect=False)
    server_side = serving.wrap_socket(far, server_side=True, do_handshake_on_connect=False)
    waiting: list[tuple[Callable[[], object], ...]] = [(asker.do_handshake, server_side.do_handshake)]
    waiting += [(lambda: server_side.write(b"x"),), (lambda: asker.read(1),)]
    try:
        for _ in range(100):
            waiting[0] = tuple(step for step in waiting[0] if not done(step))
            if not waiting[0]:
                waiting.pop(0)
            if not waiting:
                return
        raise AssertionError("the handshake never ends")
    finally:
        server_side.close()
        asker.close()


def done(step: Callable[[], object]) -> bool:
    try:
        step()
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    return True


@pytest.mark.parametrize(
    "name", [API, "mymaster", "api.example.org", str(MASTER.address), str(MASTER.kubernetes_service)]
)
def test_the_apiserver_is_accepted_by_each_of_its_names(tmp_path: Path, name: str) -> None:
    shake(server(tmp_path, CLUSTER, "apiserver"), client(CLUSTER), name)


@pytest.mark.parametrize("name", ["kubernetes.example.org", "node1", str(WORKER.address), "::1"])
def test_another_host_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake(server(tmp_path, CLUSTER, "apiserver"), client(CLUSTER), name)


def test_no_kubelet_can_pose_as_the_apiserver(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake(server(tmp_path, CLUSTER, "kubelet-server"), client(CLUSTER), API)


def test_another_authority_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"certificate signature failure|unable to get local issuer"):
        shake(server(tmp_path, STRANGER, "apiserver"), client(CLUSTER), API)


@pytest.mark.parametrize(
    ("age", "reason"), [(timedelta(days=8), "expired"), (timedelta(hours=-2), "not yet valid")], ids=["old", "future"]
)
def test_another_time_is_refused(tmp_path: Path, age: timedelta, reason: str) -> None:
    issuer = authority(now=NOW - timedelta(days=30))

    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        shake(server(tmp_path, issuer, "apiserver", NOW - age), client(issuer), API)


def test_a_clock_an_hour_behind_accepts_a_fresh_certificate(tmp_path: Path) -> None:
    issuer = authority(now=NOW - timedelta(days=30))

    shake(server(tmp_path, issuer, "apiserver", NOW + timedelta(minutes=59)), client(issuer), API)


def test_a_client_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
        shake(server(tmp_path, CLUSTER, "admin"), client(CLUSTER), API)


@pytest.mark.parametrize(
    ("profile", "issuer", "accepted"),
    [("admin", CLUSTER, True), ("kubelet-server", CLUSTER, False), ("admin", STRANGER, False)],
    ids=["client", "server's certificate", "another authority"],
)
def test_servers_take_only_clients_of_their_authority(
    tmp_path: Path, profile: str, issuer: Issuer, accepted: bool
) -> None:
    serving = server(tmp_path, CLUSTER, "apiserver")
    serving.verify_mode = ssl.CERT_REQUIRED
    serving.load_verify_locations(cadata=store.certificate_pem(CLUSTER.certificate).decode())
    asking = client(CLUSTER)
    (tmp_path / "client.pem").write_bytes(pair(profile, issuer, now=NOW).pem())
    asking.load_cert_chain(tmp_path / "client.pem")

    if accepted:
        shake(serving, asking, API)
    else:
        with pytest.raises(ssl.SSLError):
            shake(serving, asking, API)
