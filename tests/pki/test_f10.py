"""What an expert reviewer runs first (F10), points 1, 4 and 9 to 14, each as a test of its own.

Points 2, 3, 6 and 15 are the status services' (`test_status_wire`, `test_status_face`, `test_status_agrees`). Point 5, threads
that issue while the token restarts, is in `test_soak_issuance`.
"""

import datetime as dt
import hashlib
import io
import multiprocessing
import os
import subprocess
from pathlib import Path

import pytest
from asn1crypto import csr as asn1_csr
from asn1crypto import keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from pki import mass_revocation as pki_mass_revocation
from pki import service
from pki.approvals import dual_control
from pki.authorities import ca_states, clock_guard
from pki.crl import building
from pki.domain.profiles import PROFILES
from pki.hsm.module import module
from pki.issuing import claiming, responders, signing
from pki.mass_revocation import MassRevocationGrounds
from pki.mass_revocation.selection import MassSelection
from pki.models import (
    ApprovalRequest,
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    Crl,
    Decision,
    Event,
    EventSeal,
    OcspResponse,
    OcspSigner,
)
from pki.ocsp import presigning
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, Unavailable
from siths_portal.wiring import chains
from tests.forking import forked
from tests.lib.audit.audit_world import attacker, verify
from tests.pki import orders
from tests.pki.authorities import golden
from tests.pki.issuing.soak_cast import told
from tests.pki.linting import WARNING, lint, lint_by_program
from tests.pki.orders import csr, order, plan
from tests.waiting import wait_for

PERSONS = ("person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign", "mobile-auth", "mobile-sign")
ETSI = dict.fromkeys(PERSONS, "NCP-NATURAL-PERSON-CERTIFICATE") | {"seal": "NCP-LEGAL-PERSON-CERTIFICATE"}


def revoke(*rows: Certificate, reason: str = "superseded") -> None:
    with transaction.atomic(durable=True):
        service.plan_revocation(
            [row.id for row in rows], reason=reason, actor_ref="user:1", received_at=clock.now(), channel="portal"
        )


def issued(*wanted: service.CertificateOrder) -> list[Certificate]:
    ids = plan(*wanted)
    assert signing.sign_reserved(ids) == len(ids)
    rows = {row.id: row for row in Certificate.objects.filter(id__in=ids).select_related("ca")}
    return [rows[id_] for id_ in ids]


def der_of(row: Certificate) -> bytes:
    return bytes(CertificateBlob.objects.get(certificate=row).der)


def listed(ca: CertificateAuthority) -> set[str]:
    """Serials in the published CRL."""
    found = x509.load_der_x509_crl(building.crl_path(ca).read_bytes())
    return {f"{entry.serial_number:X}".zfill(30) for entry in found}


# --- 1: pkilint on each profile, CRL, ARL and OCSP answer (rules/pki 2.4) ---------------------------------------------------


KEY_USAGE, NOT_CRITICAL = bytes.fromhex("0603551d0f0101ff"), bytes.fromhex("0603551d0f010100")


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_f10_1_pkilint_finds_nothing_in_any_profile(profile, tmp_path):
    """By pkilint's commands, under issuers of both kinds by turns; `test_profile_matrix` asks the library for every cell."""
    issuer_key = golden.ISSUER_KEYS[sorted(PROFILES).index(profile) % 2]
    subject_key = next(own for name, ca, own in golden.matrix() if (name, ca) == (profile, issuer_key))
    file, _above = golden.golden(profile, issuer_key, subject_key).write(tmp_path)
    assert lint("lint_pkix_cert", *WARNING, file) == 0
    if profile in ETSI:
        assert lint("lint_etsi_cert", "-t", ETSI[profile], *WARNING, file) == 0


def test_f10_1_pkilint_bites(tmp_path):
    file, _above = golden.golden("person-id-sign", "ec-p384", "rsa-2048").write(tmp_path)
    assert KEY_USAGE in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(KEY_USAGE, NOT_CRITICAL))
    assert lint_by_program("lint_pkix_cert", *WARNING, file) > 0
    assert lint_by_program("lint_etsi_cert", "-t", ETSI["person-id-sign"], *WARNING, file) > 0


def test_f10_1_pkilint_finds_nothing_in_lists_and_answers(world, tmp_path):
    """Of an RSA and a P-384 issuer, revoked and good; and of the root, which answers with its own key."""
    for ca in (world.first, world.second):
        rows = [world.issue(ca) for _ in range(6)]
        reasons = ["keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"]
        for row, reason in zip(rows, reasons, strict=False):
            revoke(row, reason=reason)
        building.publish_crl(ca.id)
        assert lint("lint_crl", "-t", "CRL", "-p", "PKIX", *WARNING, building.crl_path(ca)) == 0
        presigning.presign([row.id for row in rows])
    building.publish_crl(world.root.id)
    assert lint("lint_crl", "-t", "ARL", "-p", "PKIX", *WARNING, building.crl_path(world.root)) == 0
    presigning.presign_all(world.root)
    said = set()
    for number, answer in enumerate(OcspResponse.objects.select_related("certificate")):
        path = tmp_path / f"{number}.ocsp"
        path.write_bytes(bytes(answer.der))
        kind = (answer.ca_id, answer.certificate.status)
        if kind not in said:
            assert lint("lint_ocsp_response", *WARNING, path) == 0
        said.add(kind)
    assert said >= {(ca.id, state) for ca in (world.first, world.second) for state in ("issued", "revoked")}
    cut = building.crl_path(world.first)
    cut.write_bytes(cut.read_bytes().replace(bytes.fromhex("551d14"), bytes.fromhex("551d7f")))
    assert lint_by_program("lint_crl", "-t", "CRL", "-p", "PKIX", *WARNING, cut) > 0, "a list without its number"


# --- 4: kill -9 between T1 and T2, and what the sweeper makes of it -----------------------------------------------------------


def killed_at(point: str, armed: Path, ids: list) -> None:
    """A worker of its own dies at the point."""
    (armed / point).touch()
    assert forked(lambda: signing.sign_reserved(ids), armed) == -9


CUTS = ["pki.sign.before-signature", "pki.sign.after-signature", "pki.sign.before-commit"]


@pytest.mark.parametrize("point", CUTS)
def test_f10_4_what_a_kill_between_the_two_commits_left_is_signed_as_planned(demo_pki, armed, point, tally):
    ids = plan(order())
    planned = Certificate.objects.get(id=ids[0])
    killed_at(point, armed, ids)
    left = Certificate.objects.get(id=ids[0])
    assert (left.status, left.signing_attempts) == ("reserved", 1)
    assert not CertificateBlob.objects.filter(certificate=left).exists()
    assert told(CertificateAuthority.objects.get(id=left.ca_id), left.serial) == ""
    with clock.moved_to(left.signing_started_at):
        assert signing.settle() == 0  # the dead worker's claim holds
    with clock.moved_to(clock.now() + claiming.CLAIM + dt.timedelta(seconds=1)):
        assert signing.settle() == 1
    row = Certificate.objects.select_related("ca").get(id=ids[0])
    assert (row.status, row.serial) == ("issued", planned.serial)
    assert x509.load_der_x509_certificate(der_of(row)).tbs_certificate_bytes == bytes(planned.tbs_der)
    actions = Event.objects.filter(subject_ref=str(row.id)).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["certificate.reserved", "certificate.issued"]
    assert not Certificate.objects.filter(ca=row.ca, serial=row.serial).exclude(id=row.id).exists()
    tally.run(["certificate.reserved", "certificate.issued"], actions, "events")


@pytest.mark.parametrize("point", CUTS)
def test_f10_4_what_may_have_been_signed_and_never_can_be_is_revoked_for_everybody(demo_pki, armed, tmp_path, point, monkeypatch):
    ids = plan(order())
    killed_at(point, armed, ids)
    row = Certificate.objects.select_related("ca").get(id=ids[0])
    monkeypatch.setattr(claiming, "MAX_ATTEMPTS", 1)  # nobody will try again
    with clock.moved_to(row.signing_started_at + dt.timedelta(minutes=59)):
        assert signing.settle() == 0
    with clock.moved_to(row.signing_started_at + dt.timedelta(minutes=61)):
        assert signing.settle() == 1
        presigning.presign_due()
        assert told(row.ca, row.serial) == "REVOKED"
        building.publish_crl(row.ca_id)
        assert row.serial in listed(row.ca)
    assert Certificate.objects.get(id=row.id).status == "revoked"


# --- 9: an audit row that is edited, deleted, cut off -------------------------------------------------------------------------


@pytest.fixture
def told_of(demo_pki):
    """A certificate's life in the chain, sealed and with MACs; the seals of its events."""
    (row,) = issued(order())
    revoke(row)

    def done() -> bool:
        while chains.seal_all() or chains.mac_all():
            pass
        return EventSeal.objects.count() == Event.objects.count()

    wait_for(done)  # seals stay below every transaction that runs, autovacuum's among them
    text, code = verify()
    assert code == 0, text
    ids = dict(Event.objects.filter(subject_ref=str(row.id)).values_list("action", "id"))
    seals = dict(EventSeal.objects.values_list("event_id", "seq"))
    return {action: seals[id_] for action, id_ in ids.items()}


FORGED = [
    "facts = jsonb_set(facts, '{sha256}', '\"0\"')",
    "actor_ref = 'user:other'",
    "at = at + interval '1 second'",
    "subject_ref = '01890000-0000-7000-8000-000000000000'",
]


@pytest.mark.parametrize("change", FORGED)
@pytest.mark.parametrize("hide", [False, True], ids=["as it is", "with seals made anew"])
def test_f10_9_an_edited_row_is_named(told_of, change, hide):
    seq = told_of["certificate.issued"]
    with attacker() as who:
        who.edit(seq, change)
        if hide:
            who.recompute(seq)
    text, code = verify()
    assert (code, f"pki: FEL vid sigill {seq}: " in text) == (1, True), text


@pytest.mark.parametrize("hide", [False, True], ids=["as it is", "with seals made anew"])
def test_f10_9_a_deleted_row_is_named(told_of, hide):
    seq = told_of["certificate.revoked"]
    with attacker() as who:
        who.remove_event(seq)
        if hide:
            who.remove_seal(seq)
            who.renumber(seq, -1)
            who.recompute(seq)
    text, code = verify()
    assert (code, f"pki: FEL vid sigill {seq}: " in text) == (1, True), text


def test_f10_9_a_chain_that_was_cut_is_named(told_of):
    seq = told_of["certificate.issued"]
    with attacker() as who:
        who.cut(seq)
    text, code = verify()
    assert (code, f"pki: FEL vid sigill {seq + 1}: " in text) == (1, True), text
    while chains.seal_all() or chains.mac_all():
        pass
    assert verify()[1] == 1, "no job mends it"


# --- 10: what was opened before a fork is not shared --------------------------------------------------------------------------


def _sign_after_fork(ids, sessions_of_parent, results) -> None:
    """As gunicorn with preload does: the parent has used the token, and the child goes on."""
    here = module(settings.PKCS11_MODULE, settings.HSM_LOCKING)
    untouched = not here._pools
    signed = signing.sign_reserved(ids)
    pools = module(settings.PKCS11_MODULE, settings.HSM_LOCKING)._pools.values()
    own = [work.session for pool in pools for work in pool._idle]
    shared = [each for each in own if any(each is other for other in sessions_of_parent)]
    results.put((os.getpid(), untouched, signed, len(own), len(shared)))


def test_f10_10_a_child_opens_sessions_of_its_own_and_leaves_the_parents_alone(demo_pki):
    issued(order())
    pools = module(settings.PKCS11_MODULE, settings.HSM_LOCKING)._pools.values()
    sessions = [work.session for pool in pools for work in pool._idle]
    assert sessions, "the parent has used the token"
    batches = [plan(*[order(subject_ref=f"person:{number}.{each}") for each in range(3)]) for number in range(3)]
    connections.close_all()
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    children = [context.Process(target=_sign_after_fork, args=(ids, sessions, results)) for ids in batches]
    for child in children:
        child.start()
    answers = [results.get(timeout=150) for _ in children]
    for child in children:
        child.join(150)
        assert child.exitcode == 0
    assert {answer[1:3] for answer in answers} == {(True, 3)}
    assert all(own > 0 and shared == 0 for _pid, _untouched, _signed, own, shared in answers)
    assert len({pid for pid, *_rest in answers}) == 3
    assert [work.session for pool in pools for work in pool._idle] == sessions
    issued(order(subject_ref="person:after"))


# --- 11: a clock that steps ----------------------------------------------------------------------------------------------------


def test_f10_11_after_a_step_back_nothing_is_signed_until_time_has_caught_up(demo_pki):
    (row,) = issued(order())
    revoke(row)
    ca = row.ca
    moment = clock.now()
    building.publish_crl(ca.id)
    waiting = plan(order(subject_ref="person:2"))
    stored = OcspResponse.objects.order_by("id").values_list("der", flat=True)
    numbers, answers = set(Crl.objects.values_list("number", flat=True)), list(stored)
    with clock.moved_to(moment - dt.timedelta(minutes=10)):
        with pytest.raises(Unavailable):
            plan(order(subject_ref="person:3"))
        assert signing.sign_reserved(waiting) == 0
        with pytest.raises(clock_guard.ClockWentBack):
            building.publish_crl(ca.id)
        presigning.presign_due()
        out = io.StringIO()
        with pytest.raises(CommandError):
            call_command("pki_check", stdout=out, stderr=out)
        assert "FEL klocka" in out.getvalue()
    assert set(Crl.objects.values_list("number", flat=True)) == numbers
    assert list(stored.all()) == answers
    assert Certificate.objects.get(id=waiting[0]).status == "reserved"
    assert Certificate.objects.get(id=waiting[0]).signing_attempts == 0, "no attempt was used up"
    with clock.moved_to(moment + dt.timedelta(seconds=30)):
        assert signing.sign_reserved(waiting) == 1
        presigning.presign_due()
        assert building.publish_crl(ca.id).number > max(numbers)
        assert told(ca, row.serial) == "REVOKED"


# --- 12: one key for two persons ------------------------------------------------------------------------------------------------


def compressed(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A request with the key's point in the other of its two encodings (RFC 5480 section 2.2)."""
    info = asn1_csr.CertificationRequestInfo.load(x509.load_der_x509_csr(csr(key)).tbs_certrequest_bytes)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    info["subject_pk_info"]["public_key"] = keys.ECPointBitString(point)
    to_be_signed = info.dump(force=True)
    signature = key.sign(to_be_signed, ec.ECDSA(hashes.SHA256()))
    assert point in to_be_signed
    return asn1_csr.CertificationRequest(
        {"certification_request_info": info, "signature_algorithm": {"algorithm": "sha256_ecdsa"}, "signature": signature}
    ).dump()


@pytest.mark.parametrize("end", ["reserved", "issued", "revoked", "expired"])
def test_f10_12_the_key_of_one_person_is_refused_for_another(demo_pki, end):
    key = ec.generate_private_key(ec.SECP256R1())
    (first,) = plan(order(csr_der=csr(key)))
    if end != "reserved":
        signing.sign_reserved([first])
    if end == "revoked":
        revoke(Certificate.objects.get(id=first))
    before = Certificate.objects.count()
    with clock.moved_to(clock.now() + dt.timedelta(days=800 if end == "expired" else 0, seconds=1)):
        for profile in ("person-hsaid-auth", "person-id-auth", "function"):
            with pytest.raises(Conflict) as refused:
                plan(order(profile, csr_der=csr(key), subject_ref="person:2"))
            assert refused.value.code == "key-in-use"
    assert Certificate.objects.count() == before


def test_f10_12_nor_in_one_call_or_by_another_way_to_write_it(demo_pki):
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(Conflict):
        plan(order(csr_der=csr(key)), order(csr_der=csr(key), subject_ref="person:2"))
    plan(order(csr_der=csr(key)))
    before = Certificate.objects.count()
    with pytest.raises((Conflict, Invalid)):
        plan(order(csr_der=compressed(key), subject_ref="person:2"))
    assert Certificate.objects.count() == before
    assert hashlib.sha256(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest() in set(
        Certificate.objects.values_list("spki_sha256", flat=True)
    )


# --- 13: approver = requester ------------------------------------------------------------


def ca_state(requester: str) -> ApprovalRequest:
    return ca_states.plan_state_change(
        slug="function", generation=1, target="retired", justification="x", requester_ref=requester
    )


def mass_revocation(requester: str) -> ApprovalRequest:
    selection = MassSelection(profiles=("person-hsaid-auth",))
    found = pki_mass_revocation.dry_run(selection)
    made = pki_mass_revocation.request_mass_revocation(
        selection,
        MassRevocationGrounds(reason="superseded", justification="x", received_at=clock.now(), channel="portal"),
        as_of=found.as_of,
        members_sha256=found.members_sha256,
        actor_ref=requester,
    )
    return ApprovalRequest.objects.get(id=made.approval_request_id)


@pytest.mark.parametrize("ask", [ca_state, mass_revocation])
def test_f10_13_who_asked_does_not_approve_and_nobody_counts_twice(demo_pki, ask):
    """Ceremonies are approved by signatures: `test_ceremony_approvals`. Pages: `test_pki_approvals`."""
    issued(order())
    row = ask("user:1")

    def decide(who: str) -> str:
        return dual_control.decide(
            request_id=row.id, approver_ref=who, decision=Decision.APPROVED, document_sha256=row.document_sha256
        ).state

    with pytest.raises(Forbidden) as refused:
        decide("user:1")
    assert refused.value.code == "approval-own-request"
    for number in range(2, row.required + 2):
        state = decide(f"user:{number}")
        with pytest.raises(Conflict):
            decide(f"user:{number}")
        assert state == ("approved" if number == row.required + 1 else "open")
    assert dual_control.approver_refs(row) == [f"user:{number}" for number in range(2, row.required + 2)]
    assert not Event.objects.filter(action="approval.approved", actor_ref="user:1").exists()


# --- 14: a CA's end is its certificates' end ------------------------------------------------------------


@pytest.mark.parametrize("profile", orders.ORDERABLE)
def test_f10_14_no_certificate_ends_after_its_cas(demo_pki, profile, tmp_path):
    wanted = order(profile)
    ca = CertificateAuthority.objects.current(wanted.ca)
    late = ca.not_after - dt.timedelta(days=20)
    with clock.moved_to(late):
        (row,) = issued(order(profile, not_after=late + dt.timedelta(days=300)))
    assert row.not_after == ca.not_after
    end = asn1_x509.Certificate.load(der_of(row))["tbs_certificate"]["validity"]["not_after"].native
    assert end == asn1_x509.Certificate.load(bytes(ca.certificate_der))["tbs_certificate"]["validity"]["not_after"].native
    pems = {"own": der_of(row), "ca": bytes(ca.certificate_der), "root": bytes(ca.parent.certificate_der)}
    for name, der in pems.items():
        (tmp_path / name).write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    command = ["openssl", "verify", "-x509_strict", "-CAfile", tmp_path / "root", "-untrusted", tmp_path / "ca"]
    for seconds, code in ((-60, 0), (60, 2)):
        at = ["-attime", str(int(end.timestamp()) + seconds)]
        assert subprocess.run([*command, *at, tmp_path / "own"], capture_output=True, check=False).returncode == code


def test_f10_14_nor_does_a_responders(demo_pki):
    ca = CertificateAuthority.objects.current("function")
    with clock.moved_to(ca.not_after - dt.timedelta(days=10)):
        signer = responders.ensure(ca)
        assert signer is not None
        assert (signer.not_after, OcspSigner.objects.get(id=signer.id).not_after) == (ca.not_after, ca.not_after)
    with clock.moved_to(ca.not_after), pytest.raises(Invalid):
        plan(order("function", not_after=ca.not_after + dt.timedelta(days=1)))
