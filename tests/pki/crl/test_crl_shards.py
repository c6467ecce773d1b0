"""CAs whose ceremony gives them shards: what the file may say, and certificates that point to the list of their shard."""

import re

import pytest
from cryptography import x509
from django.conf import settings

from pki import service
from pki.authorities.queries import issuer_of
from pki.ceremonies import execution
from pki.crl import building
from pki.domain.ceremony_file import CeremonyFileError, parse
from pki.domain.profiles import PROFILES
from pki.issuing import lint, signing
from pki.models import Certificate, CertificateAuthority, Crl
from tests.pki.conftest import small_file
from tests.pki.crl.crl_world import published, revoke, run, serials_of
from tests.pki.crl.test_b1_crl import as_pem
from tests.pki.orders import order, plan
from tests.pki_fixtures import approved, demo_file


def with_shards(content: bytes, slug: str, shards: object) -> bytes:
    """The file, in which one CA has shards."""
    before, after = content.decode().split(f"slug: {slug}\n")
    return f"{before}slug: {slug}\n{re.sub(r'(crl: {[^}]*)}', rf'\g<1>, shards: {shards}}}', after, count=1)}".encode()


def plans(content: bytes) -> dict:
    return {each.slug: each for each in parse(content).authorities}


@pytest.fixture
def sharded_pki(own_tokens, transactional_db):
    """The small PKI, whose Function CA has four shards."""
    return execution.perform(approved(with_shards(small_file(), "function", 4)))


def point_of(der: bytes) -> str:
    certificate = x509.load_der_x509_certificate(der)
    (point,) = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    (name,) = point.full_name
    return name.value


def test_the_ceremony_publishes_each_list(sharded_pki):
    ca = CertificateAuthority.objects.get(slug="function")
    assert ca.crl_shards == 4
    lists = Crl.objects.filter(ca=ca).order_by("number")
    assert [row.shard for row in lists] == [None, 0, 1, 2, 3]
    assert [row.file_name for row in lists] == [
        f"{ca.file_stem}.crl", *(f"{ca.file_stem}-{shard}.crl" for shard in range(4))
    ]  # fmt: skip
    assert len({row.number for row in lists}) == 5
    for each in CertificateAuthority.objects.exclude(id=ca.id):
        assert each.crl_shards == 1
        assert list(Crl.objects.filter(ca=each).values_list("shard", flat=True)) == [None]


def test_certificates_point_to_their_shard_and_openssl_follows(sharded_pki, tmp_path):
    ca, root = CertificateAuthority.objects.get(slug="function"), CertificateAuthority.objects.get(slug="root")
    ids = plan(*(order("function", subject_ref=f"function:{index}") for index in range(12)))
    assert signing.sign_reserved(ids) == 12  # the check before each signature knows the address too
    rows = list(Certificate.objects.filter(id__in=ids).select_related("blob", "ca"))
    shards = {row.id: int(row.serial, 16) % 4 for row in rows}
    for row in rows:
        assert point_of(bytes(row.blob.der)) == f"{settings.STATUS_BASE_URL}/crl/{ca.file_stem}-{shards[row.id]}.crl"
    revoke(*rows[::2])
    building.publish_all(ca)
    for row in rows:
        listed = int(row.serial, 16) in serials_of(published(ca, shards[row.id]))
        assert listed == (row in rows[::2]) == (int(row.serial, 16) in serials_of(published(ca)))
    (view,) = service.publication([rows[0].id])
    own = Crl.objects.filter(ca=ca, shard=shards[rows[0].id]).latest("number")
    assert view.crl_since == own.this_update
    authorities = {"root": root, "ca": ca}
    for name, each in authorities.items():
        certificate = x509.load_der_x509_certificate(bytes(each.certificate_der))
        (tmp_path / f"{name}.pem").write_bytes(certificate.public_bytes(x509_pem()))
    for row, verdict in ((rows[0], "certificate revoked"), (rows[1], "OK")):
        lists = [building.crl_path(root).read_bytes(), building.crl_path(ca, shards[row.id]).read_bytes()]
        (tmp_path / "lists.pem").write_bytes(b"".join(map(as_pem, lists)))
        leaf = x509.load_der_x509_certificate(bytes(row.blob.der))
        (tmp_path / "leaf.pem").write_bytes(leaf.public_bytes(x509_pem()))
        done = run(
            "openssl", "verify", "-crl_check_all", "-extended_crl", "-CAfile", tmp_path / "root.pem",
            "-untrusted", tmp_path / "ca.pem", "-CRLfile", tmp_path / "lists.pem", tmp_path / "leaf.pem",
        )  # fmt: skip
        assert verdict in done.stdout + done.stderr


def x509_pem():
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.PEM


def test_openssl_does_not_take_another_shards_list(sharded_pki, tmp_path):
    """The issuingDistributionPoint keeps a list from being taken for that of another shard."""
    ca, root = CertificateAuthority.objects.get(slug="function"), CertificateAuthority.objects.get(slug="root")
    ids = plan(order("function"))
    signing.sign_reserved(ids)
    row = Certificate.objects.select_related("blob").get(id=ids[0])
    other = (int(row.serial, 16) + 1) % 4
    for name, der in (("root", root.certificate_der), ("ca", ca.certificate_der), ("leaf", row.blob.der)):
        (tmp_path / f"{name}.pem").write_bytes(x509.load_der_x509_certificate(bytes(der)).public_bytes(x509_pem()))
    lists = [building.crl_path(root).read_bytes(), building.crl_path(ca, other).read_bytes()]
    (tmp_path / "lists.pem").write_bytes(b"".join(map(as_pem, lists)))
    done = run(
        "openssl", "verify", "-crl_check_all", "-extended_crl", "-CAfile", tmp_path / "root.pem",
        "-untrusted", tmp_path / "ca.pem", "-CRLfile", tmp_path / "lists.pem", tmp_path / "leaf.pem",
    )  # fmt: skip
    assert "OK" not in done.stdout
    assert "different crl scope" in done.stderr.lower()


def test_a_certificate_with_another_shards_address_is_not_signed(sharded_pki):
    row = Certificate.objects.get(id=plan(order("function"))[0])
    plain = issuer_of(row.ca)
    assert "cRLDistributionPoints has the wrong content" in lint.faults(
        bytes(row.tbs_der), PROFILES["function"], plain, settings.PKI_POLICY_ARC
    )


@pytest.mark.parametrize("shards", [0, 3, 257, 512, -4, "fyra", "2.0"])
def test_a_number_that_no_ca_may_have_is_refused(shards):
    with pytest.raises(CeremonyFileError, match="shards"):
        parse(with_shards(demo_file(), "function", shards))


def test_a_root_has_no_shards():
    with pytest.raises(CeremonyFileError, match="rot"):
        parse(with_shards(demo_file(), "root", 4))


def test_a_file_that_says_nothing_of_shards_describes_the_same_cas_as_before():
    before = plans(demo_file())
    assert {each.crl_shards for each in before.values()} == {1}
    assert plans(with_shards(demo_file(), "function", 1)) == before
    assert plans(with_shards(demo_file(), "function", 1))["function"].sha256 == before["function"].sha256
    assert plans(with_shards(demo_file(), "function", 8))["function"].sha256 != before["function"].sha256
    # As it was computed before there were shards: rows in the database hold it.
    assert before["function"].sha256 == FUNCTION_SHA256


FUNCTION_SHA256 = "6e4e3ad6d29f69c3093115e311f8933999da8627d4a4b190f1a14b2010e69c8d"
