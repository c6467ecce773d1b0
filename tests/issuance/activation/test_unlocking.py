"""Unlocking a card in use at a visit: who may, what the worker asks for before it opens the PUK, and how it ends."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import transaction as database
from django.test import Client
from django.urls import reverse

from authn import service as authn
from authn.models import Session
from issuance.activation.models import EidAppTransaction, Identification
from issuance.activation.services import activation_app, card_reports, identifications, transactions, unlocking
from issuance.activation.services.visits import Opened
from issuance.authz import Role
from issuance.carriers.domain import kinds
from issuance.carriers.models import Carrier, Receipt
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.revocation.services import revocation
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import actor_of_person
from issuance.suppliers.services import supplier_intake
from pki.models import Event as PkiEvent
from pki.models import SecretDelivery
from pki.secrets import delivering
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, NotFound, TooManyRequests
from tests.at_once import run_at_once
from tests.issuance.activated import PUK, App, Keys, Made, activated_card, sent_card, transaction
from tests.issuance.activation.test_pages import text_of
from tests.issuance.suppliers.items import states as item_states
from tests.issuance.suppliers.lettering import ordered_letter, printing_supplier
from tests.issuance.world import qualify
from tests.portal import portal_client

pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.fixture
def made(world: Any) -> Made:
    """A card in use, whose holder has forgotten the code."""
    return activated_card(world)


@pytest.fixture
def clerk(world: Any, made: Made) -> Client:
    """The officer at the desk, logged in just now."""
    return portal_client(Person.objects.get(pk=world.officer().person_id))


def identify(world: Any, made: Made, document: str = "passport") -> Opened:
    """The clerk's step, without the page."""
    return unlocking.identify(actor=world.officer(), carrier_id=made.carrier.pk, identity_document=document)


def openings() -> int:
    """How often the worker has opened a PUK to unlock a card."""
    return PkiEvent.objects.filter(action="delivery.ready", facts__kind="unlock").count()


def refused(app: App, opened: Opened) -> str:
    """Why the worker refuses a start, which must leave the PUK sealed."""
    proof = app.proof(opened)
    assert activation_app.start(handle=opened.handle, proof=proof) is None
    delivering.deliver_secrets()
    row = SecretDelivery.objects.latest("created_at")
    assert (row.state, row.jwe, openings()) == ("refused", None, 0)
    with pytest.raises(Conflict, match="delivery-refused"):
        activation_app.start(handle=opened.handle, proof=proof)
    return row.failure


def test_a_card_is_unlocked_at_a_visit(world: Any, made: Made, clerk: Client) -> None:
    page = clerk.post(reverse("unlock", args=[made.carrier.pk]), {"identity_document": "passport"})
    row = EidAppTransaction.objects.get(kind="unlock")
    assert page["Location"] == reverse("unlocking", args=[row.pk])
    followed = clerk.get(page["Location"])
    opened, app = Opened(row, followed.context["handle"]), App(made)
    assert opened.handle.startswith("unl.")
    started = app.start(opened)
    assert (started.kind, started.pdf, app.secrets["puk"]) == ("unlock", b"", PUK)
    assert "ny legitimeringskod" in started.texts.summary
    assert "Kortet är hittat" in text_of(clerk.get(reverse("unlocking_state", args=[row.pk])))
    assert app.set_code() == app.set_code() == "completed"
    assert clerk.get(reverse("unlocking_state", args=[row.pk]))["HX-Refresh"] == "true"
    done = clerk.get(page["Location"])
    assert "Kortet är upplåst" in text_of(done)
    assert made.fresh().state == "active"
    assert Receipt.objects.count() == 1
    for answer in (followed, done, clerk.get(reverse("carrier_history", args=[made.carrier.pk]))):
        assert PUK not in answer.content.decode()
    with pytest.raises(Conflict, match="signature-not-asked-for"):
        activation_app.complete(step_token=app.token, signature=b"x")


def test_the_events_name_card_officer_and_purpose(world: Any, made: Made, clerk: Client) -> None:
    opened, app = identify(world, made), App(made)
    app.start(opened)
    app.set_code()
    event = Event.objects.get(action="carrier.unlocked", subject_ref=str(made.carrier.pk))
    assert event.actor_ref == f"holder:{made.carrier.person_id}"
    assert event.facts["officer"] == world.officer().ref
    assert event.facts["identification"] == str(opened.transaction.identification_id)
    opening = PkiEvent.objects.filter(action="secret.opening").latest("id")
    assert opening.facts["purpose"] == "unlocking"
    assert opening.id < PkiEvent.objects.get(action="delivery.ready", facts__kind="unlock").id
    for name, subject in (("carrier_history", made.carrier.pk), ("person_history", made.carrier.person_id)):
        assert "Kortet låstes upp, och innehavaren valde en ny kod" in text_of(clerk.get(reverse(name, args=[subject])))


@pytest.mark.parametrize(("accepted", "told"), [(False, "PUK-brevet som var beställt är borttaget"), (True, "redan på väg")])
def test_a_letter_that_no_supplier_has_accepted_is_withdrawn(
    world: Any, made: Made, clerk: Client, demo_pki: Any, *, accepted: bool, told: str
) -> None:
    printing_supplier(demo_pki)
    order = ordered_letter(world, made.carrier)
    assert "Det tas bort när kortet är upplåst" in text_of(clerk.get(reverse("unlock", args=[made.carrier.pk])))
    if accepted:
        supplier_intake.accept(client_ref=order.supplier_ref, order_id=order.pk)
    opened, app = identify(world, made), App(made)
    app.start(opened)
    assert app.set_code() == app.set_code() == "completed"
    assert item_states(order) == (("accepted", ["waiting"]) if accepted else ("cancelled", ["cancelled"]))
    events = Event.objects.filter(action="carrier.puk_letter_withdrawn", subject_ref=str(made.carrier.pk))
    assert [event.facts["order"] for event in events] == ([] if accepted else [str(order.pk)])
    assert told in text_of(clerk.get(reverse("unlocking", args=[opened.transaction.pk])))


# --- what the worker asks for (S24) ----------------------------------------------------------------------------------------


def test_without_a_recent_log_in_of_the_officer_the_puk_stays_sealed(world: Any, made: Made) -> None:
    assert refused(App(made), identify(world, made)) == "visit-log-in"


def test_a_log_in_of_long_ago_is_none(world: Any, made: Made, clerk: Client, settings: Any) -> None:
    Session.objects.update(authenticated_at=clock.now() - dt.timedelta(seconds=settings.ACTIVATION_LOGIN_MAX_AGE + 5))
    assert refused(App(made), identify(world, made)) == "visit-log-in"
    authn.end_sessions(world.officer().ref, reason="logged-out")


def test_without_the_portals_transaction_the_proof_of_the_card_opens_nothing(world: Any, made: Made, clerk: Client) -> None:
    """As by a process that may write deliveries, with the stolen card in its reader."""
    opened, app = identify(world, made), App(made)
    assert activation_app.start(handle=opened.handle, proof=app.proof(opened)) is None
    EidAppTransaction.objects.filter(pk=opened.transaction.pk).update(delivery_id=uuid.uuid4())
    delivering.deliver_secrets()
    row = SecretDelivery.objects.latest("created_at")
    assert (row.failure, row.jwe, openings()) == ("visit-no-transaction", None, 0)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("withdrawn", "visit-identification"),
        ("another officer's", "visit-identification"),
        ("of long ago", "visit-identification"),
        ("of another card", "visit-another-card"),
        ("ended", "visit-state"),
        ("officer without role", "visit-officer"),
        ("handle", "visit-no-transaction"),
    ],
)
def test_an_identification_that_does_not_count_opens_nothing(
    world: Any, made: Made, clerk: Client, fault: str, reason: str
) -> None:
    other = sent_card(world, world.post()).carrier
    opened, app = identify(world, made), App(made)
    row = transaction(opened)
    assert activation_app.start(handle=opened.handle, proof=app.proof(opened)) is None
    seen = {"carrier": made.carrier, "officer_ref": row.officer_ref, "identity_document": "passport", "at": clock.now()}
    if fault == "withdrawn":
        identifications.IdentificationWithdrawal.objects.create(
            identification=row.identification, officer_ref=row.officer_ref, reason="Fel kort", at=clock.now()
        )
    elif fault == "officer without role":
        RoleGrant.objects.filter(person=world.officer().person_id).update(valid_to=clock.now())
    elif fault in ("ended", "handle"):
        changed = {"state": "cancelled"} if fault == "ended" else {"handle_sha256": "0" * 64}
        EidAppTransaction.objects.filter(pk=row.pk).update(**changed)
    else:
        changed = {
            "another officer's": {"officer_ref": "person:somebody"},
            "of long ago": {"at": clock.now() - dt.timedelta(hours=1)},
            "of another card": {"carrier": other},
        }[fault]
        EidAppTransaction.objects.filter(pk=row.pk).update(identification=Identification.objects.create(**seen | changed))
    delivering.deliver_secrets()
    delivery = SecretDelivery.objects.get(kind="unlock")
    assert (delivery.state, delivery.failure, openings()) == ("refused", reason, 0)


def test_another_card_gets_nothing_and_the_clerk_sees_it(world: Any, made: Made, clerk: Client) -> None:
    opened = identify(world, made)
    other = App(Made(Keys(), made.carrier, made.order))
    with pytest.raises(Conflict, match="wrong-card"):
        activation_app.start(handle=opened.handle, proof=other.proof(opened))
    assert not SecretDelivery.objects.filter(kind="unlock").exists()


def test_a_puk_is_opened_so_often_a_day_and_no_more(world: Any, made: Made, clerk: Client, settings: Any) -> None:
    settings.SECRET_DELIVERIES_PER_DAY = 2  # one was for the activation
    App(made).start(identify(world, made))
    with pytest.raises(TooManyRequests, match="secret-deliveries"):
        App(made).start(identify(world, made, "driving_licence"))
    assert "lämnats ut för många gånger" in text_of(
        clerk.get(reverse("unlocking", args=[EidAppTransaction.objects.latest("created_at").pk]))
    )


# --- who and what ----------------------------------------------------------------------------------------------------------


def test_only_an_ordinary_card_in_use_is_unlocked(world: Any, made: Made) -> None:
    sent = sent_card(world, world.post())
    with pytest.raises(Conflict, match="carrier-not-active"):
        identify(world, sent)
    assert [kind.code for kind in kinds.all_kinds() if kind.rule(kinds.Function.UNLOCK)] == ["ordinary_card"]
    Carrier.objects.filter(pk=made.carrier.pk).update(kind="reserve_card")
    with pytest.raises(NotFound):
        identify(world, made)
    Carrier.objects.filter(pk=made.carrier.pk).update(kind="ordinary_card", puk_secret_id=None)
    with pytest.raises(Conflict, match="puk-not-kept"):
        identify(world, made)


def test_nobody_unlocks_for_oneself_or_without_the_right(world: Any, made: Made) -> None:
    for actor in (world.officer(world.stranger),):
        with pytest.raises(NotFound):
            unlocking.identify(actor=actor, carrier_id=made.carrier.pk, identity_document="passport")
    for role in (Role.REVOKER, Role.READER, Role.RESERVE_CARD_ADMIN_LOA3, Role.RESERVE_CARD_ADMIN_LOA2):
        with pytest.raises(Forbidden):
            unlocking.identify(actor=world.officer(world.region, role), carrier_id=made.carrier.pk, identity_document="passport")
    holder = made.carrier.person_id
    qualify(holder)
    RoleGrant.objects.create(person_id=holder, role="id_administrator", organisation=world.region, valid_from=clock.now())
    with pytest.raises(Forbidden, match="own-matter"):
        unlocking.identify(actor=actor_of_person(holder), carrier_id=made.carrier.pk, identity_document="passport")
    assert not EidAppTransaction.objects.filter(kind="unlock").exists()


def test_a_deceased_holder_is_refused(world: Any, made: Made) -> None:
    world.outside.change_person(world.key_of(made.carrier.person), deceased=True)
    with pytest.raises(Conflict, match="person-deceased"):
        identify(world, made)


def test_a_revocation_meanwhile_wins(world: Any, made: Made, clerk: Client) -> None:
    opened, app = identify(world, made), App(made)
    app.start(opened)
    revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.pk, reason="lost_or_stolen")
    with pytest.raises(Conflict, match="transaction-ended"):
        app.set_code()
    assert (made.fresh().state, transaction(opened).state) == ("revoked", "failed")
    assert "Kortet spärrades" in text_of(clerk.get(reverse("unlocking", args=[opened.transaction.pk])))


def test_a_role_that_ends_ends_the_unlocking(world: Any, made: Made) -> None:
    opened, officer = identify(world, made), world.officer()
    with database.atomic():
        assert transactions.end_of_officer(officer, actor_ref="system:test") == 0
        RoleGrant.objects.filter(person=officer.person_id).update(valid_to=clock.now())
        assert transactions.end_of_officer(actor_of_person(officer.person_id), actor_ref="system:test") == 1
    assert transaction(opened).state == "failed"


def test_eight_clicks_at_once_open_one(world: Any, made: Made) -> None:
    assert run_at_once(8, lambda: identify(world, made)) == []
    assert EidAppTransaction.objects.filter(kind="unlock").count() == Identification.objects.count() - 1 == 1


def test_pages_of_activation_know_no_unlocking(world: Any, made: Made, clerk: Client) -> None:
    opened = identify(world, made)
    assert clerk.get(reverse("activation_sign", args=[opened.transaction.pk])).status_code == 404
    assert clerk.get(reverse("unlocking", args=[EidAppTransaction.objects.get(kind="activate").pk])).status_code == 404


# --- the clerk's page ------------------------------------------------------------------------------------------------------


def test_a_log_in_of_long_ago_is_asked_for_again(made: Made, clerk: Client) -> None:
    Session.objects.update(authenticated_at=clock.now() - dt.timedelta(days=1))
    answer = clerk.post(reverse("unlock", args=[made.carrier.pk]), {"identity_document": "passport"})
    assert answer["Location"].startswith(reverse("login"))
    assert not Identification.objects.filter(transactions__kind="unlock").exists()


def test_a_destroyed_card_leads_to_its_replacement(world: Any, made: Made, clerk: Client) -> None:
    opened, app = identify(world, made), App(made)
    address = reverse("unlocking", args=[opened.transaction.pk])
    app.start(opened)
    card_reports.record(step_token=app.token, report=card_reports.CardReport.PUK_BLOCKED)
    for _ in ("open", "cancelled"):
        page = clerk.get(address)
        assert "Kortet kan inte låsas upp mer. Ersätt kortet med ett nytt." in text_of(page)
        assert f'action="{reverse("carrier_replace", args=[made.carrier.pk])}"' in page.content.decode()
        clerk.post(reverse("unlocking_cancel", args=[opened.transaction.pk]))


def test_an_unlocking_is_cancelled_and_opened_again(made: Made, clerk: Client) -> None:
    begun = clerk.post(reverse("unlock", args=[made.carrier.pk]), {"identity_document": "passport"})["Location"]
    pk = EidAppTransaction.objects.get(kind="unlock").pk
    clerk.post(reverse("unlocking_cancel", args=[pk]))
    assert "Upplåsningen är avbruten" in text_of(clerk.get(begun))
    again = clerk.post(begun)["Location"]
    assert again != begun
    assert clerk.get(again).context["handle"].startswith("unl.")
    assert Identification.objects.filter(transactions__kind="unlock").distinct().count() == 1


def test_the_persons_page_offers_it_by_its_right_name(made: Made, clerk: Client) -> None:
    page = clerk.get(reverse("person", args=[made.carrier.person_id]))
    assert f'href="{reverse("unlock", args=[made.carrier.pk])}"' in page.content.decode()
    assert "Lås upp kort" in text_of(page)
    assert "Läs upp" not in text_of(page)
