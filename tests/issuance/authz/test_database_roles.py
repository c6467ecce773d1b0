"""What each process's role may do in the database: the catalog has what is declared, and attacks with one role fail (24, 25)."""

import json
import uuid
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import ProgrammingError, connection

from issuance.activation.services import activation, activation_app
from issuance.carriers.models import Carrier
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.orders.models.orders import CardOrder
from issuance.revocation.services import revocation
from issuance.suppliers.domain import Produced, Sent
from issuance.suppliers.services import card_certificates, supplier_events, supplier_intake
from pki import service as pki
from pki.domain.ocsp_request import CertId
from pki.issuing import signing
from pki.models import Certificate, CertificateAuthority, HsmKey, Secret, SecretDelivery
from pki.ocsp import presigning, status, status_integrity
from pki.revocation import releasing
from pki.secrets import delivering, sealing
from siths_portal.lib import clock
from siths_portal.wiring import privileges
from tests.database_roles import acting_as, connected_as
from tests.issuance.activated import CLIENT, PUK, App, Made, _pooled_keys, sent_card
from tests.issuance.suppliers.intake import delivery_read
from tests.pki.orders import csr, order, plan

DENIED = (psycopg2.errors.InsufficientPrivilege, ProgrammingError)
PROCESSES = ("portal", "api", "worker")


@pytest.mark.django_db(transaction=True)
def test_the_catalog_has_the_declared_privileges_of_every_table_and_role() -> None:
    declared, actual = privileges.declared(privileges.tables()), privileges.actual()
    assert {key: (actual[key], declared[key]) for key in declared if actual[key] != declared[key]} == {}
    assert set(actual) == set(declared)
    assert set(privileges.TABLES) <= set(privileges.tables())


@pytest.mark.django_db(transaction=True)
def test_nobody_else_and_no_membership_gives_a_process_more() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'"
            " CROSS JOIN LATERAL aclexplode(c.relacl) AS acl WHERE c.relkind IN ('r', 'p') AND acl.grantee = 0"
        )
        assert cursor.fetchall() == []
        names = list(settings.DATABASE_ROLES.values())
        cursor.execute(
            "SELECT m.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member WHERE m.rolname = ANY(%s)", [names]
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND (rolsuper OR rolbypassrls OR rolcreaterole)", [names]
        )
        assert cursor.fetchall() == []


def refused(role: str, statement: str, *values: Any) -> None:
    with pytest.raises(DENIED), connected_as(role) as cursor:
        cursor.execute(statement, values)


NOBODYS = [
    "UPDATE pki_certificate SET status = 'issued'",
    "UPDATE pki_certificate SET not_after = now()",
    "UPDATE pki_certificate SET held = FALSE",
    "UPDATE pki_certificateauthority SET state = 'active'",
    "UPDATE pki_certificateauthority SET status_version = 0",
    "INSERT INTO pki_certificateblob SELECT * FROM pki_certificateblob",
    "UPDATE pki_hsmkey SET finding = 'as_recorded'",
    "INSERT INTO pki_hsmkey SELECT * FROM pki_hsmkey",
    "UPDATE pki_secret SET card_key_spki = ''",
    "UPDATE pki_secret SET state = 'sealed'",
    "UPDATE pki_secretdelivery SET recipient_jwk = '{}'",
    "UPDATE pki_secretdelivery SET proof_verified_at = now()",
    "INSERT INTO pki_ocspresponse SELECT * FROM pki_ocspresponse",
    "INSERT INTO pki_crl SELECT * FROM pki_crl",
    "INSERT INTO pki_clientpermission SELECT * FROM pki_clientpermission",
    "DELETE FROM pki_revocation",
    "DELETE FROM issuance_rolegrant",
    "DELETE FROM issuance_eidorder",
    "UPDATE issuance_eidorder SET hsa_id = 'x'",
    "DELETE FROM billing_counter",
    "DELETE FROM billing_invoicerun",
    "DELETE FROM billing_runitem",
    "DELETE FROM billing_feedposition",
    "CREATE TABLE public.mine (id int)",
    "ALTER TABLE pki_event DISABLE TRIGGER ALL",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("role", PROCESSES)
def test_what_no_process_without_the_token_may_do(role: str) -> None:
    for statement in NOBODYS:
        refused(role, statement)


@pytest.mark.django_db(transaction=True)
def test_no_single_process_enters_an_order_and_a_certificate_request() -> None:
    for statement in (
        "INSERT INTO issuance_cardorder SELECT * FROM issuance_cardorder",
        "INSERT INTO issuance_carrier SELECT * FROM issuance_carrier",
        "INSERT INTO issuance_eid SELECT * FROM issuance_eid",
        "UPDATE issuance_eid SET hsa_id = 'x'",
        "INSERT INTO issuance_eidorder SELECT * FROM issuance_eidorder",
        "UPDATE issuance_eidorder SET eid_id = NULL",
        "UPDATE issuance_carrier SET person_id = NULL",
        "INSERT INTO issuance_rolegrant SELECT * FROM issuance_rolegrant",
        "UPDATE issuance_cardorder SET supplier_ref = 'x'",
    ):
        refused("api", statement)
    for statement in (
        "INSERT INTO pki_certificate SELECT * FROM pki_certificate",
        "INSERT INTO pki_secret SELECT * FROM pki_secret",
        "UPDATE issuance_carrier SET card_key_spki = ''",
        "UPDATE issuance_carrier SET card_serial = ''",
        "UPDATE issuance_carriercertificate SET profile = 'x'",
        "UPDATE issuance_reservecardissue SET valid_to = now()",
        "UPDATE issuance_reservecardissue SET person_id = NULL",
        "UPDATE issuance_statement SET content = '{}'",
        "UPDATE issuance_certificaterequest SET certificate_ids = '{}'",
    ):
        refused("portal", statement)
    for table in ("reservecardissue", "statement", "certificaterequest"):
        refused("api", f"INSERT INTO issuance_{table} SELECT * FROM issuance_{table}")
    refused("worker", "INSERT INTO pki_certificate SELECT * FROM pki_certificate")


def test_a_puk_is_not_read_with_a_delivery_row_of_ones_own(world: Any, demo_pki: Any) -> None:
    """Attack 24: the portal's role may ask for deliveries, and the worker wants the card's proof."""
    made = sent_card(world)
    secret = Secret.objects.get(id=made.carrier.puk_secret_id)
    jwk = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}
    columns = (
        "INSERT INTO pki_secretdelivery (id, secret_id, owner_ref, actor_ref, purpose, state, kind, handle_sha256, proof_message,"
        " proof_signature, recipient_jwk, header, token_sha256, failure, attempts, created_at{more}) VALUES"
        " (%s, %s, %s, 'user:x', 'activation', %s, 'activate', %s, '', '', %s, '{{}}', '', '', 0, now(){values})"
    )
    own = (uuid.uuid4(), secret.id, secret.owner_ref, "requested", "0" * 64, json.dumps(jwk))
    with connected_as("portal") as cursor:
        psycopg2.extras.register_uuid()
        cursor.execute(columns.format(more="", values=""), own)
    delivering.deliver_secrets([own[0]])
    row = SecretDelivery.objects.get(id=own[0])
    assert (row.state, row.failure, row.jwe, row.proof_verified_at) == ("refused", "proof-missing", None, None)
    again = (uuid.uuid4(), *own[1:])
    refused("portal", columns.format(more=", proof_verified_at", values=", now()"), *map(str, again))
    refused("portal", columns.format(more="", values=""), str(again[0]), str(again[1]), again[2], "ready", *again[4:])


def test_suppliers_are_offered_keys_that_the_token_confirmed_only(demo_pki: Any) -> None:
    """Attack 24: nobody but the process with the token enters keys, and a row that it did not confirm is not offered."""
    offered = pki.secret_jwks()
    known = HsmKey.objects.get(key_id=offered["keys"][0]["kid"])
    HsmKey.objects.create(
        key_id="f" * 40, purpose=known.purpose, token_label=known.token_label, label="fake", algorithm=known.algorithm,
        public_key_der=known.public_key_der, created_at=clock.now(),
    )  # fmt: skip
    assert pki.secret_jwks() == offered


def test_an_own_key_with_invented_references_gets_no_certificate_by_any_process(demo_pki: Any) -> None:
    """Attack 25."""
    request = csr(ec.generate_private_key(ec.SECP256R1()))
    wanted = order("person-hsaid-auth", csr_der=request, subject_ref="person:x", carrier_ref="carrier:x")
    for role in ("portal", "worker"):
        with acting_as(role), pytest.raises(ProgrammingError, match="permission denied"):
            plan(wanted)
    with acting_as("api"):
        ids = plan(wanted)
    assert signing.sign_reserved(ids) == 0
    row = Certificate.objects.get(id=ids[0])
    assert (row.status, row.failure) == ("failed", "not ordered: no-order")
    row.id, row.serial, row.status, row.issued_at = uuid.uuid4(), "7" * 30, "issued", clock.now()
    with acting_as("api"), pytest.raises(ProgrammingError, match="only the process with the token"):
        row.save(force_insert=True)


def test_one_cards_life_with_each_step_by_its_own_process(world: Any, demo_pki: Any) -> None:
    """From order to revocation: what each process does, its role may do."""
    keys = _pooled_keys()
    with acting_as("portal"):
        ordered = world.order()
    with acting_as("api"):
        supplier_intake.accept(client_ref=CLIENT, order_id=ordered.id)
        ids = card_certificates.request_certificates(
            client_ref=CLIENT, order_id=ordered.id, card_serial=keys.serial, card_key_spki=keys.key_spki(), csrs=keys.csrs()
        )
    with acting_as("pki"):
        signing.settle()
        demo_pki.settle()
    keys.store({view.profile: view.der or b"" for view in pki.certificates(ids)})
    with acting_as("api"):
        supplier_events.register_event(client_ref=CLIENT, order_id=ordered.id, event=_produced(ordered, keys.serial))
        delivery_read(ordered.id, client_ref=CLIENT)
    with acting_as("pki"):
        sealing.open_secrets()
    with acting_as("api"):
        supplier_events.register_event(client_ref=CLIENT, order_id=ordered.id, event=Sent(clock.today(), ""))
    made = Made(keys, Carrier.objects.get(pk=ordered.carrier_id), CardOrder.objects.get(pk=ordered.pk))
    with acting_as("portal"):
        opened = activation.identify(actor=world.officer(), carrier_id=made.carrier.pk, identity_document="driving_licence")
        app = App(made)
        proof = app.proof(opened)
        assert activation_app.start(handle=opened.handle, proof=proof) is None
    with acting_as("pki"):
        assert delivering.deliver_secrets() == 1
    with acting_as("portal"):
        app.start(opened)
        assert app.secrets["puk"] == PUK
        activation_app.set_code(step_token=app.token)
    with acting_as("pki"):
        assert releasing.release_holds() == 4
    with acting_as("portal"):
        app.complete()
        revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.pk, reason="lost_or_stolen")
    assert {view.status for view in pki.certificates(ids)} == {"revoked"}
    assert verify_states().wrong == status_integrity.verify_statuses().wrong == status_integrity.verify_revocations().wrong == ()
    assert SecretDelivery.objects.get().state == Secret.objects.get().state == "destroyed"
    with acting_as("pki"):
        demo_pki.settle()


def test_a_ca_gets_another_state_only_by_an_approval_that_was_used(demo_pki: Any) -> None:
    ca = CertificateAuthority.objects.get(slug="function", generation=1)
    with pytest.raises(DENIED, match="no approval"), connected_as("portal") as cursor:
        cursor.execute("SELECT pki_set_ca_state(%s, %s)", [ca.id, str(uuid.uuid4())])


def test_who_revokes_does_not_choose_the_status_version_nor_softens_a_revocation(demo_pki: Any) -> None:
    """A caller that kept the version left the stored answer, which says good, in use."""
    (id_,) = plan(order("function"))
    demo_pki.settle()
    row = Certificate.objects.select_related("ca").get(id=id_)
    assert row.presigned_version == row.status_version
    values = {"id": str(id_), "at": clock.now(), "reason": "keyCompromise", "version": row.presigned_version}
    with pytest.raises(psycopg2.errors.UndefinedFunction):
        _revoked_by_hand(values, ", ARRAY[%(version)s]::bigint[]")
    version = _revoked_by_hand(values)
    assert version > row.status_version
    assert Certificate.objects.get(id=id_).status_version == version
    assert presigning.presign_due() == 1
    asked = CertId("sha256", row.ca.name_sha256, row.ca.key_sha256, int(row.serial, 16))
    assert status.answer(asked).status == "revoked"
    for softer in (values | {"reason": "superseded"}, values | {"at": clock.now()}):
        with pytest.raises(DENIED, match="final"):
            _revoked_by_hand(softer)


def _revoked_by_hand(values: dict[str, Any], more: str = "") -> int:
    """Enters a record of a revocation and has it carried out, by SQL as the portal's role. Returns the status version."""
    with connected_as("portal") as cursor:
        cursor.execute(
            "INSERT INTO pki_revocation (certificate_id, received_at, decided_at, effective_at, requester, actor_ref, channel,"
            " reason, justification) VALUES (%(id)s, %(at)s, %(at)s, %(at)s, '', '', 'system', %(reason)s, '')",
            values,
        )
        cursor.execute(
            "SELECT * FROM pki_revoke_certificates(ARRAY[%(id)s]::uuid[], ARRAY[%(at)s]::timestamptz[],"
            f" ARRAY[%(reason)s]::text[], ARRAY[NULL]::timestamptz[]{more})",
            values,
        )
        return int(cursor.fetchone()[-1])


def test_one_call_does_not_use_up_the_status_versions(demo_pki: Any) -> None:
    ca = CertificateAuthority.objects.get(slug="function", generation=1)
    for amount in (0, -1, 10**6 + 1, 2**63 - 1):
        with pytest.raises(psycopg2.errors.NumericValueOutOfRange), connected_as("portal") as cursor:
            cursor.execute("SELECT pki_draw_status_versions(%s, %s)", [ca.id, amount])


def _produced(ordered: CardOrder, serial: str) -> Any:
    from joserfc import jwe
    from joserfc.jwk import ECKey

    from tests.issuance.activated import REGISTRY

    key = pki.secret_jwks()["keys"][0]
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": key["kid"], "order": str(ordered.id), "serial": serial}
    return Produced("0123456789", jwe.encrypt_compact(header, PUK.encode(), ECKey.import_key(key), registry=REGISTRY))
