"""B1.14 to B1.21 and F10.2, F10.6: the points on CRLs, each proven on published files, read by other programs."""

import datetime as dt
import itertools

import pytest
from asn1crypto.crl import CertificateList
from cryptography import x509
from django.conf import settings

from pki.crl import building
from pki.domain import crl_shards
from pki.health import authority_checks
from pki.models import Certificate, CertificateAuthority, Crl
from pki.ocsp import status
from pki.operators.authorities import authority_lines
from siths_portal.lib import clock
from tests.pki.crl.crl_world import lint, number, pem, published, revoke, run, serials_of, sharded

REASONS = {
    "keyCompromise": "Key Compromise",
    "affiliationChanged": "Affiliation Changed",
    "superseded": "Superseded",
    "cessationOfOperation": "Cessation Of Operation",
    "privilegeWithdrawn": "Privilege Withdrawn",
}
KINDS = ["empty", "reasons", "shard", "empty-shard", "root", "last"]


def parsed(ca, shard=None):
    """The published list as asn1crypto reads it, its lengths and order of octets checked."""
    der = building.crl_path(ca, shard).read_bytes()
    found = CertificateList.load(der, strict=True)
    assert found.dump(force=True) == der
    return found["tbs_cert_list"]


def end_everything(ca) -> None:
    """As if each certificate of the CA had ended but those that are revoked."""
    Certificate.objects.filter(ca=ca).exclude(status="revoked").update(not_after=clock.now() - dt.timedelta(seconds=1))


def make(world, kind):
    """A published list of each kind: its CA and shard."""
    if kind == "root":
        building.publish_crl(world.root.id)
        return world.root, None
    ca, shard = world.first, None
    if kind != "empty":
        rows = [world.issue() for _ in range(8)]
        for row, reason in zip(rows, [*REASONS, "unspecified"], strict=False):
            revoke(row, reason=reason, invalidity_date=clock.now() - dt.timedelta(days=1))
    if kind in ("shard", "empty-shard"):
        sharded(ca, 256 if kind == "empty-shard" else 2)
        filled = {crl_shards.shard_of(int(row.serial, 16), ca.crl_shards) for row in rows}
        shard = next(each for each in range(ca.crl_shards) if (each in filled) == (kind == "shard"))
    if kind == "last":
        end_everything(ca)
        CertificateAuthority.objects.filter(id=ca.id).update(state="retired")
    building.publish_crl(ca.id, shard)
    return ca, shard


# --- B1.14 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_b1_14_version_2_with_key_identifier_and_number(world, kind):
    ca, shard = make(world, kind)
    found = parsed(ca, shard)
    extensions = {each["extn_id"].native: each for each in found["crl_extensions"]}
    assert found["version"].native == "v2"
    issuer = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert extensions["authority_key_identifier"]["extn_value"].parsed["key_identifier"].native == ski
    assert found["issuer"].dump() == bytes(ca.subject_der)
    assert 0 < len(extensions["crl_number"]["extn_value"].parsed.contents) <= 20
    assert not any(extensions[name]["critical"].native for name in ("authority_key_identifier", "crl_number"))


def test_b1_14_numbers_rise_strictly_in_each_scope(world):
    """Of the whole list and of each shard, also when they are made in turns and the clock stands still."""
    sharded(world.first, 2)
    seen = {None: [], 0: [], 1: []}
    with clock.moved_to(clock.now()):
        for shard in (None, 0, 1, 1, 0, None, None, 1, 0):
            building.publish_crl(world.first.id, shard)
            seen[shard].append(number(published(world.first, shard)))
    assert all(a < b for numbers in seen.values() for a, b in itertools.pairwise(numbers))


# --- B1.15, B1.16 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["empty", "empty-shard"])
def test_b1_15_an_empty_list_is_absent(world, kind):
    found = parsed(*make(world, kind))
    assert found["revoked_certificates"].native is None
    assert found["revoked_certificates"].dump() == b""


@pytest.mark.parametrize("kind", KINDS)
def test_b1_16_next_update_is_there_and_this_update_is_not_in_the_future(world, kind):
    ca, shard = make(world, kind)
    found = parsed(ca, shard)
    assert found["this_update"].native <= clock.now()
    assert found["next_update"].native > clock.now()
    if kind != "last":
        assert found["next_update"].native - found["this_update"].native == ca.crl_validity


# --- B1.17 --------------------------------------------------------------------------------------------------------------


def test_b1_17_reasons_are_those_on_offer_and_entry_extensions_are_not_critical(world, tmp_path):
    rows = {reason: world.issue() for reason in [*REASONS, "unspecified"]}
    for reason, row in rows.items():
        revoke(row, reason=reason, invalidity_date=clock.now() - dt.timedelta(days=1) if reason == "keyCompromise" else None)
    building.publish_crl(world.first.id)
    text = run("openssl", "crl", "-inform", "DER", "-noout", "-text", "-in", building.crl_path(world.first), check=True).stdout
    told = {part.split("\n", 1)[0].strip(): part for part in text.split("Serial Number: ")[1:]}
    for reason, row in rows.items():
        entry = told[row.serial]
        assert "critical" not in entry.split("Signature Algorithm")[0]
        if reason == "unspecified":
            assert "Reason" not in entry
        else:
            assert REASONS[reason] in entry
        assert ("Invalidity Date" in entry) == (reason == "keyCompromise")
    codes = [
        extension["extn_value"].parsed.contents
        for entry in parsed(world.first)["revoked_certificates"]
        for extension in entry["crl_entry_extensions"] or []
        if extension["extn_id"].native == "crl_reason"
    ]
    assert sorted(codes) == [b"\x01", b"\x03", b"\x04", b"\x05", b"\x09"]


# --- B1.18 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [1, 2])
def test_b1_18_an_entry_stays_until_one_list_after_its_end_has_shown_it(world, shards):
    """Counted for each list by itself: what the whole list has shown, that of the shard has still to show."""
    start = clock.now()
    end = start + dt.timedelta(hours=10)
    row = world.issue(not_after=end)
    sharded(world.first, shards)
    revoke(row)
    shard = None if shards == 1 else int(row.serial, 16) % 2
    listed = []
    for hours in (1, 9, 12, 13, 14):
        with clock.moved_to(start + dt.timedelta(hours=hours)):
            if shards == 2:
                building.publish_crl(world.first.id)
                building.publish_crl(world.first.id)
            building.publish_crl(world.first.id, shard)
        listed.append(len(published(world.first, shard)))
    assert listed == [1, 1, 1, 0, 0]


# --- B1.19 --------------------------------------------------------------------------------------------------------------


def test_b1_19_a_shard_says_so_by_a_critical_point_that_certificates_name(world):
    ca = sharded(world.first, 4)
    rows = [world.issue() for _ in range(30)]
    revoke(*rows[::2])
    for shard in (None, 0, 1, 2, 3):
        building.publish_crl(ca.id, shard)
    whole = parsed(ca)
    assert "issuing_distribution_point" not in {each["extn_id"].native for each in whole["crl_extensions"]}
    revoked = {int(row.serial, 16) for row in rows[::2]}
    assert serials_of(published(ca)) == revoked
    for shard in range(4):
        found = published(ca, shard)
        assert serials_of(found) == {serial for serial in revoked if serial % 4 == shard}
        point = found.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
        assert point.critical
        address = f"{settings.STATUS_BASE_URL}/crl/{ca.file_stem}-{shard}.crl"
        assert [name.value for name in point.value.full_name] == [address]
        flags = ("only_contains_user_certs", "only_contains_ca_certs", "only_contains_attribute_certs", "indirect_crl")
        assert not any(getattr(point.value, flag) for flag in flags)
        assert point.value.only_some_reasons is None
    for row in rows:
        certificate = x509.load_der_x509_certificate(bytes(row.blob.der))
        (named,) = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        found = published(ca, int(row.serial, 16) % 4)
        assert named.full_name == found.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value.full_name


# --- B1.20, B1.21 -------------------------------------------------------------------------------------------------------


def test_b1_20_a_list_that_keeps_expired_certificates_says_from_when(world):
    ca, _ = make(world, "last")
    extensions = {each["extn_id"].dotted: each for each in parsed(ca)["crl_extensions"]}
    since = extensions["2.5.29.60"]
    assert not since["critical"].native
    assert since["extn_value"].native == b"\x18\x0f" + f"{ca.not_before:%Y%m%d%H%M%SZ}".encode()


def test_b1_20_lists_that_drop_expired_certificates_do_not_say_it(world):
    for kind in ("reasons", "root"):
        ca, shard = make(world, kind)
        assert "2.5.29.60" not in {each["extn_id"].dotted for each in parsed(ca, shard)["crl_extensions"]}


def test_b1_21_a_retired_ca_publishes_until_nothing_of_it_can_be_revoked_then_once_for_ever(world):
    start, ca = clock.now(), world.first
    early, late = (world.issue(not_after=start + dt.timedelta(days=days)) for days in (1, 10))
    revoke(early)
    CertificateAuthority.objects.filter(id=ca.id).update(state="retired")
    Certificate.objects.filter(ca=ca, subject_ref="").exclude(id__in=[early.id, late.id]).update(not_after=start)
    ends = []
    for days in (0, 2, 9, 11, 12):
        with clock.moved_to(start + dt.timedelta(days=days)):
            outcomes = [each for each in building.publish_due() if each.ca == ca]
            ends.append([each.crl.next_update for each in outcomes])
    assert [len(each) for each in ends] == [1, 1, 1, 1, 0]
    assert [each[0] is None for each in ends[:4]] == [False, False, False, True]
    last = published(ca)
    assert last.next_update_utc == dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    assert parsed(ca)["next_update"].chosen.contents == b"99991231235959Z"
    assert serials_of(last) == {int(early.serial, 16)}  # also what earlier lists had shown and dropped
    with clock.moved_to(start + dt.timedelta(days=13)):
        again = building.publish_crl(ca.id)
    assert again.number == number(last) == Crl.objects.filter(ca=ca).latest("number").number


def test_b1_21_the_last_list_comes_also_after_the_cas_own_end(world):
    """Certificates may end with their CA: then its last list is all that it still signs."""
    ca, start = world.first, clock.now()
    world.issue(not_after=ca.not_after)
    CertificateAuthority.objects.filter(id=ca.id).update(state="retired")
    building.publish_crl(ca.id)
    assert published(ca).next_update_utc.year < 9999
    with clock.moved_to(ca.not_after + dt.timedelta(minutes=1)):
        assert {each.ca for each in building.publish_due()} == {ca}
        assert published(ca).next_update_utc.year == 9999
        assert building.publish_due() == []
    assert start < ca.not_after


def test_b1_21_an_active_ca_has_no_last_list(world):
    end_everything(world.first)
    building.publish_crl(world.first.id)
    assert published(world.first).next_update_utc.year < 9999


def test_b1_21_the_last_list_is_never_called_late(world):
    ca, _ = make(world, "last")
    with clock.moved_to(clock.now() + dt.timedelta(days=900)):
        (found,) = [each for each in authority_checks.inspect() if each.subject == f"crl {ca.slug}:{ca.generation}"]
        assert (found.ok, "den sista" in found.text) == (True, True)
    (line,) = [each for each in authority_lines() if each.slug == ca.slug]
    assert (line.newest_list.due, line.newest_list.next_update) == (None, None)
    (shown,) = [each for each in status.published_authorities() if each.file_stem == ca.file_stem]
    assert (shown.crl_number, shown.crl_next_update) == (line.newest_list.number, None)


def test_pki_check_looks_at_each_shard(world):
    ca = sharded(world.first, 4)

    def looked():
        found = {each.subject: each for each in authority_checks.inspect()}
        return found[f"crl {ca.slug}:{ca.generation}"], found[f"crl {ca.slug}:{ca.generation} delar"]

    building.publish_crl(ca.id)
    whole, shards = looked()
    assert (whole.ok, shards.ok, shards.text) == (True, False, "4 av 4: del 0: ingen spärrlista är publicerad")
    building.publish_all(ca)
    assert [each.ok for each in looked()] == [True, True]
    building.crl_path(ca, 2).write_bytes(b"another")
    _, shards = looked()
    assert (shards.ok, shards.text.startswith("1 av 4: del 2: ")) == (False, True)


# --- other programs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_pkilint_finds_nothing(world, kind):
    ca, shard = make(world, kind)
    assert lint("ARL" if kind == "root" else "CRL", building.crl_path(ca, shard)) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_and_gnutls_verify_each_list(world, kind, tmp_path):
    ca, shard = make(world, kind)
    (tmp_path / "ca.pem").write_bytes(pem(ca.certificate_der))
    (tmp_path / "ca.der").write_bytes(bytes(ca.certificate_der))
    done = run("openssl", "crl", "-inform", "DER", "-noout", "-in", building.crl_path(ca, shard), "-CAfile", tmp_path / "ca.pem")
    assert "verify OK" in done.stdout + done.stderr
    done = run(
        "certtool",
        "--verify-crl",
        "--inder",
        "--load-ca-certificate",
        tmp_path / "ca.der",
        "--infile",
        building.crl_path(ca, shard),
    )
    assert "Verified" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("shards", [1, 4])
def test_openssl_checks_the_chain_against_all_lists(world, tmp_path, shards):
    """`-crl_check_all` with the root's list and the CA's, or the shard that the certificate names: good, then revoked."""
    sharded(world.first, shards)
    row = world.issue()
    shard = None if shards == 1 else int(row.serial, 16) % shards
    building.publish_crl(world.root.id)
    for verdict in ("OK", "certificate revoked"):
        building.publish_crl(world.first.id, shard)
        lists = [building.crl_path(world.root), building.crl_path(world.first, shard)]
        (tmp_path / "lists.pem").write_bytes(b"".join(as_pem(path.read_bytes()) for path in lists))
        (tmp_path / "root.pem").write_bytes(pem(world.root.certificate_der))
        (tmp_path / "ca.pem").write_bytes(pem(world.first.certificate_der))
        (tmp_path / "leaf.pem").write_bytes(pem(row.blob.der))
        done = run(
            "openssl", "verify", "-crl_check_all", "-extended_crl", "-CAfile", tmp_path / "root.pem",
            "-untrusted", tmp_path / "ca.pem", "-CRLfile", tmp_path / "lists.pem", tmp_path / "leaf.pem",
        )  # fmt: skip
        assert verdict in done.stdout + done.stderr
        revoke(row)


def as_pem(der: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
