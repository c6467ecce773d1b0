"""The clerk's side of activation: who may identify whom, what stands against it, and one transaction at a time."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from issuance.activation.models import EidAppTransaction, Identification, PreparedReceipt
from issuance.activation.services import activation, receipts, visits
from issuance.authz import Role, user
from issuance.carriers.models import Eid, Receipt
from issuance.housekeeping.services import deadlines
from issuance.offices.services import create_office
from issuance.orders.models.orders import CardOrder
from issuance.records.models.events import Event
from issuance.revocation.services import revocation
from pki import service as pki
from pki.models import SecretDelivery
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound, TooManyRequests, Unauthenticated, Unavailable
from siths_portal.lib.http.rate_limits import MinuteBudget
from siths_portal.lib.ids import new_id
from tests.at_once import run_at_once
from tests.issuance import activated
from tests.issuance.activated import App, Made, activated_card, identify, sent_card, unsigned_card
from tests.issuance.world import SETUP

pytestmark = pytest.mark.usefixtures("demo_pki")
MINUTE = dt.timedelta(minutes=1)


def events(subject: str, ref: object) -> list[str]:
    return list(Event.objects.filter(subject_type=subject, subject_ref=str(ref)).order_by("id").values_list("action", flat=True))


def nothing_was_done(made: Made) -> bool:
    return not Identification.objects.exists() and not EidAppTransaction.objects.exists() and made.fresh().state == "sent"


def test_the_whole_way(world: Any) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    app = App(made)
    app.start(opened)
    assert app.secrets["puk"] == activated.PUK
    assert app.set_code() == "code_set"
    assert made.fresh().state == "activated_unsigned"
    app.complete()
    carrier = made.fresh()
    assert (carrier.state, carrier.eids.get().state) == ("active", "active")
    assert carrier.activated_at is not None
    assert carrier.eids.get().activated_at == carrier.activated_at
    assert Receipt.objects.get().carrier == carrier
    assert events("carrier", carrier.pk)[-2:] == ["carrier.code_set", "carrier.activated"]
    assert events("transaction", opened.transaction.pk) == [
        "transaction.created", "transaction.started", "transaction.code_set", "transaction.completed",
    ]  # fmt: skip
    row = activated.transaction(opened)
    assert (row.state, row.seq) == ("completed", 4)
    assert not PreparedReceipt.objects.exists()
    assert SecretDelivery.objects.get().jwe is None


def test_identification_is_noted_with_clerk_document_and_time(world: Any) -> None:
    made = sent_card(world)
    with clock.moved_to(clock.now()):
        opened = identify(world, made, document="tax_agency_id")
    seen = Identification.objects.get()
    assert (seen.officer_ref, seen.identity_document, seen.carrier) == (world.officer().ref, "tax_agency_id", made.carrier)
    event = Event.objects.get(action="holder.identified")
    assert (event.actor_ref, event.subject_ref) == (world.officer().ref, str(seen.pk))
    told = {"carrier": str(made.carrier.pk), "identity_document": "tax_agency_id", "identified_at": seen.at.isoformat()}
    assert event.facts == told
    row = opened.transaction
    assert (row.kind, row.state, row.identification_id) == ("activate", "created", seen.pk)
    assert row.expires_at - row.created_at == 5 * MINUTE


def test_the_handle_is_128_bits_and_kept_as_a_hash_alone(world: Any, settings: Any) -> None:
    settings.EID_APP_URL = "https://app.example.org/"
    opened = identify(world, sent_card(world))
    assert activation.transactions.is_handle(opened.handle)
    assert opened.handle.startswith("act.")
    assert opened.link == f"https://app.example.org/#{opened.handle}"
    assert activated.transaction(opened).handle_sha256 == sha256_hex(opened.handle.encode())
    assert opened.handle not in repr(opened)
    assert opened.handle not in str(list(Event.objects.values_list("facts", flat=True)))


@pytest.mark.parametrize("document", ["driving_licence", "passport", "tax_agency_id", "sis_id", "national_id"])
def test_five_documents_are_taken(world: Any, document: str) -> None:
    assert identify(world, sent_card(world), document=document).transaction.state == "created"


def test_others_are_not(world: Any, subtests: pytest.Subtests) -> None:
    """One card for all, since none of them may touch it."""
    made = sent_card(world)
    for document in ("", "library_card", "provisional_passport", "Passport", "foreign_passport"):
        with subtests.test(document=document):
            with pytest.raises(Invalid) as refused:
                identify(world, made, document=document)
            assert set(refused.value.fields) == {"identity_document"}
            assert nothing_was_done(made)


# --- who ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.ID_ADMINISTRATOR, True),
        (Role.DEPUTY_ISSUER, True),
        (Role.RESPONSIBLE_ISSUER, True),
        (Role.READER, False),
        (Role.REVOKER, False),
        (Role.RESERVE_CARD_ADMIN_LOA3, False),
        (Role.MASTER_DATA_ADMIN, False),
        (Role.GLOBAL_REVOKER, False),
    ],
)
def test_roles_that_activate(world: Any, role: Role, allowed: bool) -> None:
    made, clerk = sent_card(world), world.officer(role=role)
    if allowed:
        assert identify(world, made, actor=clerk).transaction.officer_ref == clerk.ref
    else:
        with pytest.raises(Forbidden):
            identify(world, made, actor=clerk)
        assert nothing_was_done(made)


def test_another_organisations_card_is_not_there(world: Any) -> None:
    made = sent_card(world)
    for actor in (world.officer(world.city), world.officer(world.stranger), user(made.carrier.person_id, ())):
        with pytest.raises(NotFound):
            identify(world, made, actor=actor)
    opened = identify(world, made)
    for actor in (world.officer(world.city), world.officer(world.stranger)):
        for call in (activation.state, activation.reopen, activation.cancel):
            with pytest.raises(NotFound):
                call(actor=actor, transaction_id=opened.transaction.pk)
    assert activated.transaction(opened).state == "created"


def test_nobody_activates_his_own_card(world: Any) -> None:
    clerk = world.officer()
    person = world.officers[next(iter(world.officers))].person_id
    post = next(post for post in type(world.post()).objects.filter(person=person))
    made = sent_card(world, post, actor=world.officer(role=Role.DEPUTY_ISSUER))
    with pytest.raises(Forbidden, match="own-matter"):
        identify(world, made, actor=clerk)
    assert nothing_was_done(made)


def test_a_person_who_became_protected_is_hidden_from_a_clerk_without_the_add_on(world: Any) -> None:
    made = sent_card(world)
    world.outside.change_person(world.key_of(made.carrier.person), protected_person_indicator=True)
    with pytest.raises(NotFound):
        identify(world, made)
    assert made.fresh().person.is_protected
    assert nothing_was_done(made)
    assert identify(world, made, actor=world.officer(protected=True)).transaction.state == "created"


# --- what stands against it ------------------------------------------------------------------------------------------------


def _deceased(world: Any, made: Made, settings: Any) -> None:
    world.outside.change_person(world.key_of(made.carrier.person), deceased=True)


def _too_young(world: Any, made: Made, settings: Any) -> None:
    settings.MINIMUM_AGE_LOA3 = 500


def _post_gone(world: Any, made: Made, settings: Any) -> None:
    world.outside.posts.clear()


def _post_over(world: Any, made: Made, settings: Any) -> None:
    world.outside.change_post(made.order.eid.hsa_id, valid_to=clock.today() - dt.timedelta(days=1))


def _certificate_revoked(world: Any, made: Made, settings: Any) -> None:
    with transaction.atomic():
        pki.plan_revocation(
            [made.carrier.certificates.first().certificate_id], reason="superseded", actor_ref="user:1",
            received_at=clock.now(), channel="portal",
        )  # fmt: skip


def _puk_lost(world: Any, made: Made, settings: Any) -> None:
    with transaction.atomic():
        pki.destroy_secrets(f"carrier:{made.carrier.pk}")


def _revoked(world: Any, made: Made, settings: Any) -> None:
    revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.pk, reason="lost_or_stolen")


OBSTACLES: list[tuple[Callable[[Any, Made, Any], None], str]] = [
    (_deceased, "person-deceased"),
    (_too_young, "person-too-young"),
    (_post_gone, "post-ended"),
    (_post_over, "post-ended"),
    (_certificate_revoked, "certificates-not-in-force"),
    (_puk_lost, "puk-missing"),
    (_revoked, "carrier-revoked"),
]


@pytest.mark.parametrize(("happens", "code"), OBSTACLES)
def test_what_stands_against_it(world: Any, settings: Any, happens: Callable[..., None], code: str) -> None:
    made = sent_card(world)
    happens(world, made, settings)
    with pytest.raises(Conflict, match=code) as refused:
        identify(world, made)
    assert refused.value.message.endswith((".", "?"))
    assert "{" not in refused.value.message
    assert not Identification.objects.exists()
    assert not EidAppTransaction.objects.exists()


def test_a_revocation_while_the_card_is_read_is_told_before_what_it_takes(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check has read the card's state, and finds its certificates revoked and its PUK destroyed."""
    made = sent_card(world)
    monkeypatch.setattr(visits, "REFUSALS", [lambda _carrier_id: _revoked(world, made, None)])
    with pytest.raises(Conflict, match="carrier-revoked"):
        identify(world, made)
    assert not Identification.objects.exists()


def test_a_card_that_is_not_sent_or_is_active_is_not_activated(world: Any) -> None:
    order = world.order()
    with pytest.raises(Conflict, match="carrier-ordered"):
        activation.identify(actor=world.officer(), carrier_id=order.carrier_id, identity_document="passport")
    made = activated_card(world)
    with pytest.raises(Conflict, match="carrier-active"):
        identify(world, made)


def test_outside_systems_that_do_not_answer_leave_nothing(world: Any) -> None:
    made = sent_card(world)
    world.outside.down = True
    with pytest.raises(Unavailable):
        identify(world, made)
    assert nothing_was_done(made)


def test_what_was_read_is_remembered_although_it_refuses(world: Any, settings: Any) -> None:
    made = sent_card(world)
    _deceased(world, made, settings)
    with pytest.raises(Conflict):
        identify(world, made)
    assert made.fresh().person.deceased


def test_s47_the_people_of_an_organisation_open_so_many_visits_a_minute(
    world: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visits, "_OPENED", MinuteBudget())
    settings.VISITS_PER_MINUTE_BY_ORGANISATION = 1
    made, began = sent_card(world), clock.now()
    one, another, elsewhere = (
        replace(world.officer(), hsa_id=hsa_id) for hsa_id in ("TST2321000131-A1", "tst2321000131-B2", "TST5565594230-C3")
    )
    with clock.moved_to(began):
        opened = identify(world, made, actor=one)
    with clock.moved_to(began + dt.timedelta(seconds=40)):
        with pytest.raises(TooManyRequests, match="visit-budget") as refused:
            identify(world, made, actor=another)
        assert 1 <= (refused.value.retry_after or 0) <= 61
        assert Identification.objects.count() == 1
        assert activated.transaction(opened).state == "created", "the refused one has not replaced it"
        identify(world, made, actor=elsewhere)
    with clock.moved_to(began + 2 * MINUTE):
        identify(world, made, actor=another)


def test_s47_a_clerk_meets_no_limit_of_visits(settings: Any) -> None:
    assert settings.VISITS_PER_MINUTE_BY_PERSON >= 50, "a day's cards in one minute"


# --- one at a time --------------------------------------------------------------------------------------------------------


def test_a_second_click_is_the_same_transaction_with_a_new_handle(world: Any) -> None:
    made = sent_card(world)
    with clock.moved_to(clock.now()):  # else half a minute may pass while the first receipt is printed
        first, second = identify(world, made), identify(world, made)
    assert first.transaction.pk == second.transaction.pk
    assert Identification.objects.count() == 1
    with pytest.raises(Unauthenticated):
        App(made).start(first)
    App(made).start(second)


def test_an_identification_does_not_live_on_by_second_clicks(world: Any) -> None:
    made, began = sent_card(world), clock.now()
    for number in range(4):
        with clock.moved_to(began + number * 4 * MINUTE):
            opened = identify(world, made)
    assert Identification.objects.count() == EidAppTransaction.objects.count() == 4
    assert EidAppTransaction.objects.exclude(pk=opened.transaction.pk).filter(state="superseded").count() == 3
    with clock.moved_to(began + 16 * MINUTE):
        again = reopen(world, opened)
        assert again.transaction.pk == opened.transaction.pk
    with clock.moved_to(began + 43 * MINUTE), pytest.raises(Conflict, match="identification-old"):
        reopen(world, opened)


@pytest.mark.parametrize(("happens", "code"), [(_deceased, "person-deceased"), (_post_gone, "post-ended")])
def test_a_later_identification_is_checked_anew(world: Any, settings: Any, happens: Callable[..., None], code: str) -> None:
    made = sent_card(world)
    identify(world, made)
    happens(world, made, settings)
    with clock.moved_to(clock.now() + MINUTE), pytest.raises(Conflict, match=code):
        identify(world, made)


def test_a_click_seconds_later_is_the_same_and_one_a_minute_later_is_not(world: Any) -> None:
    made, began = sent_card(world), clock.now()
    first = identify(world, made)
    with clock.moved_to(began + dt.timedelta(seconds=20)):
        assert identify(world, made).transaction.pk == first.transaction.pk
    with clock.moved_to(began + MINUTE):
        assert identify(world, made).transaction.pk != first.transaction.pk
    assert Identification.objects.count() == 2


def test_another_document_is_another_identification(world: Any) -> None:
    made = sent_card(world)
    first, second = identify(world, made), identify(world, made, document="passport")
    assert activated.transaction(first).state == "superseded"
    assert activated.transaction(second).state == "created"
    assert Identification.objects.count() == 2
    assert PreparedReceipt.objects.count() == 1


def test_eight_clicks_at_once_open_one(world: Any) -> None:
    made, clerk, moment = sent_card(world), world.officer(), clock.now()
    opened: list[Any] = []

    def click() -> None:
        with clock.moved_to(moment):
            opened.append(identify(world, made, actor=clerk))

    run_at_once(8, click)
    assert len(opened) == 8
    assert (
        len({each.transaction.pk for each in opened}) == EidAppTransaction.objects.count() == Identification.objects.count() == 1
    )
    live = [each for each in opened if activated.transaction(each).handle_sha256 == sha256_hex(each.handle.encode())]
    assert len(live) == 1


def test_two_clerks_at_once_one_wins_and_the_other_is_told(world: Any) -> None:
    made = sent_card(world)
    clerks = [world.officer(), world.officer(role=Role.DEPUTY_ISSUER)]
    opened: list[Any] = []
    run_at_once(2, lambda: opened.append(identify(world, made, actor=clerks.pop())))
    states = sorted(EidAppTransaction.objects.values_list("state", flat=True))
    assert states == ["created", "superseded"]
    loser = next(each for each in opened if activated.transaction(each).state == "superseded")
    with pytest.raises(Conflict, match="transaction-ended") as told:
        App(made).start(loser)
    assert "ersatts" in told.value.message


def test_a_holder_in_the_middle_of_it_is_not_disturbed_by_another_clerk(world: Any) -> None:
    made, other = sent_card(world), world.officer(role=Role.DEPUTY_ISSUER)
    app, opened = App(made), identify(world, made)
    app.start(opened)
    with pytest.raises(Conflict, match="activation-under-way"):
        identify(world, made, actor=other)
    app.set_code()
    with pytest.raises(Conflict, match="activation-under-way"):
        identify(world, made, actor=other)
    with clock.moved_to(clock.now() + 16 * MINUTE):
        assert identify(world, made, actor=other).transaction.kind == "sign"
    assert activated.transaction(opened).state == "expired"


# --- opening again --------------------------------------------------------------------------------------------------------


def reopen(world: Any, opened: Any, actor: Any = None) -> Any:
    return activation.reopen(actor=actor or world.officer(), transaction_id=opened.transaction.pk)


def test_a_lost_window_before_start_gets_a_new_handle(world: Any) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    again = reopen(world, opened)
    assert again.transaction.pk == opened.transaction.pk
    with pytest.raises(Unauthenticated):
        App(made).start(opened)
    App(made).start(again)


def test_a_lost_window_after_start_gets_a_new_transaction_with_the_puk(world: Any) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    lost = App(made)
    lost.start(opened)
    again = reopen(world, opened)
    assert again.transaction.pk != opened.transaction.pk
    assert activated.transaction(opened).state == "superseded"
    assert again.transaction.identification_id == opened.transaction.identification_id
    app = App(made)
    app.start(again)
    assert app.secrets["puk"] == activated.PUK
    with pytest.raises(Conflict, match="transaction-ended"):
        lost.set_code()
    app.set_code()
    app.complete()
    assert made.fresh().state == "active"


def test_a_card_with_code_is_only_signed_for(world: Any) -> None:
    made = unsigned_card(world)
    opened = reopen(world, activation.Opened(EidAppTransaction.objects.get(), ""))
    assert opened.handle.startswith("sig.")
    assert opened.transaction.kind == "sign"
    app = App(made)
    app.start(opened)
    assert set(app.secrets) == {"step_token"}
    with pytest.raises(Conflict, match="code-not-asked-for"):
        app.set_code()
    app.complete()
    assert made.fresh().state == "active"
    assert events("transaction", opened.transaction.pk) == ["transaction.created", "transaction.started", "transaction.completed"]


@pytest.mark.parametrize("how", ["expired", "cancelled"])
def test_what_ended_by_itself_is_opened_again(world: Any, how: str) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    if how == "cancelled":
        activation.cancel(actor=world.officer(), transaction_id=opened.transaction.pk)
    with clock.moved_to(clock.now() + (6 * MINUTE if how == "expired" else MINUTE)):
        again = reopen(world, opened)
        assert again.transaction.pk != opened.transaction.pk
        assert activated.transaction(opened).state == how
        App(made).start(again)


def test_what_is_not_opened_again(world: Any, settings: Any) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    with pytest.raises(Forbidden, match="other-clerk"):
        reopen(world, opened, world.officer(role=Role.DEPUTY_ISSUER))
    with clock.moved_to(clock.now() + 31 * MINUTE), pytest.raises(Conflict, match="identification-old"):
        reopen(world, opened)
    newer = identify(world, made, document="passport")
    with pytest.raises(Conflict, match="transaction-ended"):
        reopen(world, opened)
    app = App(made)
    app.start(newer)
    app.set_code()
    app.complete()
    with pytest.raises(Conflict, match="transaction-ended"):
        reopen(world, newer)


# --- following, cancelling, ending ------------------------------------------------------------------------------------------


def test_the_page_follows_the_transaction(world: Any, django_assert_max_num_queries: Any) -> None:
    made = sent_card(world)
    opened, app, clerk = identify(world, made), App(made), world.officer()

    def now() -> Any:
        return activation.state(actor=clerk, transaction_id=opened.transaction.pk)

    assert (now().state, now().is_open, now().may_reopen) == ("created", True, True)
    app.start(opened)
    assert now().state == "started"
    app.set_code()
    assert now().state == "code_set"
    other = activation.state(actor=world.officer(role=Role.DEPUTY_ISSUER), transaction_id=opened.transaction.pk)
    assert (other.state, other.may_reopen) == ("code_set", False)
    with clock.moved_to(clock.now() + 16 * MINUTE):
        assert (now().state, now().is_open, now().may_reopen) == ("expired", False, True)
    app.complete()
    with django_assert_max_num_queries(1):
        done = now()
    assert (done.state, done.is_open, done.may_reopen) == ("completed", False, False)


def test_cancelling_ends_it_once(world: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    app.start(opened)
    for _ in range(2):
        assert activation.cancel(actor=world.officer(), transaction_id=opened.transaction.pk).state == "cancelled"
    assert events("transaction", opened.transaction.pk)[-1:] == ["transaction.cancelled"]
    with pytest.raises(Conflict, match="transaction-ended"):
        app.set_code()
    assert made.fresh().state == "sent"
    assert SecretDelivery.objects.get().jwe is None


def test_another_clerk_does_not_stop_a_holder_in_the_middle_of_it(world: Any) -> None:
    made, other = sent_card(world), world.officer(role=Role.DEPUTY_ISSUER)
    opened, app = identify(world, made), App(made)
    app.start(opened)
    with pytest.raises(Forbidden, match="other-clerk"):
        activation.cancel(actor=other, transaction_id=opened.transaction.pk)
    app.set_code()
    with pytest.raises(Forbidden, match="other-clerk"):
        activation.cancel(actor=other, transaction_id=opened.transaction.pk)
    assert app.complete().state == "active"


def test_another_clerk_cancels_what_nobody_has_started(world: Any) -> None:
    opened = identify(world, sent_card(world))
    other = world.officer(role=Role.DEPUTY_ISSUER)
    assert activation.cancel(actor=other, transaction_id=opened.transaction.pk).state == "cancelled"


def _moved_to_another_office(world: Any, made: Made) -> None:
    other = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
    CardOrder.objects.filter(pk=made.order.pk).update(office=other)


def _another_eid(world: Any, made: Made) -> None:
    Eid.objects.filter(carrier=made.carrier).update(state="revoked")


@pytest.mark.parametrize("changes", [_moved_to_another_office, _another_eid])
def test_what_changed_while_the_receipt_was_printed_opens_nothing(
    world: Any, monkeypatch: pytest.MonkeyPatch, changes: Callable[[Any, Made], None]
) -> None:
    made, real = sent_card(world), receipts.prepare

    def overtaken(subject: Any) -> Any:
        draft = real(subject)
        changes(world, made)
        return draft

    monkeypatch.setattr(receipts, "prepare", overtaken)
    with pytest.raises(Conflict, match="carrier-changed"):
        identify(world, made)
    assert not Identification.objects.exists()
    assert not EidAppTransaction.objects.exists()


def test_time_ends_what_nobody_ends(world: Any) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    assert activation.end_overdue() == 0
    with clock.moved_to(clock.now() + 5 * MINUTE):
        assert activation.overdue_count() == 1
        with pytest.raises(Conflict, match="transaction-ended"):
            App(made).start(opened)
        assert deadlines.run(dry_run=True).transactions_ended == 1
        assert deadlines.run().transactions_ended == 1
        assert activation.end_overdue() == 0
    row = activated.transaction(opened)
    assert (row.state, row.seq) == ("expired", 2)
    assert events("transaction", row.pk) == ["transaction.created", "transaction.expired"]
    assert not PreparedReceipt.objects.exists()
    assert made.fresh().state == "sent"


def test_a_revoked_card_ends_its_transaction(world: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    app.start(opened)
    _revoked(world, made, None)
    assert activated.transaction(opened).state == "failed"
    assert activation.state(actor=world.officer(), transaction_id=opened.transaction.pk).may_reopen is False
    for call in (app.set_code, app.complete):
        with pytest.raises(Conflict, match="transaction-ended"):
            call()
    assert not Receipt.objects.exists()
    assert SecretDelivery.objects.get().state == "destroyed"


# --- what the database keeps ------------------------------------------------------------------------------------------------


FORBIDDEN = [
    "UPDATE issuance_identification SET identity_document = 'passport'",
    "DELETE FROM issuance_identification",
    "TRUNCATE issuance_identification CASCADE",
    "UPDATE issuance_eidapptransaction SET state = 'started' WHERE state = 'cancelled'",
    "UPDATE issuance_eidapptransaction SET state = 'completed' WHERE state = 'cancelled'",
    "UPDATE issuance_eidapptransaction SET state = 'gone'",
    "UPDATE issuance_eidapptransaction SET kind = 'fetch'",
]


def test_what_was_identified_and_what_has_ended_stay(world: Any, subtests: pytest.Subtests) -> None:
    """One transaction for all, since none of them may touch it."""
    opened = identify(world, sent_card(world))
    activation.cancel(actor=world.officer(), transaction_id=opened.transaction.pk)
    for statement in FORBIDDEN:
        with subtests.test(statement=statement):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
            assert Identification.objects.get().identity_document == "driving_licence"
            assert activated.transaction(opened).state == "cancelled"


def test_a_card_has_one_open_transaction(world: Any) -> None:
    row = identify(world, sent_card(world)).transaction
    row.pk, row.handle_sha256 = new_id(), "0" * 64
    with pytest.raises(IntegrityError, match="issuance_one_open_transaction"), transaction.atomic():
        EidAppTransaction.objects.bulk_create([row])
