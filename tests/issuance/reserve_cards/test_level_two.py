"""A reserve card on level 2: one officer, a short time, a card that is bound for ever, and its activation with new keys."""

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from issuance.activation.models import CertificateRequest
from issuance.activation.services import activation, activation_app, certifying, visits
from issuance.activation.services.receipt_integrity import verify_receipts
from issuance.authz import Role
from issuance.carriers.models import Carrier, CarrierCertificate, Eid, Receipt
from issuance.day.queries import cards
from issuance.housekeeping.services import deadlines
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.notices.models import EidNotice
from issuance.offices.services import disconnect_office
from issuance.people.models.persons import Post
from issuance.records.models.events import Event
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.stock.models import StockCard
from issuance.suppliers.services import issuance_check
from pki import service as pki
from pki.models import Certificate
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.at_once import run_at_once
from tests.issuance.reserve_cards.blank import Activating, Blank, activating, hand_out, in_stock, stocked, work
from tests.issuance.world import person_number

pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.fixture
def blank(world: Any) -> Blank:
    return stocked(world)[0]


def activated(world: Any, blank: Blank, post: Any) -> Carrier:
    """A card that its holder has activated."""
    hand_out(blank, post, world.officer())
    step = activating(blank, world.officer())
    step.certify()
    return step.finish()


class TestHandingOut:
    """`handing_out.hand_out` on level 2."""

    def test_the_card_is_bound_with_an_eid_that_ends_in_a_fortnight(self, world: Any, blank: Blank) -> None:
        post = world.post()
        done = hand_out(blank, post, world.officer())
        carrier, eid = blank.carrier, Eid.objects.get(carrier__card_serial=blank.serial)
        assert done.opened is None
        assert (carrier.state, carrier.person_id, carrier.assurance_level) == ("reserved", post.person_id, 2)
        assert (eid.state, eid.hsa_id, eid.assurance_level) == ("ordered", post.hsa_id, 2)
        assert eid.valid_to == clock.end_of_day(clock.today() + dt.timedelta(days=14))
        assert StockCard.objects.get(carrier=carrier).state == "handed_out"
        bound = Event.objects.get(action="carrier.holder_bound")
        assert (bound.actor_ref, bound.facts["person"]) == (world.officer().ref, str(post.person_id))
        assert verify_states().wrong == ()

    @pytest.mark.parametrize(("days", "fault"), [(-1, "last-day"), (15, "last-day")])
    def test_the_time_is_limited(self, world: Any, blank: Blank, days: int, fault: str) -> None:
        with pytest.raises(Invalid, match=fault):
            hand_out(blank, world.post(), world.officer(), last_day=clock.today() + dt.timedelta(days=days))
        assert blank.carrier.state == "in_stock"

    def test_s33_a_second_click_gets_the_first_hand_out(self, world: Any, blank: Blank) -> None:
        """Also those that come at the same time. Other answers, another officer and a later request are refused."""
        post, officer, done = world.post(), world.officer(), list[Any]()
        assert run_at_once(3, lambda: done.append(hand_out(blank, post, officer).issue.pk)) == []
        assert (len(done), len(set(done)), Eid.objects.count()) == (3, 1, 1)
        assert Event.objects.filter(action="carrier.holder_bound").count() == 1
        tomorrow = clock.today() + dt.timedelta(days=1)
        for wanted in ({"last_day": tomorrow}, {"post": world.post()}, {"actor": world.officer(role=Role.DEPUTY_ISSUER)}):
            with pytest.raises(Invalid, match="card-not-usable"):
                hand_out(blank, **{"post": post, "actor": officer, **wanted})
        with clock.moved_to(clock.now() + visits.SECOND_CLICK), pytest.raises(Invalid, match="card-not-usable"):
            hand_out(blank, post, officer)

    def test_coordination_number_and_no_address_are_enough(self, world: Any, blank: Blank) -> None:
        post = world.post(person_id=person_number(coordination=True), registered_address=None)
        assert hand_out(blank, post, world.officer()).issue.state == "bound"

    @pytest.mark.parametrize(("years", "allowed"), [(15, True), (14, False)])
    def test_the_holder_is_15(self, world: Any, blank: Blank, years: int, allowed: bool) -> None:
        today = clock.today()
        post = world.post(
            person_id=person_number(dt.date(today.year - years, 1, 1) if today.day > 1 or today.month > 1 else today)
        )
        if allowed:
            hand_out(blank, post, world.officer())
            return
        with pytest.raises(Invalid, match="person-not-for-level"):
            hand_out(blank, post, world.officer())

    def test_who_may(self, world: Any) -> None:
        cards = stocked(world, 3)
        for role, card in ((Role.RESERVE_CARD_ADMIN_LOA2, cards[0]), (Role.DEPUTY_ISSUER, cards[1])):
            assert hand_out(card, world.post(), world.officer(role=role)).issue.state == "bound"
        with pytest.raises(Forbidden):
            hand_out(cards[2], world.post(), world.officer(role=Role.REVOKER))
        with pytest.raises(NotFound):
            hand_out(cards[2], world.post(world.stranger), world.officer())

    def test_nobody_hands_out_to_themself(self, world: Any, blank: Blank) -> None:
        officer = world.officer()
        post = Post.objects.get(person=officer.person_id)
        with pytest.raises(Forbidden):
            hand_out(blank, post, officer)

    def test_a_protected_person_needs_the_add_on(self, world: Any, blank: Blank) -> None:
        post = world.post(protected=True)
        with pytest.raises(NotFound):
            hand_out(blank, post, world.officer())
        assert hand_out(blank, post, world.officer(protected=True)).issue.state == "bound"

    def test_a_card_at_an_office_that_the_organisation_has_not_is_no_card(self, world: Any, blank: Blank) -> None:
        disconnect_office(
            actor=world.officer(role=Role.RESPONSIBLE_ISSUER), organisation_id=world.clinic.id, office_id=world.office.id
        )
        with pytest.raises(Invalid, match="card-not-usable"):
            hand_out(blank, world.post(world.clinic), world.officer())


class TestForEver:
    """A serial that was bound once stays with its person."""

    def test_a_bound_card_is_refused_for_another_person(self, world: Any, blank: Blank) -> None:
        hand_out(blank, world.post(), world.officer())
        with pytest.raises(Invalid, match="card-not-usable"):
            hand_out(blank, world.post(), world.officer())

    def test_the_database_keeps_the_holder(self, world: Any, blank: Blank) -> None:
        hand_out(blank, world.post(), world.officer())
        other = world.post().person_id
        for value in (other, None):
            with pytest.raises(DatabaseError, match=r"set once|has_holder"), transaction.atomic():
                Carrier.objects.filter(card_serial=blank.serial).update(person=value)

    def test_a_revoked_card_is_not_handed_out(self, world: Any, blank: Blank) -> None:
        reason = RevocationReason.DAMAGED.value
        revocation.revoke_carrier(actor=world.officer(), carrier_id=blank.carrier.pk, reason=reason)
        with pytest.raises(Invalid, match="card-not-usable"):
            hand_out(blank, world.post(), world.officer())


class TestActivation:
    """From the envelope to the signed receipt."""

    def test_a_card_is_activated_with_keys_made_on_it(self, world: Any, blank: Blank) -> None:
        post = world.post()
        hand_out(blank, post, world.officer())
        step = activating(blank, world.officer())
        assert step.app.started is not None
        assert (step.app.started.pdf, step.app.started.texts.terms != "") == (b"", True)
        assert set(step.app.secrets) == {"step_token"}
        with pytest.raises(Conflict, match="certificates-missing"):
            activation_app.set_code(step_token=step.app.token)
        certified = step.certify()
        assert set(certified.certificates) == {"person-hsaid-auth", "person-hsaid-sign"}
        assert list(EidNotice.objects.values_list("eid__carrier", "about")) == [(blank.carrier.pk, "new")]
        carrier = step.finish()
        assert (carrier.state, Eid.objects.get(carrier=carrier).state) == ("active", "active")
        assert not cards.ending(world.officer(), cards.ending_until()).exists(), "it ends soon by its nature"
        view = next(view for view in pki.certificates(_ids(carrier)) if view.profile == "person-hsaid-sign")
        assert (view.ca, view.status, view.held) == ("person-hsaid-2", "issued", False)
        assert view.not_after <= Eid.objects.get(carrier=carrier).valid_to
        assert Receipt.objects.get(carrier=carrier).signature_certificate_id == view.id
        assert verify_states().wrong == verify_receipts().wrong == ()
        assert issuance_check.OrderedCards().without_order({view.id: view.carrier_ref}) == {}

    def test_s04_an_officers_own_card_on_level_2_signs_nothing(self, world: Any, blank: Blank) -> None:
        officer, colleague = world.officer(), world.officer(role=Role.RESPONSIBLE_ISSUER)
        hand_out(blank, Post.objects.get(person=officer.person_id), colleague)
        step = activating(blank, colleague)
        step.certify()
        assert step.finish().state == "active"
        with pytest.raises(Conflict, match="officer-without-card"):
            hand_out(in_stock(world)[0], world.post(), officer, level=3)

    def test_a_request_without_the_card_key_gets_nothing(self, world: Any, blank: Blank) -> None:
        step = _started(world, blank)
        with pytest.raises(Conflict, match="proof-refused"):
            step.request(signature=Blank().prove(b"anything"))
        assert not CertificateRequest.objects.exists()

    def test_the_worker_verifies_the_card_key_by_itself(self, world: Any, blank: Blank) -> None:
        """As by a process that may write the table of requests."""
        step = _started(world, blank)
        step.request()
        CertificateRequest.objects.update(signature=Blank().prove(b"anything"))
        assert work(blank) == 0
        assert (
            not Certificate.objects.filter(id__in=_ids(blank.carrier), tbs_der__isnull=False)
            .exclude(profile_version__name="transport")
            .exists()
        )

    def test_the_worker_signs_nothing_for_a_card_that_is_bound_otherwise(self, world: Any, blank: Blank) -> None:
        step = _started(world, blank)
        step.request()
        ReserveCardIssue.objects.update(valid_to=clock.now() + dt.timedelta(days=1))
        assert work(blank) == 0
        assert step.request() is None

    def test_the_worker_signs_nothing_for_a_card_that_no_supplier_made(self, world: Any, blank: Blank) -> None:
        """As by a process that may insert carriers, hand-outs and requests, and no certificate of a blank card."""
        step = _started(world, blank)
        step.request()
        links = CarrierCertificate.objects.filter(carrier=blank.carrier)
        links.filter(profile="transport").update(certificate_id=links.exclude(profile="transport")[0].eid_id)
        assert work(blank) == 0

    def test_other_keys_are_refused_and_the_same_keys_get_the_same_certificates(self, world: Any, blank: Blank) -> None:
        step = _started(world, blank)
        first = step.certify()
        assert step.certify().certificates == first.certificates
        with pytest.raises(Conflict, match="certificates-already-requested"):
            step.request(csrs=Blank().csrs())

    def test_an_activation_that_was_broken_off_goes_on_with_the_same_keys(self, world: Any, blank: Blank) -> None:
        step = _started(world, blank)
        first = step.certify()
        activation_app.cancel(step_token=step.app.token)
        again = activating(blank, world.officer())
        assert again.app.started is not None
        assert again.app.started.pdf
        assert again.certify().certificates == first.certificates
        assert again.finish().state == "active"

    def test_an_ordinary_card_asks_for_no_certificates(self, world: Any) -> None:
        from tests.issuance.activated import App, identify, sent_card

        made = sent_card(world)
        app = App(made)
        app.start(identify(world, made))
        with pytest.raises(Conflict, match="certificates-not-asked-for"):
            certifying.certify(step_token=app.token, csrs=Blank().csrs(), signature=b"x")

    def test_who_may_not_activate_it(self, world: Any, blank: Blank) -> None:
        hand_out(blank, world.post(), world.officer())
        with pytest.raises(Forbidden):
            activation.identify(actor=world.officer(role=Role.REVOKER), carrier_id=blank.carrier.pk, identity_document="passport")


class TestAgain:
    """A used card without a valid eID goes to the same person again."""

    def test_the_same_person_gets_it_again_and_nobody_else(self, world: Any, blank: Blank) -> None:
        post = world.post()
        carrier = activated(world, blank, post)
        with pytest.raises(Invalid, match="card-not-usable"):
            hand_out(blank, post, world.officer())
        Eid.objects.filter(carrier=carrier).update(valid_to=clock.now(), valid_from=clock.now() - dt.timedelta(days=3))
        deadlines.run()
        with pytest.raises(Invalid, match="card-not-usable"):
            hand_out(blank, world.post(), world.officer())
        hand_out(blank, post, world.officer())
        assert blank.carrier.state == "reserved"
        step = activating(blank, world.officer())
        step.certify()
        again = step.finish()
        assert (again.state, Receipt.objects.count(), Eid.objects.filter(carrier=again).count()) == ("active", 2, 2)
        assert verify_states().wrong == verify_receipts().wrong == ()

    def test_a_card_that_is_not_activated_in_its_time_is_revoked(self, world: Any, blank: Blank) -> None:
        hand_out(blank, world.post(), world.officer())
        now = clock.now()
        Eid.objects.filter(carrier=blank.carrier).update(valid_from=now - dt.timedelta(days=14), valid_to=now)
        with pytest.raises(Conflict, match="eid-ended"):
            activating(blank, world.officer())
        assert (deadlines.run(dry_run=True).not_activated, deadlines.run().not_activated) == (1, 1)
        assert (blank.carrier.state, blank.carrier.revocation_reason) == ("revoked", "not_activated")
        assert Eid.objects.get(carrier=blank.carrier).state == "revoked"


def _started(world: Any, blank: Blank) -> Activating:
    hand_out(blank, world.post(), world.officer())
    return activating(blank, world.officer())


def _ids(carrier: Carrier) -> list[Any]:
    return list(CarrierCertificate.objects.filter(carrier=carrier).values_list("certificate_id", flat=True))
