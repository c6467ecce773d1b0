"""A hostile auditor with the application's own rights in the database, and a client with rights of its own, get nothing.

What somebody with the rights of a superuser does is found by the audit chain (`tests/lib/audit`), not prevented.
"""

import datetime as dt
import hashlib
import threading
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.db import DatabaseError, IntegrityError, connection, transaction

from pki import mass_revocation, service
from pki.approvals import dual_control
from pki.crl import building
from pki.domain.ocsp_request import CertId
from pki.domain.profiles import PROFILES
from pki.issuing import signing
from pki.mass_revocation import MassRevocationGrounds, lifecycle
from pki.mass_revocation.selection import MassSelection
from pki.models import (
    Approval,
    ApprovalAction,
    ApprovalRequest,
    ApprovalState,
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    Decision,
    Event,
    OcspResponse,
)
from pki.ocsp import presigning, status
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid
from tests.pki.orders import CARD, FUNCTION_SUBJECT, HSA_SUBJECT, order, plan
from tests.pki_fixtures import tampering

pytestmark = pytest.mark.django_db(transaction=True)


def sql(statement: str, *values: object) -> int:
    """Rows that the application's role changed by a statement of its own."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def refused(statement: str, *values: object) -> None:
    """The database says no to the application's role."""
    with pytest.raises((DatabaseError, IntegrityError)):
        sql(statement, *values)


def issued(*wanted: service.CertificateOrder) -> list[Certificate]:
    ids = plan(*(wanted or (order(),)))
    assert signing.sign_reserved(ids) == len(ids)
    return list(Certificate.objects.filter(id__in=ids).select_related("ca"))


def revoke(row: Certificate, reason: str = "keyCompromise") -> None:
    with transaction.atomic(durable=True):
        service.plan_revocation([row.id], reason=reason, actor_ref="user:1", received_at=clock.now(), channel="portal")


def told(row: Certificate) -> str:
    """What OCSP says now; empty while it says nothing."""
    try:
        asked = CertId("sha256", row.ca.name_sha256, row.ca.key_sha256, int(row.serial, 16))
        return x509.ocsp.load_der_ocsp_response(status.answer(asked).der).certificate_status.name
    except (status.TryLater, status.Unauthorized):
        return ""


def listed(ca: CertificateAuthority, serial: str) -> bool:
    building.publish_crl(ca.id)
    found = x509.load_der_x509_crl(building.crl_path(ca).read_bytes())
    return found.get_revoked_certificate_by_serial_number(int(serial, 16)) is not None


# --- a certificate that violates its profile -----------------------------------------------------------------------------


def demanding_csr() -> bytes:
    """A request that asks for everything: another name, a CA's rights, other names, other uses, another end."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root CA"), x509.NameAttribute(NameOID.SERIAL_NUMBER, "SE1-1")])
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(x509.KeyUsage(True, True, True, True, True, True, True, False, False), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING, ExtendedKeyUsageOID.CODE_SIGNING]), False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("evil.example"), x509.RFC822Name("evil@evil.example")]), False)
        .add_extension(x509.OCSPNoCheck(), False)
        .add_attribute(x509.oid.AttributeOID.CHALLENGE_PASSWORD, b"please")
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("profile", ["person-hsaid-auth", "function", "transport"])
def test_what_a_request_asks_for_beside_its_key_is_not_certified(demo_pki, profile):
    (plain,) = issued(order(profile, subject_ref="person:plain"))
    (row,) = issued(order(profile, csr_der=demanding_csr(), subject_ref="person:demanding"))
    made, usual = (
        x509.load_der_x509_certificate(bytes(CertificateBlob.objects.get(certificate=each).der)) for each in (row, plain)
    )
    assert made.subject == usual.subject
    own = (x509.SubjectKeyIdentifier,)
    for one, other in zip(made.extensions, usual.extensions, strict=True):
        assert (one.oid, one.critical) == (other.oid, other.critical)
        assert isinstance(one.value, own) or one.value == other.value
    assert b"evil" not in made.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("profile", "changes", "field"),
    [
        ("person-hsaid-auth", {"subject": HSA_SUBJECT | {"commonName": "Åsa\x00CN=Root"}}, "commonName"),
        ("person-hsaid-auth", {"subject": HSA_SUBJECT | {"commonName": "Åsa\u202egnitset"}}, "commonName"),
        ("person-hsaid-auth", {"subject": HSA_SUBJECT | {"organizationalUnitName": "IT"}}, "organizationalUnitName"),
        ("person-hsaid-auth", {"subject": HSA_SUBJECT | {"countryName": "se"}}, "countryName"),
        ("person-hsaid-auth", {"subject": HSA_SUBJECT | {"serialNumber": "189001019802"}}, "serialNumber"),
        ("person-hsaid-auth", {"subject_alternative": {"dNSName": "portal.example"}}, "dNSName"),
        ("person-hsaid-auth", {"card_number": CARD[:-1]}, "card_number"),
        ("person-hsaid-auth", {"card_number": "9752269999000000٠17"}, "card_number"),
        ("transport", {"subject": {"serialNumber": "9752269999000000018"}}, "card_number"),
        ("function", {"card_number": CARD}, "card_number"),
        ("function", {"subject_alternative": {"dNSName": "*.example.com"}}, "dNSName"),
        ("function", {"subject_alternative": {"dNSName": "a.example.com\x00.evil.example"}}, "dNSName"),
        (
            "function",
            {"subject_alternative": {"dNSName": "a.example.com", "userPrincipalName": "root@region.example"}},
            "userPrincipalName",
        ),
        ("function", {"subject": FUNCTION_SUBJECT | {"organizationIdentifier": "5560160680"}}, "organizationIdentifier"),
        ("function", {"not_after": dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)}, "not_after"),
    ],
)
def test_orders_outside_of_the_profile_are_refused_by_their_field(demo_pki, profile, changes, field):
    before = Certificate.objects.count()
    with pytest.raises(Invalid) as error:
        plan(order(profile, **changes))
    assert list(error.value.fields) == [field]
    assert Certificate.objects.count() == before


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_no_ca_issues_another_cas_profile_and_nobody_orders_the_pkis_own(demo_pki, profile):
    own = PROFILES[profile].basic_constraints or PROFILES[profile].no_check
    before = Certificate.objects.count()
    for ca in CertificateAuthority.objects.exclude(slug__in=() if own else PROFILES[profile].issuers):
        with pytest.raises((Invalid, Conflict)):
            plan(order(profile, ca=ca.slug))
    assert Certificate.objects.count() == before


# --- a serial that is used again -----------------------------------------------------------------------------------------


def test_no_row_takes_a_serial_that_is_or_was_in_use(demo_pki):
    ends = ("issued", "revoked", "failed", "reserved")
    rows = dict(
        zip(ends, [*issued(order()), *issued(order()), *Certificate.objects.filter(id__in=plan(order(), order()))], strict=True)
    )
    revoke(rows["revoked"])
    rows["failed"].status = "failed"
    rows["failed"].save(update_fields=["status"])
    copy = (
        "INSERT INTO pki_certificate SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid()))).* "
        "FROM pki_certificate c WHERE id = %s"
    )
    for end, row in rows.items():
        assert Certificate.objects.get(id=row.id).status == end
        refused(copy, str(row.id))
        refused("UPDATE pki_certificate SET serial = %s WHERE id <> %s", row.serial, str(row.id))
        refused("DELETE FROM pki_certificate WHERE id = %s", str(row.id))
    refused("DELETE FROM pki_certificateauthority WHERE id = %s", rows["issued"].ca_id)
    refused("UPDATE pki_certificate SET ca_id = %s WHERE id = %s", rows["issued"].ca_id - 1, str(rows["issued"].id))


# --- a revoked one that is good ------------------------------------------------------------------------------------------


def test_nothing_that_may_be_repeated_makes_a_revoked_certificate_good(demo_pki):
    signed, *_ = issued(order())
    (waiting,) = Certificate.objects.filter(id__in=plan(order(subject_ref="person:2"))).select_related("ca")
    der = bytes(CertificateBlob.objects.get(certificate=signed).der)
    for row in (signed, waiting):
        revoke(row, "superseded")
    later = clock.now() + dt.timedelta(hours=2)
    with clock.moved_to(later):
        for row in (signed, waiting):
            assert signing.sign_reserved([row.id]) == 0
            assert not signing.store(row, der)
            revoke(row, "cessationOfOperation")
        signing.settle()
        presigning.presign_due()
    for row in (signed, waiting):
        found = Certificate.objects.get(id=row.id)
        assert (found.status, found.reason) == ("revoked", "superseded")
        assert listed(row.ca, row.serial)
    with clock.moved_to(later):
        assert {told(signed), told(waiting)} == {"REVOKED"}
    assert not CertificateBlob.objects.filter(certificate=waiting).exists()


@pytest.mark.parametrize(
    "change",
    [
        "status = 'issued', revoked_at = NULL, reason = ''",
        "status = 'failed', revoked_at = NULL, reason = ''",
        "revoked_at = revoked_at + interval '1 day'",
        "not_after = now() - interval '1 day'",
        "not_before = now() + interval '1 day'",
        "reason = 'unspecified'",
        "serial = 'ABCDEF'",
        "profile_version_id = NULL",
        "invalidity_date = now()",
    ],
)
def test_no_row_of_a_revoked_certificate_is_changed_so_that_its_entry_goes(demo_pki, change):
    (row,) = issued()
    revoke(row)
    refused(f"UPDATE pki_certificate SET {change} WHERE id = %s", str(row.id))
    assert listed(row.ca, row.serial)


@pytest.mark.parametrize("statement", ["DELETE FROM pki_revocation", "UPDATE pki_revocation SET reason = 'superseded'"])
def test_the_record_of_a_revocation_stays(demo_pki, statement):
    (row,) = issued()
    revoke(row)
    refused(statement)


def test_an_answer_from_before_the_revocation_is_not_served_again(demo_pki):
    (row,) = issued()
    good = {each.cert_id_hash: bytes(each.der) for each in OcspResponse.objects.filter(certificate=row)}
    assert told(row) == "GOOD"
    revoke(row)
    assert told(row) == ""
    presigning.presign([row.id])
    for name, der in good.items():
        OcspResponse.objects.filter(certificate=row, cert_id_hash=name).update(der=der, status_version=row.status_version)
    assert told(row) == ""
    sql("UPDATE pki_certificate SET presigned_version = -1 WHERE id = %s", str(row.id))
    presigning.presign_due()
    assert told(row) == "REVOKED"


# --- a CA in another's place ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "certificate_der = 'x'::bytea",
        "subject_der = 'x'::bytea",
        "not_after = not_after + interval '1 year'",
        "parent_id = NULL",
        "slug = 'root', generation = 2",
        "file_stem = 'other'",
        "name_sha256 = 'x'",
        "key_sha1 = 'x'",
        "ski = 'x'",
    ],
)
def test_a_ca_keeps_its_certificate(demo_pki, change):
    refused(f"UPDATE pki_certificateauthority SET {change} WHERE slug = 'function'")


@pytest.mark.parametrize(("end", "wanted"), [("compromised", "active"), ("compromised", "retired"), ("retired", "active")])
def test_a_ca_that_ended_does_not_come_back(demo_pki, end, wanted):
    sql("UPDATE pki_certificateauthority SET state = %s WHERE slug = 'function'", end)
    refused("UPDATE pki_certificateauthority SET state = %s WHERE slug = 'function'", wanted)
    with pytest.raises(Conflict):
        plan(order("function"))


def test_a_certificate_that_does_not_verify_with_its_cas_is_not_stored(demo_pki):
    """Somebody put another's certificate in the CA's place: the token's signature is not the one it speaks of."""
    ids = plan(order())
    with tampering() as cursor:
        cursor.execute(
            "UPDATE pki_certificateauthority a SET key_id = b.key_id FROM pki_certificateauthority b"
            " WHERE a.slug = 'person-hsaid-3' AND b.slug = 'person-hsaid-2'"
        )
    assert signing.sign_reserved(ids) == 0
    assert not CertificateBlob.objects.filter(certificate__in=ids).exists()


# --- an approval used twice, or by who asked --------------------------------------------------------------------------------

DOCUMENT = {"certificates": 3}


def asked(required: int = 1, **document: object) -> ApprovalRequest:
    return dual_control.request(
        action=ApprovalAction.CA_STATE, summary="x", document=DOCUMENT | document, requester_ref="user:1", required=required
    )


def approve(row: ApprovalRequest, who: str) -> ApprovalRequest:
    return dual_control.decide(
        request_id=row.id, approver_ref=who, decision=Decision.APPROVED, document_sha256=row.document_sha256
    )


def use(row: ApprovalRequest) -> ApprovalRequest:
    return dual_control.use(request_id=row.id, action=ApprovalAction.CA_STATE, document=row.document, actor_ref="user:1")


def insert(row: ApprovalRequest, who: str, document_sha256: str = "") -> int:
    return sql(
        "INSERT INTO pki_approval (request_id, approver_ref, decision, document_sha256, justification, at)"
        " VALUES (%s, %s, 'approved', %s, '', now())",
        str(row.id), who, document_sha256 or row.document_sha256,
    )  # fmt: skip


@pytest.mark.parametrize("end", ["used", "rejected", "withdrawn", "expired"])
@pytest.mark.parametrize("again", ["open", "approved"])
def test_a_matter_that_ended_is_not_opened_again(end, again):
    row = asked()
    if end == "rejected":
        dual_control.decide(
            request_id=row.id, approver_ref="user:2", decision=Decision.REJECTED, document_sha256=row.document_sha256,
            justification="nej",
        )  # fmt: skip
    else:
        approve(row, "user:2")
    if end == "used":
        use(row)
    elif end == "withdrawn":
        dual_control.withdraw(request_id=row.id, requester_ref="user:1")
    elif end == "expired":
        with clock.moved_to(clock.now() + dual_control.LIFETIME + dt.timedelta(seconds=1)):
            assert dual_control.expire() == 1
    refused("UPDATE pki_approvalrequest SET state = %s, closed_at = NULL WHERE id = %s", again, str(row.id))
    with pytest.raises(Conflict):
        use(row)


def test_a_matter_that_is_too_old_is_not_made_younger():
    row = asked()
    refused("UPDATE pki_approvalrequest SET expires_at = expires_at + interval '1 day' WHERE id = %s", str(row.id))


def test_no_request_calls_itself_approved():
    row = asked(required=2)
    refused("UPDATE pki_approvalrequest SET state = 'approved' WHERE id = %s", str(row.id))
    approve(row, "user:2")
    refused("UPDATE pki_approvalrequest SET state = 'approved' WHERE id = %s", str(row.id))
    # Made as approved, it has the state and nobody's approval.
    copy = (
        "INSERT INTO pki_approvalrequest SELECT (jsonb_populate_record(r, jsonb_build_object('id', %s, 'state', 'approved')))"
        ".* FROM pki_approvalrequest r WHERE id = %s"
    )
    forged = uuid4()
    assert sql(copy, str(forged), str(row.id)) == 1
    with pytest.raises(Conflict) as error:
        use(ApprovalRequest.objects.get(id=forged))
    assert error.value.code == "approval-missing"


def test_no_statement_approves_for_the_requester_or_another_document_or_too_late():
    row = asked()
    with pytest.raises(DatabaseError):
        insert(row, "user:1")
    with pytest.raises(DatabaseError):
        insert(row, "user:2", "0" * 64)
    approve(row, "user:2")
    with pytest.raises(DatabaseError):
        insert(row, "user:3")
    assert list(Approval.objects.values_list("approver_ref", flat=True)) == ["user:2"]


def test_the_last_of_many_at_once_is_not_counted_twice():
    row = asked(required=2)
    barrier, outcomes = threading.Barrier(4), []

    def one(who: str) -> None:
        try:
            barrier.wait()
            outcomes.append(approve(row, who).state)
        except Conflict as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(who,)) for who in ("user:2", "user:2", "user:2", "user:2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["approval-given"] * 3 + ["open"]
    with pytest.raises(Conflict):
        use(row)


@pytest.mark.parametrize("who", ["operator:root", "system:x", ""])
def test_who_asked_by_another_name_than_the_portals_does_not_make_it_one_persons_act(who):
    """An operator of the machine may have an account in the portal too."""
    row = dual_control.request(action=ApprovalAction.CA_STATE, summary="x", document=DOCUMENT, requester_ref=who)
    assert row.required == 2
    assert approve(row, "user:1").state == ApprovalState.OPEN
    with pytest.raises(Conflict):
        use(row)
    approve(row, "user:2")
    assert use(row).state == ApprovalState.USED


def test_who_asked_for_a_mass_revocation_through_another_does_not_approve_it(demo_pki):
    issued()
    selection = MassSelection(profiles=("person-hsaid-auth",))
    counted = mass_revocation.dry_run(selection)
    grounds = MassRevocationGrounds(
        reason="superseded", justification="Fel nycklar", received_at=clock.now(), channel="phone", requester="user:boss"
    )
    made = mass_revocation.request_mass_revocation(
        selection, grounds, as_of=counted.as_of, members_sha256=counted.members_sha256, actor_ref="user:clerk"
    )
    row = ApprovalRequest.objects.get(id=made.approval_request_id)
    for who in ("user:boss", "user:clerk"):
        with pytest.raises(Forbidden):
            approve(row, who)
    approve(row, "user:2")
    with pytest.raises(Conflict):
        lifecycle.start_mass_revocation(made.id, actor_ref="user:clerk")
    approve(row, "user:3")
    lifecycle.start_mass_revocation(made.id, actor_ref="user:clerk")
    with pytest.raises(Conflict):
        lifecycle.start_mass_revocation(made.id, actor_ref="user:clerk")
    assert ApprovalRequest.objects.get(id=row.id).state == ApprovalState.USED


# --- an event that is changed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pki_event SET actor_ref = 'user:other'",
        "DELETE FROM pki_event",
        "TRUNCATE pki_event",
        "UPDATE pki_eventseal SET digest = ''::bytea",
        "DELETE FROM pki_eventmacs",
        "ALTER TABLE pki_event DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "DROP TRIGGER pki_event_append_only ON pki_event",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    ],
)
def test_the_application_changes_no_event_and_takes_no_guard_away(demo_pki, statement):
    events = Event.objects.order_by("id").values_list("id", "actor_ref")
    before = list(events)
    refused(statement)
    assert list(events.all()) == before


def test_what_a_certificate_was_signed_as_is_in_its_events(demo_pki):
    """Who would change a certificate unnoticed must change the events that name its bytes too."""
    (row,) = issued()
    facts = {event.action: event.facts for event in Event.objects.filter(subject_ref=str(row.id))}
    der = bytes(CertificateBlob.objects.get(certificate=row).der)
    assert facts["certificate.issued"]["sha256"] == hashlib.sha256(der).hexdigest()
    tbs = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    assert facts["certificate.reserved"]["tbs_sha256"] == hashlib.sha256(tbs).hexdigest()
    refused("UPDATE pki_certificateblob SET der = 'x'::bytea")
