"""A reserve card on Mina sidor: its holder activates it with the card's own log-in, and extends one on level 3 once."""

import datetime as dt
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.conf import settings
from django.db import transaction as database
from django.test import Client
from django.urls import reverse

from issuance.activation.models import CertificateRequest, EidAppTransaction, Identification
from issuance.activation.services import identifications
from issuance.activation.services.identification_integrity import verify_identifications
from issuance.activation.services.receipt_integrity import verify_receipts
from issuance.activation.services.visits import Opened
from issuance.authz import Role, holder
from issuance.authz.actor import card
from issuance.carriers.models import Carrier, CarrierCertificate, Eid, Receipt
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.minasidor.domain import Means
from issuance.minasidor.queries import own_orders
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.services import eid_orders
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.reserve_cards.domain import OWN_ACTIVATION_DAYS
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.services import issue_check, own_activation
from issuance.suppliers.services import issuance_check
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from siths_portal.lib.pages import named_buttons
from tests.issuance.activated import App, Made
from tests.issuance.activation.fetched import Fetching
from tests.issuance.minasidor.mina import card_client, holder_client
from tests.issuance.minasidor.test_pages import text
from tests.issuance.reserve_cards.blank import (
    Activating,
    Blank,
    activating,
    approved,
    hand_out,
    officer_with_card,
    proposed,
    stocked,
    work,
)

PRESSED = {named_buttons.BUTTON: named_buttons.ACT}
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo_pki")]


@pytest.fixture
def blank(world: Any) -> Blank:
    return stocked(world)[0]


def made_of(blank: Blank) -> Made:
    return Made(blank, blank.carrier, None)  # type: ignore[arg-type]


def app_of(blank: Blank, opened: Opened) -> Activating:
    """The eID app with the card in its reader."""
    app = App(made_of(blank))
    app.start(opened)
    return Activating(blank, opened, app)


def activated_by_its_holder(blank: Blank) -> Carrier:
    step = app_of(blank, own_activation.open_for(actor=card(blank.carrier.pk)))
    step.certify()
    return step.finish()


def test_a_card_of_level_2_is_activated_by_its_holder(world: Any, blank: Blank, mina: None) -> None:
    post = world.post(given_name="Elin", surname="Olsson")
    issue = hand_out(blank, post, world.officer(), document="foreign_passport").issue
    client = card_client(blank.carrier.pk)
    pages = [client.get("/")]
    assert f'href="{reverse("my_activate")}"' in pages[0].content.decode()
    pages.append(client.get(reverse("my_activate")))
    begun = client.post(reverse("my_activate"), PRESSED)["Location"]
    pages.append(client.get(begun))
    row = EidAppTransaction.objects.get(kind="activate")
    handle = pages[-1].context["handle"]
    assert (row.origin, row.officer_ref, handle[:4]) == (settings.MINASIDOR_BASE_URL, f"card:{blank.carrier.pk}", "oac.")
    state = reverse("my_activating_state", args=[row.pk])
    assert client.get(state, {"sedan": "created"}).status_code == 204
    step = app_of(blank, Opened(row, handle))
    assert client.get(state, {"sedan": "created"})["HX-Refresh"] == "true"
    pages.append(client.get(begun))
    assert "Kortet är hittat" in text(pages[-1])
    step.certify()
    assert step.finish().state == "active"
    pages.append(client.get(begun, follow=True))
    assert "Kortet är aktiverat. Du kan ta ut det nu." in text(pages[-1])
    assert "logga in igen med kortet och den kod som du har valt" in text(pages[-1])
    for page in pages:
        secret = ("Elin", "Olsson", "Regionen", blank.serial[-10:], post.hsa_id, post.person.identifiers.get().value)
        assert not [each for each in secret if each in page.content.decode()]
    receipt = Receipt.objects.get(carrier=blank.carrier)
    assert (receipt.officer_ref, receipt.identity_document) == (issue.officer_ref, "foreign_passport")
    assert Event.objects.get(action="transaction.created", subject_ref=str(row.pk)).actor_ref == row.officer_ref
    assert verify_states().wrong == verify_receipts().wrong == verify_identifications().wrong == ()
    assert client.get(reverse("my_activate"))["Location"] == "/"


def test_without_an_identification_at_the_hand_out_it_is_not_offered(world: Any, blank: Blank, mina: None) -> None:
    hand_out(blank, world.post(), world.officer())
    client = card_client(blank.carrier.pk)
    assert "Fortsätt hos den ID-administratör som lämnade ut det" in text(client.get("/"))
    assert client.get(reverse("my_activate"))["Location"] == "/"
    refused = client.post(reverse("my_activate"), PRESSED)
    assert (refused.status_code, "kan inte aktiveras här" in text(refused)) == (409, True)
    assert not EidAppTransaction.objects.filter(kind="activate").exists()


def test_the_identification_counts_for_a_fortnight_and_until_it_is_withdrawn(world: Any, blank: Blank, mina: None) -> None:
    officer = world.officer()
    issue = hand_out(blank, world.post(), officer, document="passport").issue
    me = card(blank.carrier.pk)
    opened = own_activation.open_for(actor=me)
    with clock.moved_to(clock.now() + dt.timedelta(days=OWN_ACTIVATION_DAYS)):
        assert own_activation.waiting(me) is None
    step = app_of(blank, opened)
    identifications.withdraw(actor=officer, identification_id=issue.identification_id, reason="Fel person vid disken")
    with pytest.raises(Conflict, match="transaction-ended"):
        step.request()
    with pytest.raises(Conflict, match="not-identified"):
        own_activation.open_for(actor=me)
    again = activating(blank, officer)
    again.certify()
    assert again.finish().state == "active", "at a visit it goes on"


def test_what_the_register_says_of_the_person_is_not_told_to_a_card(world: Any, blank: Blank, mina: None) -> None:
    post = world.post()
    hand_out(blank, post, world.officer(), document="passport")
    world.outside.change_person(world.key_of(post.person), deceased=True)
    refused = card_client(blank.carrier.pk).post(reverse("my_activate"), PRESSED)
    assert (refused.status_code, "kan inte aktiveras här" in text(refused), "avliden" in text(refused)) == (409, True, False)


def test_a_step_is_the_cards_alone_and_can_be_broken_off(world: Any, mina: None, monkeypatch: Any) -> None:
    blank, other = stocked(world, 2)
    for each in (blank, other):
        hand_out(each, world.post(), world.officer(), document="passport")
    client, stranger = card_client(blank.carrier.pk), card_client(other.carrier.pk)
    begun = client.post(reverse("my_activate"), PRESSED)["Location"]
    for path in (begun, f"{begun}lage/"):
        assert stranger.get(path).status_code == 404
    for path in (begun, f"{begun}avbryt/"):
        assert stranger.post(path).status_code == 404
    first = client.get(begun).context["handle"]
    client.post(begun)
    assert client.get(begun).context["handle"] not in ("", first)
    assert "Du har avbrutit" in text(client.post(f"{begun}avbryt/", {"avbryt": "1"}, follow=True))
    assert "Kortet är inte aktiverat" in text(client.get(begun))
    monkeypatch.setattr(own_activation, "MOST_A_DAY", 1)
    assert client.post(reverse("my_activate"), PRESSED).status_code == 429
    person = holder_client(Person.objects.get(pk=blank.carrier.person_id))
    assert person.post(reverse("my_activate"), PRESSED).status_code == 403


def test_the_worker_demands_the_identification_of_the_hand_out(world: Any, blank: Blank) -> None:
    """Each change as by a process that may write the tables."""
    officer, other = world.officer(), world.officer(role=Role.RESPONSIBLE_ISSUER)
    issue = hand_out(blank, world.post(), officer, document="passport").issue
    step = app_of(blank, own_activation.open_for(actor=card(blank.carrier.pk)))
    step.request()
    rows, issues = EidAppTransaction.objects.filter(pk=step.opened.transaction.pk), ReserveCardIssue.objects.all()
    another, past = world.order().carrier, clock.now() - dt.timedelta(days=OWN_ACTIVATION_DAYS)

    def identified(**changes: Any) -> None:
        """Another identification, for the hand-out as for the activation: rows of this table never change."""
        row = Identification.objects.get(pk=issue.identification_id)
        for name, value in {"pk": uuid.uuid4(), **changes}.items():
            setattr(row, name, value)
        row.save(force_insert=True)
        rows.update(identification=row)
        issues.update(identification=row)

    break_it: dict[str, Callable[[], object]] = {
        "of another hand-out": lambda: issues.update(identification=None),
        "of another card": lambda: identified(carrier=another),
        "by another officer": lambda: identified(officer_ref=other.ref),
        "by another document": lambda: identified(identity_document="driving_licence"),
        "by the holder": lambda: identified(officer_ref=f"user:{issue.person_id}"),
        "before the hand-out": lambda: issues.update(created_at=clock.now() + dt.timedelta(hours=1)),
        "old": lambda: (identified(at=past), issues.update(created_at=past)),
        "of a session of another card": lambda: rows.update(officer_ref=f"card:{uuid.uuid4()}"),
        "as at a visit by another officer": lambda: rows.update(officer_ref=other.ref),
        "withdrawn": lambda: identifications.IdentificationWithdrawal.objects.create(
            identification_id=issue.identification_id, officer_ref=officer.ref, reason="Fel person", at=clock.now()
        ),
    }
    planned = {issue.eid_id: [cast(pki.CardCertificate, SimpleNamespace(id=issue.pk))]}
    refused = {}
    for fault, change in break_it.items():
        with database.atomic():
            change()
            refused[fault] = issue_check.faults(planned)
            database.set_rollback(True)
    assert refused == {key: {issue.pk: "identification"} for key in break_it}
    assert work(blank) == 2


# --- level 3: activation and one extension ------------------------------------------------------------------------------------


@pytest.fixture
def of_level_3(world: Any, blank: Blank) -> ReserveCardIssue:
    """A hand-out that two officers have signed."""
    first = officer_with_card(world, world.officer())
    second = officer_with_card(world, world.officer(role=Role.RESERVE_CARD_ADMIN_LOA3))
    return approved(proposed(blank, world.post(), first), second)


def fetching_of(client: Client, blank: Blank) -> Fetching:
    """The holder extends the card's eID on its page, and opens the app."""
    page = client.get(reverse("my_carrier", args=[blank.carrier.pk]))
    eid = Eid.objects.get(carrier=blank.carrier, state="active")
    assert f'action="{reverse("my_extend", args=[eid.pk])}"' in page.content.decode()
    address = client.post(reverse("my_extend", args=[eid.pk]), PRESSED)["Location"]
    assert client.post(reverse("my_extend", args=[eid.pk]), PRESSED)["Location"] == address, "a second click"
    asked = client.get(address)
    assert "Koden är densamma som förut" in text(asked)
    assert "Förläng ditt SITHS eID för" in text(asked)
    assert "Förnya" not in text(asked) + text(client.get("/")), "the page is called what led to it"
    handle = client.post(address, PRESSED, follow=True).context["handle"]
    row, order = EidAppTransaction.objects.get(kind="fetch"), EidOrder.objects.get()
    app = Fetching(made_of(blank), order, opened=Opened(row, handle), app=App(made_of(blank)))
    app.app.start(app.opened)
    return app


def statuses(carrier: Carrier) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for view in pki.certificates(list(carrier.certificates.values_list("certificate_id", flat=True))):
        found.setdefault(view.profile, []).append(view.status)
    return {profile: sorted(each) for profile, each in found.items()}


def test_a_card_of_level_3_is_activated_and_extended_once(of_level_3: ReserveCardIssue, blank: Blank, mina: None) -> None:
    assert of_level_3.identification is not None
    seen = of_level_3.identification
    assert (seen.officer_ref, seen.identity_document) == (of_level_3.approver_ref, of_level_3.approver_document)
    carrier = activated_by_its_holder(blank)
    person = Person.objects.get(pk=carrier.person_id)
    client, old = holder_client(person, Means.RESERVE_LOA3), Eid.objects.get(carrier=carrier)
    Eid.objects.filter(pk=old.pk).update(valid_to=clock.now() + dt.timedelta(days=20))
    assert "Förläng" not in text(holder_client(person).get(reverse("my_carrier", args=[carrier.pk])))
    app = fetching_of(client, blank)
    app.certify()
    assert statuses(carrier)["person-hsaid-auth"] == ["issued", "issued"]
    app.confirm()
    old.refresh_from_db()
    new = Eid.objects.get(carrier=carrier, state="active")
    assert (old.state, old.revocation_reason, new.hsa_id, new.assurance_level) == ("revoked", "renewed", old.hsa_id, 3)
    assert new.valid_to == clock.end_of_day(clock.today() + dt.timedelta(days=settings.RESERVE_CARD_DAYS_LOA3))
    assert statuses(carrier) == {
        "transport": ["issued"], "person-hsaid-auth": ["issued", "revoked"], "person-hsaid-sign": ["issued", "revoked"],
    }  # fmt: skip
    assert verify_states().wrong == ()
    assert own_orders.extendable(holder(person.pk), carrier.pk) is None
    assert "Förläng" not in text(client.get(reverse("my_carrier", args=[carrier.pk])))
    with pytest.raises(Conflict, match="not-extendable"):
        eid_orders.order_extension(actor=holder(person.pk), eid_id=new.pk)
    assert "kan inte förlängas nu" in text(client.post(reverse("my_extend", args=[new.pk]), PRESSED, follow=True))


def extended_before(order: EidOrder) -> None:
    """The eID that is extended came by an extension itself."""
    earlier = EidOrder.objects.get(pk=order.pk)
    earlier.pk, earlier.state, earlier.ended_at = uuid.uuid4(), "cancelled", clock.now()
    EidOrder.objects.bulk_create([earlier])
    CertificateRequest.objects.filter(eid=order.replaces).update(eid_order=earlier)


def test_the_worker_extends_nothing_else(of_level_3: ReserveCardIssue, blank: Blank, mina: None, monkeypatch: Any) -> None:
    """Each change as by a process that may write the tables."""
    carrier = activated_by_its_holder(blank)
    old = Eid.objects.get(carrier=carrier)
    order = eid_orders.order_extension(actor=holder(carrier.holder_id), eid_id=old.pk)
    signing = CarrierCertificate.objects.filter(eid=old, profile="person-hsaid-sign")
    break_it: dict[str, Callable[[], object]] = {
        "card": lambda: extended_before(order),
        "card, level 2": lambda: Eid.objects.filter(pk=old.pk).update(assurance_level=2),
        "card, not in force": lambda: signing.update(certificate_id=uuid.uuid4()),
        "person": lambda: EidOrder.objects.update(ordered_by_ref=f"user:{uuid.uuid4()}"),
        "validity": lambda: monkeypatch.setattr(settings, "RESERVE_CARD_DAYS_LOA3", 5),
    }
    found: dict[str, set[str]] = {}
    original = issuance_check.OrderedCards.refusals

    def refusals(self: Any, certificates: Any) -> Any:
        for fault, change in break_it.items():
            with database.atomic():
                change()
                found[fault] = set(original(self, certificates).values())
                database.set_rollback(True)
        monkeypatch.setattr(settings, "RESERVE_CARD_DAYS_LOA3", 183)
        return original(self, certificates)

    monkeypatch.setattr(issuance_check.OrderedCards, "refusals", refusals)
    app = Fetching(made_of(blank), order)
    app.start()
    assert len(app.certify().certificates) == 2
    assert found == {fault: {fault.partition(",")[0]} for fault in break_it}
