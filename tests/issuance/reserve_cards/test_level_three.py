"""A reserve card on level 3: two officers who sign with their own cards, and what the worker asks for before it signs."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from issuance.activation.models import EidAppTransaction, Statement
from issuance.activation.services import activation_app
from issuance.authz import Role
from issuance.carriers.models import Carrier, CarrierCertificate, Receipt
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.queries import reserve_cards
from issuance.reserve_cards.services import approving, handing_out, signing
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.roles.models.grants import RoleGrant
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.activated import App
from tests.issuance.activation.test_pages import text_of
from tests.issuance.reserve_cards.blank import (
    Blank,
    Officer,
    activating,
    approved,
    desk_of_two,
    hand_out,
    in_stock,
    officer_with_card,
    proposed,
    work,
)
from tests.issuance.world import person_number
from tests.portal import portal_client

pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.fixture
def desk(world: Any) -> tuple[Blank, Officer, Officer]:
    return desk_of_two(world)


@pytest.fixture
def blank(desk: tuple[Blank, Officer, Officer]) -> Blank:
    return desk[0]


@pytest.fixture
def first(desk: tuple[Blank, Officer, Officer]) -> Officer:
    return desk[1]


@pytest.fixture
def second(desk: tuple[Blank, Officer, Officer]) -> Officer:
    return desk[2]


def second_opens(issue: ReserveCardIssue, officer: Officer) -> Any:
    return approving.approve(
        actor=officer.actor, issue_id=issue.pk, serial=issue.carrier.card_serial[-4:], identity_document="passport"
    )


def queue(actor: Any) -> list[reserve_cards.WaitingView]:
    return reserve_cards.views(actor, list(reserve_cards.waiting(actor=actor)))


class TestTwoOfficers:
    """From the first officer's identification to the bound card."""

    def test_the_card_is_bound_when_both_have_signed(self, world: Any, blank: Blank, first: Officer, second: Officer) -> None:
        post = world.post()
        issue = proposed(blank, post, first)
        assert (issue.state, blank.carrier.state, blank.carrier.person_id) == ("waiting", "in_stock", None)
        told = "Den väntar på sidan Reservkort till kl."
        assert [told in _page_of(post, each) for each in (first.actor, second.actor)] == [True, True]
        assert "Du började utlämningen" in _page_of(post, first.actor)
        assert told not in _page_of(post, world.officer(role=Role.READER))
        issue = approved(issue, second)
        assert told not in _page_of(post, first.actor)
        assert (issue.state, issue.approver_ref, issue.approver_document) == ("bound", second.actor.ref, "driving_licence")
        carrier = blank.carrier
        assert (carrier.state, carrier.person_id, carrier.assurance_level) == ("reserved", post.person_id, 3)
        step = activating(blank, world.officer())
        step.certify()
        assert step.finish().state == "active"
        assert [(each["hsa_id"], each["document"]) for each in _receipt(blank)["hand_out"]["officers"]] == [
            (_hsa_id(first), "passport"),
            (_hsa_id(second), "driving_licence"),
        ]
        reader = portal_client(Person.objects.get(pk=world.officer().person_id))
        page = text_of(reader.get(reverse("receipt", args=[carrier.pk])))
        assert f"Utlämnat av, första person {_hsa_id(first)}, Pass" in page
        assert f"Utlämnat av, andra person {_hsa_id(second)}, Körkort" in page
        ids = CarrierCertificate.objects.filter(carrier=carrier).exclude(eid=None).values_list("certificate_id", flat=True)
        assert {view.ca for view in pki.certificates(list(ids))} == {"person-hsaid-3"}
        event = Event.objects.get(action="reserve_issue.approved")
        assert (event.actor_ref, event.facts["officer"]) == (second.actor.ref, first.actor.ref)
        assert verify_states().wrong == ()

    def test_the_app_shows_what_is_signed(self, world: Any, blank: Blank, first: Officer) -> None:
        done = hand_out(blank, world.post(), first.actor, level=3)
        assert done.opened is not None
        assert done.opened.handle.startswith("sig.")
        app = App(first.made)
        started = app.start(done.opened)
        assert (started.kind, started.pdf, "puk" in app.secrets) == ("sign", b"", False)
        assert "tillitsnivå 3" in started.texts.summary
        with pytest.raises(Invalid, match="signature-invalid"):
            activation_app.complete(step_token=app.token, signature=first.made.keys.sign(b"something else"))
        with pytest.raises(Conflict, match="code-not-asked-for"):
            activation_app.set_code(step_token=app.token)

    def test_the_queue_shows_it_to_others_where_they_may_approve(
        self, world: Any, blank: Blank, first: Officer, second: Officer
    ) -> None:
        issue = proposed(blank, world.post(), first)
        (seen,) = queue(second.actor)
        assert (seen.id, seen.card_end, seen.own) == (issue.pk, blank.serial[-4:], False)
        assert queue(first.actor)[0].own
        assert [reserve_cards.to_check(actor=each.actor).count() for each in (second, first)] == [1, 0]
        assert queue(world.officer(role=Role.RESERVE_CARD_ADMIN_LOA2)) == []
        assert queue(world.officer(world.stranger)) == []

    def test_protected_persons_need_the_add_on_of_both(self, world: Any, blank: Blank, second: Officer) -> None:
        first = officer_with_card(world, world.officer(protected=True))
        issue = proposed(blank, world.post(protected=True), first)
        assert queue(second.actor) == []
        with pytest.raises(NotFound):
            second_opens(issue, second)

    def test_who_may_not_be_second(self, world: Any, blank: Blank, first: Officer) -> None:
        issue = proposed(blank, world.post(), first)
        with pytest.raises(Forbidden, match="own-reserve-issue"):
            second_opens(issue, first)
        for role in (Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.RESERVE_CARD_ADMIN_LOA2):
            with pytest.raises(Forbidden):
                approving.waiting_issue(actor=world.officer(role=role), issue_id=issue.pk)

    def test_the_coming_holder_is_not_the_second_officer(self, world: Any, blank: Blank, first: Officer, second: Officer) -> None:
        post = Post.objects.get(person=second.actor.person_id)
        issue = proposed(blank, post, first)
        with pytest.raises(Forbidden):
            second_opens(issue, second)

    def test_the_person_needs_personnummer_and_address(self, world: Any, blank: Blank, first: Officer) -> None:
        for post in (world.post(person_id=person_number(coordination=True)), world.post(registered_address=None)):
            with pytest.raises(Invalid, match="person-not-for-level"):
                hand_out(blank, post, first.actor, level=3)

    def test_an_officer_without_a_card_cannot_sign(self, world: Any, blank: Blank) -> None:
        with pytest.raises(Conflict, match="officer-without-card"):
            hand_out(blank, world.post(), world.officer(protected=True), level=3)
        assert not ReserveCardIssue.objects.exists()

    def test_the_envelope_is_checked(self, world: Any, blank: Blank, first: Officer, second: Officer) -> None:
        issue = proposed(blank, world.post(), first)
        with pytest.raises(Invalid, match="wrong-envelope"):
            approving.approve(actor=second.actor, issue_id=issue.pk, serial=Blank().serial, identity_document="passport")

    def test_a_role_that_ends_before_the_signature_ends_the_right(
        self, world: Any, blank: Blank, first: Officer, second: Officer
    ) -> None:
        issue = proposed(blank, world.post(), first)
        opened = second_opens(issue, second)
        RoleGrant.objects.filter(person=second.actor.person_id).update(valid_to=clock.now())
        with pytest.raises(Conflict, match="officer-not-allowed"):
            second.sign(opened)
        assert blank.carrier.state == "in_stock"

    def test_only_one_hand_out_of_a_card_is_open(self, world: Any, blank: Blank, first: Officer) -> None:
        proposed(blank, world.post(), first)
        for level in (2, 3):
            with pytest.raises(Invalid, match="card-not-usable"):
                hand_out(blank, world.post(), first.actor, level=level)

    def test_s33_second_clicks_of_both_officers(self, world: Any, blank: Blank, first: Officer, second: Officer) -> None:
        """The first one's is the same hand-out with a new link. The second one's supersedes what is not signed."""
        post = world.post()
        clicks = [hand_out(blank, post, first.actor, level=3) for _ in range(2)]
        assert clicks[0].issue == clicks[1].issue
        opened = [click.opened for click in clicks if click.opened is not None]
        assert (opened[0].transaction, opened[0].handle == opened[1].handle) == (opened[1].transaction, False)
        first.sign(opened[1])
        with pytest.raises(Invalid, match="card-not-usable"):
            hand_out(blank, post, first.actor, level=3)
        checks = [second_opens(clicks[0].issue, second) for _ in range(2)]
        assert [EidAppTransaction.objects.get(pk=each.transaction.pk).state for each in checks] == ["superseded", "created"]
        second.sign(checks[1])
        assert ReserveCardIssue.objects.get().state == "bound"

    def test_rejected_withdrawn_and_overdue(self, world: Any, blank: Blank, first: Officer, second: Officer) -> None:
        cards = [blank, *in_stock(world, 2)]
        issues = [proposed(card, world.post(), first) for card in cards]
        approving.reject(actor=second.actor, issue_id=issues[0].pk, reason="Fotot stämmer inte")
        approving.withdraw(actor=first.actor, issue_id=issues[1].pk)
        ReserveCardIssue.objects.filter(pk=issues[2].pk).update(waiting_until=clock.now() - dt.timedelta(seconds=1))
        with pytest.raises(Conflict, match="reserve-issue-ended"):
            second_opens(issues[2], second)
        assert (approving.overdue_count(), approving.end_overdue(), approving.end_overdue()) == (1, 1, 0)
        assert [ReserveCardIssue.objects.get(pk=issue.pk).state for issue in issues] == ["rejected", "cancelled", "expired"]
        assert {card.carrier.state for card in cards} == {"in_stock"}
        assert hand_out(cards[0], world.post(), first.actor).issue.state == "bound"
        assert verify_states().wrong == ()

    def test_a_card_that_was_revoked_meanwhile_is_not_bound(
        self, world: Any, blank: Blank, first: Officer, second: Officer
    ) -> None:
        issue = proposed(blank, world.post(), first)
        opened = second_opens(issue, second)
        reason = RevocationReason.DAMAGED.value
        revocation.revoke_carrier(actor=world.officer(), carrier_id=blank.carrier.pk, reason=reason)
        with pytest.raises(Conflict, match="card-not-usable"):
            second.sign(opened)
        assert Statement.objects.get(pk=opened.transaction.pk).signed_at is None

    def test_a_new_link_and_the_way_out(self, world: Any, blank: Blank, first: Officer) -> None:
        done = hand_out(blank, world.post(), first.actor, level=3)
        assert done.opened is not None
        pk = done.opened.transaction.pk
        assert signing.renew(actor=first.actor, transaction_id=pk).handle != done.opened.handle
        with pytest.raises(NotFound):
            signing.seen(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), transaction_id=pk)
        ended = signing.cancel(actor=first.actor, transaction_id=pk)
        assert (ended.state.value, ReserveCardIssue.objects.get().state) == ("cancelled", "cancelled")


def _page_of(post: Post, reader: Any) -> str:
    """The text of the person's page."""
    client = portal_client(Person.objects.get(pk=reader.person_id))
    return text_of(client.get(reverse("person", args=[post.person_id])))


def _receipt(blank: Blank) -> Any:
    return Receipt.objects.get(carrier__card_serial=blank.serial).content


def _hsa_id(officer: Officer) -> str:
    return Post.objects.get(person=officer.actor.person_id).hsa_id


def _another_content(issue: ReserveCardIssue) -> None:
    Statement.objects.filter(pk=issue.second_statement_id).update(
        content=issue.second_statement.content | {"card_serial": Blank().serial}
    )


def _no_second(issue: ReserveCardIssue) -> None:
    ReserveCardIssue.objects.filter(pk=issue.pk).update(second_statement=None, state="waiting")


def _firsts_signature(issue: ReserveCardIssue) -> None:
    row = issue.first_statement
    Statement.objects.filter(pk=issue.second_statement_id).update(
        signature=bytes(row.signature), certificate_id=row.certificate_id
    )


def _forged(issue: ReserveCardIssue) -> None:
    Statement.objects.filter(pk=issue.second_statement_id).update(signature=b"\x30\x06\x02\x01\x01\x02\x01\x01")


def _longer(issue: ReserveCardIssue) -> None:
    ReserveCardIssue.objects.filter(pk=issue.pk).update(valid_to=issue.valid_to + dt.timedelta(days=30))


def _another_officer(issue: ReserveCardIssue) -> None:
    ReserveCardIssue.objects.filter(pk=issue.pk).update(approver_ref=f"user:{issue.person_id}")


class TestWorker:
    """`issue_check`: what the worker verifies by itself. A process that may write the tables could make each of the changes."""

    @pytest.mark.parametrize("tampered", [_another_content, _no_second, _firsts_signature, _forged, _longer, _another_officer])
    def test_a_hand_out_that_two_officers_did_not_sign_gets_no_certificate(
        self, world: Any, blank: Blank, first: Officer, second: Officer, tampered: Callable[[ReserveCardIssue], None]
    ) -> None:
        issue = approved(proposed(blank, world.post(), first), second)
        issue = ReserveCardIssue.objects.select_related("first_statement", "second_statement").get(pk=issue.pk)
        tampered(issue)
        step = activating(blank, world.officer())
        assert step.request() is None
        assert work(blank) == 0
        assert step.request() is None

    def test_a_signature_by_a_revoked_card_does_not_count(
        self, world: Any, blank: Blank, first: Officer, second: Officer
    ) -> None:
        approved(proposed(blank, world.post(), first), second)
        reason = RevocationReason.LOST_OR_STOLEN.value
        revocation.revoke_carrier(
            actor=world.officer(role=Role.RESPONSIBLE_ISSUER), carrier_id=second.made.carrier.pk, reason=reason
        )
        step = activating(blank, world.officer())
        assert step.request() is None
        assert work(blank) == 0

    def test_the_database_keeps_the_two_officers_apart(self, world: Any, blank: Blank, first: Officer, second: Officer) -> None:
        issue = approved(proposed(blank, world.post(), first), second)
        with pytest.raises(DatabaseError, match="two_officers"), transaction.atomic():
            ReserveCardIssue.objects.filter(pk=issue.pk).update(approver_ref=issue.officer_ref)
        with pytest.raises(DatabaseError, match="two_signed"), transaction.atomic():
            ReserveCardIssue.objects.filter(pk=issue.pk).update(second_statement=None)


def test_the_statements_are_no_activation(world: Any, blank: Blank, first: Officer) -> None:
    """An officer's own card in a statement is not opened by a colleague's page of activation."""
    from issuance.activation.services import activation

    done = hand_out(blank, world.post(), first.actor, level=3)
    assert done.opened is not None
    with pytest.raises(NotFound):
        activation.state(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), transaction_id=done.opened.transaction.pk)
    assert EidAppTransaction.objects.get(pk=done.opened.transaction.pk).carrier_id == first.made.carrier.pk
    assert Carrier.objects.get(pk=first.made.carrier.pk).state == "active"
    assert handing_out.proposed_last_day(3) == clock.today() + dt.timedelta(days=183)
