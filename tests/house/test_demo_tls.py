"""The demo's TLS identities come from the Function CA, last, and are made again only when they must be."""

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signer(demo_pki) -> Iterator[None]:
    """What the pki worker does, in a thread: signs what is reserved."""
    from django.db import connection

    from pki.issuing import signing

    end = threading.Event()

    def work() -> None:
        while not end.wait(0.05):
            signing.sign_reserved()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    end.set()
    thread.join()


@pytest.fixture
def var(settings, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    settings.SUPPLIER_PUSH_HOSTS = ["localhost:9012"]
    return tmp_path


def contents(var: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(var.rglob("*")) if path.is_file()}


def test_all_sides_get_identities_that_openssl_accepts_and_the_clients_are_registered(signer: None, var: Path) -> None:
    from authn.services import clients
    from pki.clients import permissions
    from siths_portal.demo import tls
    from siths_portal.lib.http import webhooks

    assert tls.provide() == 11
    front, supplier, service = var / "tls", var / "simulators" / "supplier", var / "simulators" / "service"
    sandbox, push, pushed = var / "sandbox", var / "push", var / "simulators" / "push-supplier"
    for leaf, purpose, anchors in (
        (front / "server.pem", "sslserver", supplier / "ca.pem"),
        (supplier / "client.pem", "sslclient", front / "clients-ca.pem"),
        (sandbox / "client.pem", "sslclient", front / "clients-ca.pem"),
        (sandbox / "server.pem", "sslserver", push / "ca.pem"),
        (service / "client.pem", "sslclient", front / "clients-ca.pem"),
        (push / "client.pem", "sslclient", pushed / "ca.pem"),
        (pushed / "server.pem", "sslserver", push / "ca.pem"),
        (pushed / "client.pem", "sslclient", front / "clients-ca.pem"),
    ):
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", str(anchors), str(leaf)]
        verified = subprocess.run(command, capture_output=True, text=True, check=False)
        assert verified.returncode == 0, verified.stderr
    named = ["openssl", "x509", "-in", str(front / "server.pem"), "-noout", "-checkhost", "localhost"]
    assert "does match" in subprocess.run(named, capture_output=True, text=True, check=True).stdout
    keys = [front / "server.key", *(folder / "client.key" for folder in (supplier, sandbox, service))]
    assert {path.stat().st_mode & 0o077 for path in keys} == {0}
    for folder, known in (
        (supplier, (tls.SUPPLIER_REF, "supplier")),
        (sandbox, (tls.SANDBOX_REF, "supplier")),
        (service, (tls.SERVICE_REF, "service")),
    ):
        client = x509.load_pem_x509_certificates((folder / "client.pem").read_bytes())[0]
        proved = clients.client_of_certificate(client.public_bytes(Encoding.DER))
        assert proved is not None
        assert (proved.client_ref, proved.kind) == known
    for folder, ref in ((supplier, tls.SUPPLIER_REF), (sandbox, tls.SANDBOX_REF), (pushed, tls.PUSHED_REF)):
        letter = x509.load_pem_x509_certificates((folder / "letter.pem").read_bytes())[0]
        assert clients.letter_certificate(ref) == clients.thumbprint(letter.public_bytes(Encoding.DER))
        assert (folder / "letter.key").stat().st_mode & 0o077 == 0
    endpoint = clients.push_endpoints()[tls.PUSHED_REF]
    assert endpoint.url == "https://localhost:9012"
    own = webhooks.read_private_keys(pushed / "signing.keys")[0].public_key()
    assert endpoint.keys == (webhooks.public_key_text(own),)
    assert (push / "signing.keys").stat().st_mode & 0o077 == 0
    (permission,) = permissions.client_permissions()
    assert (permission.client_ref, permission.ca, permission.profile) == (tls.SERVICE_REF, "function", "function")
    assert permission.rights == permissions.RIGHTS


def test_the_supplier_under_test_takes_push_while_its_file_says_so(signer: None, var: Path, settings) -> None:
    from authn.services import clients
    from siths_portal.demo import tls
    from siths_portal.lib.errors import Invalid

    tls.provide()
    assert tls.SANDBOX_REF not in clients.push_endpoints()
    sandbox = var / "sandbox"
    assert (sandbox / "api").read_text() == f"{settings.API_BASE_URL}/api/supplier/v1\n"
    portal = (sandbox / "portal.keys").read_text()
    assert portal == (var / "simulators" / "push-supplier" / "portal.keys").read_text()
    asked = sandbox / tls.SANDBOX_PUSH
    asked.write_text(json.dumps({"url": "https://localhost:9443", "keys": [portal.strip()]}))
    with pytest.raises(Invalid, match="clients-file-invalid"):
        tls.provide()
    settings.SUPPLIER_PUSH_HOSTS = ["localhost:9012", "localhost:9443"]
    tls.provide()
    assert clients.push_endpoints()[tls.SANDBOX_REF].url == "https://localhost:9443"
    assert clients.push_endpoints()[tls.PUSHED_REF].url == "https://localhost:9012"
    asked.unlink()
    tls.provide()
    assert tls.SANDBOX_REF not in clients.push_endpoints()


def test_good_identities_stay_and_a_lost_key_is_made_anew(signer: None, var: Path) -> None:
    from siths_portal.demo import tls

    tls.provide()
    before = contents(var)
    assert tls.provide() == 0
    assert contents(var) == before
    (var / "tls" / "server.key").unlink()
    assert tls.provide() == 1
    changed = {path.name for path, content in contents(var).items() if before[path] != content}
    assert changed == {"server.key", "server.pem"}


def test_identities_that_soon_end_are_renewed(signer: None, var: Path, settings) -> None:
    from siths_portal.demo import tls

    tls.provide()
    before = contents(var)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tls, "RENEW_BEFORE", tls.VALIDITY)
        assert tls.provide() == 11
    changed = {path.name for path, content in contents(var).items() if before[path] != content}
    assert {"server.pem", "client.pem", f"{tls.SUPPLIER_REF}.pem"} <= changed


def test_without_a_worker_it_says_so_and_leaves_no_half_identity(demo_pki, var: Path) -> None:
    from siths_portal.demo import tls

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tls, "SECONDS", 0)
        with pytest.raises(tls.TlsFault, match="server"):
            tls.provide()
    assert contents(var) == {}
