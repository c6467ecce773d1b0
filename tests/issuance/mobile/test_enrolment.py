"""A mobile eID by an eID that the holder has: terms, second log-in, start code, one device, certificates, and what is refused."""

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509

from authn.services import sessions
from issuance.authz import holder
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.housekeeping.services import deadlines
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.minasidor.domain import OFFERED, MyFunction
from issuance.mobile.models import MobileEnrolment, MobileRequest
from issuance.mobile.services import device_app, device_check, enrolling, naming
from issuance.notices.models import EidNotice
from issuance.notices.services import sending
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.records.queries import history
from issuance.revocation.services import revocation
from issuance.suppliers.services import issuance_check
from pki import service as pki
from pki.issuing.certifying import certify as certify_in_the_worker
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound, TooManyRequests, Unauthenticated
from tests.issuance.carriers.making import mobile
from tests.issuance.mobile.enrolled import Browser, Device, browser, key

pytestmark = pytest.mark.django_db(transaction=True)


def statuses(carrier: Carrier) -> set[tuple[str, str]]:
    ids = CarrierCertificate.objects.filter(carrier=carrier).values_list("certificate_id", flat=True)
    return {(view.profile, view.status) for view in pki.certificates(list(ids))}


def test_a_holder_gets_a_mobile_eid_of_the_issuer_of_the_card(world: Any, card: Carrier, maker: Any) -> None:
    at, device = browser(card), Device(maker)
    offered = at.offered()
    started = device.start(offered.handle)
    assert (started.organisation, started.profiles) == (card.organisation.name, ("mobile-auth", "mobile-sign"))
    assert "under uppsikt" in started.terms
    assert "som Mobilt SITHS på en telefon" in started.terms, "the general terms name it too"
    assert device.start(offered.handle).step_token == started.step_token, "a repeated call has the same answer"
    certified = device.certify(offered.enrolment)
    carrier = device.confirm()
    assert device.confirm() == carrier
    assert (carrier.state, carrier.device, carrier.organisation_id) == ("active", "Elins telefon", card.organisation_id)
    assert statuses(carrier) == {("mobile-auth", "issued"), ("mobile-sign", "issued")}
    certificate = x509.load_der_x509_certificate(certified.certificates["mobile-auth"])
    number = certificate.subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)[0].value
    assert number == Person.objects.get(pk=card.person_id).identifiers.get().value
    assert certificate.public_key() == device.keys["mobile-auth"].public_key()
    row = MobileEnrolment.objects.get()
    assert (row.state, row.logged_in_with_id, row.terms_id) == ("completed", card.pk, row.terms.sha256)
    events = Event.objects.filter(subject_ref__in=[str(row.pk), str(carrier.pk)]).order_by("id").values_list("action", flat=True)
    assert list(events) == [
        "mobile_enrolment.accepted", "mobile_enrolment.offered", "carrier.ordered", "mobile_enrolment.started",
        "mobile_enrolment.certificates_requested", "carrier.code_set", "mobile_enrolment.code_set", "carrier.confirmed",
        "mobile_enrolment.completed",
    ]  # fmt: skip
    assert verify_states().wrong == ()
    issued = {id_: carrier_ref(carrier.pk) for id_ in carrier.certificates.values_list("certificate_id", flat=True)}
    assert not issuance_check.OrderedCards().without_order(issued)
    MobileRequest.objects.update(confirmed_at=None)
    assert set(issuance_check.OrderedCards().without_order(issued).values()) == {"no-receipt"}
    again = Browser(carrier.holder_id, carrier).offered()
    assert again.enrolment.organisation_id == card.organisation_id, "by the mobile eID too"


def test_the_start_code_needs_a_log_in_after_the_terms_in_the_same_session(card: Carrier, maker: Any) -> None:
    at = browser(card)
    row = at.accepted()
    with pytest.raises(Conflict, match="second-log-in"):
        enrolling.offer(actor=at.actor, enrolment_id=row.pk, log_in=at.log_in)
    other = browser(card)
    with pytest.raises(Conflict, match="another-session"):
        enrolling.offer(actor=at.actor, enrolment_id=row.pk, log_in=other.log_in)
    at.log_in_again()
    first = enrolling.offer(actor=at.actor, enrolment_id=row.pk, log_in=at.log_in)
    second = enrolling.offer(actor=at.actor, enrolment_id=row.pk, log_in=at.log_in)
    assert MobileEnrolment.objects.get().handle_sha256 not in (first.handle, second.handle)
    with pytest.raises(Unauthenticated, match="handle-unknown"):
        Device(maker).start(first.handle)
    Device(maker).start(second.handle)


def test_the_code_lives_15_minutes_and_serves_one_device(card: Carrier, maker: Any) -> None:
    at, mine = browser(card), Device(maker)
    offered = at.offered()
    with clock.moved_to(clock.now() + dt.timedelta(minutes=15)), pytest.raises(Conflict, match="enrolment-ended"):
        mine.start(offered.handle)
    mine.start(offered.handle)
    with pytest.raises(Conflict, match="handle-taken"):
        Device(maker, "En annans telefon").start(offered.handle)
    assert Carrier.objects.filter(kind="mobile_eid").count() == 1
    assert Event.objects.filter(action="mobile_enrolment.second_device").count() == 1
    with clock.moved_to(clock.now() + dt.timedelta(minutes=15)):
        assert deadlines.run().enrolments_ended == 1
    assert Carrier.objects.get(kind="mobile_eid").state == "revoked"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": b"x"}, "proof-refused"),
        ({"device": "En annan"}, "proof-refused"),
        ({"attestation": "a.b.c"}, "proof-refused"),
        ({"origin": "https://portal.example.org"}, "proof-refused"),
    ],
)
def test_a_device_that_does_not_prove_its_key_gets_nothing(card: Carrier, maker: Any, changes: Any, code: str) -> None:
    from issuance.mobile.services import device_start

    device, offered = Device(maker), browser(card).offered()
    with pytest.raises(Conflict, match=code):
        device_start.start(handle=offered.handle, proof=device.proof(offered.handle, **changes))
    assert MobileEnrolment.objects.get().state == "offered"
    device.start(offered.handle)


def test_a_proof_for_another_site_is_refused(card: Carrier, maker: Any, settings: Any) -> None:
    from issuance.mobile.services import device_start

    device, offered, own = Device(maker), browser(card).offered(), settings.MINASIDOR_BASE_URL
    settings.MINASIDOR_BASE_URL = "https://annan.example.org"
    elsewhere = device.proof(offered.handle)
    settings.MINASIDOR_BASE_URL = own
    with pytest.raises(Conflict, match="wrong-origin"):
        device_start.start(handle=offered.handle, proof=elsewhere)
    device.start(offered.handle)


def test_only_attested_keys_of_a_known_maker_are_taken(card: Carrier, maker: Any) -> None:
    from tests.issuance.suppliers.attesting import CardMaker

    at = browser(card)
    offered = at.offered()
    with pytest.raises(Conflict, match="attestation-refused"):
        Device(CardMaker()).start(offered.handle)
    device = Device(maker)
    device.start(offered.handle)
    with pytest.raises(Conflict, match="attestation-refused"):
        device.ask(offered.enrolment, attested={"mobile-auth": key()})
    with pytest.raises(Conflict, match="proof-refused"):
        device.ask(offered.enrolment, by=key())
    assert not MobileRequest.objects.exists()
    device.certify(offered.enrolment)
    device.keys = {profile: key() for profile in device.keys}
    with pytest.raises(Conflict, match="certificates-already-requested"):
        device.ask(offered.enrolment)


def test_a_shared_device_is_refused_and_the_reason_kept(world: Any, card: Carrier, maker: Any) -> None:
    at, phone = browser(card), Device(maker)
    said = enrolling.refuse_shared(actor=at.actor, log_in=at.log_in)
    assert (said.state, said.refusal) == ("refused", "shared-device")
    first = phone.enrol(at.offered())
    with pytest.raises(Conflict, match="device-has-eid"):
        phone.start(at.offered().handle)
    other = _card_of(world, world.post())
    with pytest.raises(Conflict, match="device-of-another"):
        phone.start(browser(other).offered().handle)
    kept = MobileEnrolment.objects.filter(person=other.person_id).get()
    assert (kept.state, kept.refusal, kept.carrier_id) == ("failed", "device-of-another", None)
    assert Event.objects.get(action="mobile_enrolment.failed", subject_ref=str(kept.pk)).facts["reason"] == "device-of-another"
    revocation.revoke_carrier(actor=at.actor, carrier_id=first.pk, reason="other", justification="Ny telefon")
    handed_over = Device(maker, first=phone.first)
    assert handed_over.enrol(browser(other).offered()).state == "active", "nobody has one on it any more"


def test_the_code_is_void_when_the_holder_has_logged_out(card: Carrier, maker: Any) -> None:
    at = browser(card)
    offered = at.offered()
    assert at.session_id is not None
    sessions.end(at.session_id, reason=sessions.LOGGED_OUT, actor_ref=at.actor.ref)
    with pytest.raises(Conflict, match="enrolment-ended"):
        Device(maker).start(offered.handle)
    assert not Carrier.objects.filter(kind="mobile_eid").exists()


def test_a_fourth_is_refused_until_one_is_revoked(card: Carrier, maker: Any) -> None:
    at = browser(card)
    mobiles = [Device(maker, f"Telefon {number}").enrol(at.offered()) for number in range(3)]
    with pytest.raises(Conflict, match="too-many-mobile-eids"):
        at.accepted()
    revocation.revoke_carrier(actor=at.actor, carrier_id=mobiles[0].pk, reason="lost_or_stolen")
    assert statuses(mobiles[0]) == {("mobile-auth", "revoked"), ("mobile-sign", "revoked")}
    assert at.accepted().state == "accepted"


def test_a_holder_begins_ten_times_a_day(card: Carrier) -> None:
    at = browser(card)
    for _ in range(enrolling.MOST_A_DAY):
        enrolling.refuse_shared(actor=at.actor, log_in=at.log_in)
    with pytest.raises(TooManyRequests, match="mobile-enrolments"):
        at.accepted()
    with clock.moved_to(clock.now() + dt.timedelta(days=1, minutes=1)):
        assert at.accepted().state == "accepted"


def test_officers_see_why_a_device_was_refused(world: Any, card: Carrier, maker: Any) -> None:
    at = browser(card)
    enrolling.refuse_shared(actor=at.actor, log_in=at.log_in)
    source = history.person_history(actor=world.officer(), person_id=at.person_id)
    shown = source.lines(source.read(None, 50, descending=True))
    (refused,) = [each for each in shown if "nekades" in each.what]
    assert (refused.subject, dict(refused.facts).get("Orsak")) == ("Mobilt SITHS", "Flera använder enheten")


def test_the_first_eid_is_a_valid_one_on_level_3(world: Any, card: Carrier) -> None:
    other = _card_of(world, world.post())
    with pytest.raises(Conflict, match="no-first-eid"):
        Browser(card.person_id, other).accepted()  # type: ignore[arg-type]
    assert Browser(card.person_id, None).accepted().logged_in_with_id == card.pk  # type: ignore[arg-type]
    Carrier.objects.filter(pk=card.pk).update(assurance_level=2)
    with pytest.raises(Conflict, match="no-first-eid"):
        browser(card).accepted()
    assert set(enrolling.LEVEL_3_MEANS) == {means.value for means in OFFERED[MyFunction.MOBILE]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda it: MobileEnrolment.objects.update(second_log_in_at=it.logged_in_at), "log-in"),
        (lambda _it: _sessions().update(means="loa2"), "log-in"),
        (lambda it: Carrier.objects.filter(pk=it.logged_in_with_id).update(state="revoked", ended_at=clock.now()), "first-eid"),
        (lambda it: _log_in_certificates(it).update(profile="x"), "first-eid"),
        (lambda it: MobileEnrolment.objects.update(device_key_spki=b"x"), "proof-refused"),
        (lambda it: MobileEnrolment.objects.update(attestation="a.b.c"), "device-attestation"),
        (lambda it: MobileRequest.objects.update(attestation="a.b.c"), "key-attestation"),
        (lambda it: MobileEnrolment.objects.update(state="cancelled", ended_at=clock.now()), "enrolment-state"),
    ],
)
def test_the_worker_refuses_what_it_does_not_find_by_itself(card: Carrier, maker: Any, change: Any, reason: str) -> None:
    device, offered = Device(maker), browser(card).offered()
    device.start(offered.handle)
    assert device.ask(offered.enrolment) is None
    change(MobileEnrolment.objects.get())
    request = MobileRequest.objects.get()
    assert device_check.requested(request.pk).refusal == reason
    assert certify_in_the_worker(request.pk) == 0


def test_nobody_else_and_no_officer_gets_one(world: Any, card: Carrier) -> None:
    at = browser(card)
    row = at.accepted()
    with pytest.raises(NotFound):
        enrolling.seen(holder(world.post().person_id), row.pk)
    own = mobile(Post.objects.get(person=card.person_id), is_in_use=True)
    for actor, kind in ((world.officer(), Forbidden), (holder(world.post().person_id), NotFound)):
        with pytest.raises(kind):
            naming.rename(actor=actor, carrier_id=own.pk, device="Min")


def test_a_revoked_mobile_eid_ends_its_enrolment_and_cancelling_revokes(card: Carrier, maker: Any) -> None:
    at, device = browser(card), Device(maker)
    offered = at.offered()
    device.start(offered.handle)
    device.certify(offered.enrolment)
    assert enrolling.cancel(actor=at.actor, enrolment_id=offered.enrolment.pk).state == "cancelled"
    assert statuses(Carrier.objects.get(kind="mobile_eid")) == {("mobile-auth", "revoked"), ("mobile-sign", "revoked")}
    with pytest.raises(Conflict, match="enrolment-ended"):
        device_app.set_code(step_token=device.token)
    device, offered = Device(maker), at.offered()
    device.start(offered.handle)
    revocation.revoke_carrier(actor=at.actor, carrier_id=MobileEnrolment.objects.get(pk=offered.enrolment.pk).carrier_id,
                              reason="lost_or_stolen")  # fmt: skip
    assert MobileEnrolment.objects.get(pk=offered.enrolment.pk).state == "failed"


def test_two_devices_of_a_holder_have_different_names(card: Carrier, maker: Any) -> None:
    at = browser(card)
    first = Device(maker).enrol(at.offered())
    second = Device(maker).enrol(at.offered())
    third = Device(maker, name="x" * 60).enrol(at.offered())
    assert (first.device, second.device) == ("Elins telefon", "Elins telefon 2")
    for taken in ("Elins telefon", "ELINS  TELEFON"):
        with pytest.raises(Invalid, match="device-name-taken"):
            naming.rename(actor=at.actor, carrier_id=second.pk, device=taken)
    assert naming.rename(actor=at.actor, carrier_id=first.pk, device="elins telefon").device == "elins telefon", "its own"
    Carrier.objects.filter(pk=first.pk).update(device="x" * 58 + " 2")
    assert naming.unused("x" * 60, at.person_id) == "x" * 58 + " 3"
    assert third.device == "x" * 60
    assert naming.unused("Elins telefon 2", at.person_id) == "Elins telefon 2 2"
    assert naming.unused("Elins telefon 2", uuid4()) == "Elins telefon 2", "names of others are free"


def test_the_device_is_renamed_without_its_name_in_the_log(card: Carrier, maker: Any) -> None:
    at = browser(card)
    own = Device(maker).enrol(at.offered())
    assert naming.rename(actor=at.actor, carrier_id=own.pk, device="  Min   surfplatta ").device == "Min surfplatta"
    naming.rename(actor=at.actor, carrier_id=own.pk, device="Min surfplatta")
    event = Event.objects.get(action="carrier.renamed")
    assert (event.facts, event.actor_ref) == ({}, at.actor.ref)
    for wrong in ("", " ", "x" * 61, "a\x00b"):
        with pytest.raises(Invalid, match="device-name"):
            naming.rename(actor=at.actor, carrier_id=own.pk, device=wrong)


def test_the_holder_is_told_by_mail_also_if_the_device_never_confirms(card: Carrier, maker: Any, mails: Any) -> None:
    device, offered = Device(maker), browser(card).offered()
    device.start(offered.handle)
    device.certify(offered.enrolment)
    assert [sending.send_due() for _ in range(2)] == [1, 0]
    (message,) = mails.sent
    assert message.recipient == Post.objects.get(person=card.person_id).mail
    for secret in ("Elin", "Olsson", device.name):
        assert secret not in message.text + message.subject + message.message_id
    assert EidNotice.objects.get().state == "sent"
    assert Event.objects.get(action="carrier.notice_sent").subject_ref == str(EidNotice.objects.get().carrier_id)


def _log_in_certificates(row: MobileEnrolment) -> Any:
    return CarrierCertificate.objects.filter(carrier=row.logged_in_with_id, profile__endswith="auth")


def _sessions() -> Any:
    from authn.models import Session

    return Session.objects.all()


def _card_of(world: Any, post: Post) -> Carrier:
    from issuance.authz import system
    from issuance.imports.services import migration
    from tests.issuance.migrated import CA, migrated_card

    return migration.register_migrated_card(actor=system("migration"), card=migrated_card(post), ca=CA)
