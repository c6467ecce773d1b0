"""An ordered eID fetched by its holder onto a card in use: new keys, the worker's check, and what a renewal revokes."""

from typing import Any

import pytest
from cryptography import x509
from django.conf import settings

from issuance.activation.models import CertificateRequest, EidAppTransaction
from issuance.activation.services import activation_app, fetching, statements
from issuance.authz import holder
from issuance.carriers.domain.kinds import CARD_PROFILES, HSA_PROFILES
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.housekeeping.services import deadlines
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.notices.models import EidNotice
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.services import eid_orders
from issuance.people.models.persons import Post
from issuance.person_page.queries.person_view import person_view
from issuance.records.models.events import Event
from issuance.revocation.services import certificate_revocation, revocation
from issuance.suppliers.services import issuance_check
from pki import service as pki
from pki.issuing.certifying import certify as certify_in_the_worker
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.activated import App, Keys, Made, activated_card
from tests.issuance.activation.fetched import Fetching
from tests.issuance.orders.test_eid_orders import further_post

pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.fixture
def made(world: Any) -> Made:
    """A card in use."""
    return activated_card(world)


def extra(world: Any, made: Made) -> Fetching:
    """An extra eID that the officer has ordered for another assignment of the card's holder."""
    post = further_post(world, made.carrier)
    return Fetching(made, eid_orders.order_additional_eid(actor=world.officer(), carrier_id=made.carrier.pk, post_id=post.pk))


def renewal(world: Any, made: Made, eid: Eid | None = None) -> Fetching:
    """A renewal of the card's eID that the officer has ordered."""
    of = eid or made.carrier.eids.get(state="active")
    return Fetching(made, eid_orders.order_renewed_eid(actor=world.officer(), eid_id=of.pk))


def statuses(carrier: Carrier) -> dict[tuple[str, bool], list[str]]:
    """The status of each of the carrier's certificates, by profile and whether it is the carrier's own."""
    links = {row.certificate_id: row for row in CarrierCertificate.objects.filter(carrier=carrier)}
    found: dict[tuple[str, bool], list[str]] = {}
    for view in pki.certificates(list(links)):
        found.setdefault((view.profile, links[view.id].eid_id is None), []).append(view.status)
    return {key: sorted(each) for key, each in found.items()}


def test_an_extra_eid_comes_beside_the_first_with_the_ordered_values(world: Any, made: Made) -> None:
    app = extra(world, made)
    started = app.start()
    assert (started.kind, started.profiles, started.pdf, started.statement) == ("fetch", HSA_PROFILES, b"", b"")
    assert set(app.app.secrets) == {"step_token"}, "the PUK stays where it is"
    certified = app.certify()
    assert set(certified.certificates) == set(HSA_PROFILES)
    assert EidOrder.objects.get(pk=app.order.pk).state == "ordered"
    notice = EidNotice.objects.get(eid=CertificateRequest.objects.get(eid_order=app.order).eid)
    assert (notice.state, notice.about) == ("waiting", "new"), "the holder is told of what is certified, confirmed or not"
    assert app.confirm() == app.confirm() == made.carrier
    order = EidOrder.objects.get(pk=app.order.pk)
    eid = order.eid
    assert eid is not None
    assert (order.state, eid.state, eid.hsa_id, eid.carrier_id) == ("fetched", "active", order.hsa_id, made.carrier.pk)
    assert eid.valid_to <= made.carrier.valid_to
    certificate = x509.load_der_x509_certificate(certified.certificates["person-hsaid-auth"])
    assert certificate.subject.get_attributes_for_oid(x509.NameOID.SERIAL_NUMBER)[0].value == order.hsa_id
    assert certificate.public_key() == app.keys["person-hsaid-auth"].public_key()
    assert statuses(made.carrier)["person-hsaid-auth", False] == ["issued", "issued"]
    assert statuses(made.carrier)["person-id-auth", True] == ["issued"]
    events = Event.objects.filter(subject_ref__in=[str(eid.pk), str(order.pk)]).order_by("id").values_list("action", flat=True)
    assert list(events) == ["eid_order.ordered", "eid.ordered", "eid.certificates_planned", "eid.activated", "eid_order.fetched"]
    assert Event.objects.get(action="eid.activated", subject_ref=str(eid.pk)).actor_ref == holder(made.carrier.holder_id).ref
    request = CertificateRequest.objects.get(eid=eid)
    assert bytes(request.confirmation)
    assert verify_states().wrong == ()
    assert renewal(world, made, eid).start().profiles == CARD_PROFILES, "a card with two pairs proves itself as before"


def test_a_renewal_brings_both_pairs_and_revokes_the_old_ones_when_the_new_are_confirmed(world: Any, made: Made) -> None:
    old = made.carrier.eids.get()
    app = renewal(world, made)
    assert app.start().profiles == CARD_PROFILES
    app.certify()
    assert statuses(made.carrier)["person-id-sign", True] == ["issued", "issued"], "the old ones stay until then"
    assert old.state == Eid.objects.get(pk=old.pk).state == "active"
    first = {row.certificate_id for row in made.carrier.certificates.filter(made_with=None, eid=None)}
    assert statements.signing_certificate(made.carrier).id in first
    app.confirm()
    old.refresh_from_db()
    assert (old.state, old.revocation_reason) == ("revoked", "renewed")
    assert {tuple(each) for each in statuses(made.carrier).values()} == {("issued", "revoked")}
    revoked = [view for view in pki.certificates([*first]) if view.status == "revoked"]
    assert {view.reason for view in revoked} == {"superseded"}
    assert statements.signing_certificate(made.carrier).id not in first
    assert made.fresh().state == "active"
    assert certificate_revocation.sweep() == 0, "the card stays in use without its first pair"
    (shown,) = person_view(actor=world.officer(), person_id=made.carrier.holder_id).carriers
    assert len(shown.certificates) == 2
    renewal(world, made).fetch()
    assert sorted(eid.state for eid in made.carrier.eids.all()) == ["active", "revoked", "revoked"]
    assert statuses(made.carrier)["person-id-sign", True] == ["issued", "revoked", "revoked"]


def test_only_the_holder_opens_it_and_only_the_card_starts_it(world: Any, made: Made) -> None:
    app = extra(world, made)
    for actor, kind in ((holder(world.post().person_id), NotFound), (world.officer(), Forbidden)):
        with pytest.raises(kind):
            fetching.open_for(actor=actor, order_id=app.order.pk)
    opened = fetching.open_for(actor=holder(made.carrier.holder_id), order_id=app.order.pk)
    assert opened.transaction.origin == settings.MINASIDOR_BASE_URL
    with pytest.raises(NotFound):
        fetching.seen(world.officer(), opened.transaction.pk)
    other = Made(Keys(), made.carrier, made.order)
    with pytest.raises(Conflict, match=r"wrong-card|proof-refused"):
        App(other).start(opened)


def test_the_requests_are_signed_by_the_card_and_one_for_each_profile(world: Any, made: Made) -> None:
    app = extra(world, made)
    csrs = app.csrs(app.start())
    with pytest.raises(Conflict, match="proof-refused"):
        app.ask(csrs, by=Keys())
    with pytest.raises(Invalid, match="csrs"):
        app.ask({"person-hsaid-auth": csrs["person-hsaid-auth"]})
    assert not CertificateRequest.objects.exists()
    app.certify()
    others = Fetching(made, app.order)
    with pytest.raises(Conflict, match="certificates-already-requested"):
        app.ask(others.csrs(app.app.started))


def test_a_fetch_that_was_broken_off_goes_on_with_the_same_keys(world: Any, made: Made) -> None:
    app = renewal(world, made)
    app.start()
    first = app.certify()
    app.start()
    assert app.certify().certificates == first.certificates
    app.confirm()
    assert EidAppTransaction.objects.filter(state="superseded").count() == 1


def test_a_wrong_confirmation_activates_nothing(world: Any, made: Made) -> None:
    app = extra(world, made)
    app.start()
    with pytest.raises(Conflict, match="certificates-missing"):
        activation_app.complete(step_token=app.app.token, signature=b"x")
    app.certify()
    app.keys["person-hsaid-sign"] = app.keys["person-id-sign"]
    with pytest.raises(Invalid, match="signature-invalid"):
        app.confirm()
    assert EidOrder.objects.get().state == "ordered"


@pytest.mark.parametrize("end", ["withdrawn", "expired", "eid revoked", "card revoked"])
def test_what_was_begun_ends_with_its_order(world: Any, made: Made, end: str) -> None:
    app = renewal(world, made)
    app.start()
    app.certify()
    new = CertificateRequest.objects.get().eid
    if end == "withdrawn":
        eid_orders.withdraw_eid_order(actor=world.officer(), order_id=app.order.pk)
    elif end == "expired":
        Post.objects.filter(pk=app.order.post_id).update(ended_at=clock.now())
        assert deadlines.run().eid_orders == 1
    elif end == "eid revoked":
        revocation.revoke_eid(actor=world.officer(), eid_id=new.pk, reason="changed_details")
    else:
        revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.pk, reason="lost_or_stolen")
    new.refresh_from_db()
    assert (new.state, EidOrder.objects.get().state) == ("revoked", "expired" if end == "expired" else "cancelled")
    assert EidAppTransaction.objects.order_by("-created_at")[0].state == "failed"
    with pytest.raises(Conflict, match="transaction-ended"):
        app.confirm()
    kept = "revoked" if end == "card revoked" else "issued"
    assert statuses(made.carrier)["person-id-sign", True] == sorted([kept, "revoked"])


def test_an_order_that_is_withdrawn_before_the_worker_came_is_never_certified(world: Any, made: Made, monkeypatch: Any) -> None:
    monkeypatch.setattr("issuance.activation.services.fetch_certificates.settings.EID_APP_WAIT_SECONDS", 0)
    app = extra(world, made)
    assert app.ask(app.csrs(app.start())) is None
    eid_orders.withdraw_eid_order(actor=world.officer(), order_id=app.order.pk)
    assert certify_in_the_worker(CertificateRequest.objects.get().pk) == 0
    assert statuses(made.carrier)["person-hsaid-auth", False] == ["issued"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda it: EidOrder.objects.filter(pk=it.order.pk).update(state="cancelled", ended_at=clock.now()), "order-state"),
        (lambda it: EidOrder.objects.filter(pk=it.order.pk).update(hsa_id="TST2321000131-FEL"), "eid"),
        (lambda it: EidOrder.objects.update(ordered_by_ref=f"user:{it.order.carrier.holder_id}"), "person"),
        (lambda it: CertificateRequest.objects.update(signature=b"x"), "proof"),
        (lambda it: Carrier.objects.filter(pk=it.order.carrier_id).update(state="revoked", ended_at=clock.now()), "card"),
        (lambda it: Eid.objects.filter(eid_order=None, state="ordered").update(mail="annan@example.org"), "eid"),
        (lambda it: CarrierCertificate.objects.filter(carrier=it.order.carrier_id, made_with=None).update(csr_sha256=""), "card"),
    ],
)
def test_the_worker_refuses_what_the_order_the_card_or_the_proof_does_not_say(
    world: Any, made: Made, monkeypatch: Any, change: Any, reason: str
) -> None:
    """The check alone, as it stands before each signature: the port that plans refuses most of these too."""
    seen: dict[str, Any] = {}
    original = issuance_check.OrderedCards.refusals

    def spy(self: Any, certificates: Any) -> Any:
        change(app)
        seen["found"] = original(self, certificates)
        return seen["found"]

    monkeypatch.setattr(issuance_check.OrderedCards, "refusals", spy)
    monkeypatch.setattr("issuance.activation.services.fetch_certificates.settings.EID_APP_WAIT_SECONDS", 0)
    app = extra(world, made)
    app.ask(app.csrs(app.start()))
    assert certify_in_the_worker(CertificateRequest.objects.get().pk) == 0
    assert set(seen["found"].values()) == {reason}


def test_nothing_is_opened_for_a_card_or_an_order_that_does_not_wait(world: Any, made: Made) -> None:
    app = extra(world, made)
    of = holder(made.carrier.holder_id)
    with clock.moved_to(app.order.expires_at), pytest.raises(Conflict, match="eid-order-ended"):
        fetching.open_for(actor=of, order_id=app.order.pk)
    opened = fetching.open_for(actor=of, order_id=app.order.pk)
    again = fetching.renew(actor=of, transaction_id=opened.transaction.pk)
    assert again.handle != opened.handle
    assert fetching.cancel(actor=of, transaction_id=opened.transaction.pk).state == "cancelled"
    eid_orders.withdraw_eid_order(actor=world.officer(), order_id=app.order.pk)
    with pytest.raises(Conflict, match="eid-order-ended"):
        fetching.open_for(actor=of, order_id=app.order.pk)


def test_issued_certificates_of_fetched_eids_are_reconciled(world: Any, made: Made) -> None:
    renewal(world, made).fetch()
    ids = CarrierCertificate.objects.values_list("certificate_id", "carrier_id")
    issued = {id_: carrier_ref(carrier_id) for id_, carrier_id in ids}
    assert len(issued) == 8
    assert not issuance_check.OrderedCards().without_order(issued)
