"""Compares what the portal holds with the model: states and events after each act, and after a walk certificates, OCSP answers,
receipts, and what the portal's own comparisons say.
"""

from collections import Counter
from typing import Any

from cryptography.x509 import ocsp as x509_ocsp
from django.core.management import call_command
from django.db.models import Count

from issuance.activation.services.identification_integrity import verify_identifications
from issuance.activation.services.receipt_integrity import verify_receipts
from issuance.carriers.models import Carrier, CarrierCertificate, Eid, Receipt
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.orders.models.orders import OrderItem
from issuance.records.models.events import Event
from pki.domain.ocsp_request import CertId
from pki.models import Certificate
from pki.models import Event as PkiEvent
from pki.ocsp import status
from pki.ocsp.status_integrity import verify_revocations, verify_statuses
from siths_portal.lib import clock
from tests.issuance.carriers.model import Card, Model

SUBJECTS = (
    "carrier", "eid", "order", "item", "transaction", "stock_card", "reserve_issue", "eid_order", "identification",
)  # fmt: skip
"""What the model counts the events of."""


def require_states(model: Model, since: int) -> None:
    """Carriers and eIDs are in the model's states, and there are as many events of each name as the model counts."""
    ids = [card.pk for card in model.cards]
    carriers = dict(Carrier.objects.filter(pk__in=ids).values_list("pk", "state"))
    assert carriers == {card.pk: card.state for card in model.cards}
    eids: dict[Any, list[str]] = {card.pk: [] for card in model.cards}
    for carrier, state in Eid.objects.filter(carrier__in=ids).order_by("id").values_list("carrier", "state"):
        eids[carrier].append(state)
    assert eids == {card.pk: card.eids for card in model.cards}
    told = Event.objects.filter(id__gt=since, subject_type__in=SUBJECTS).order_by()
    assert dict(told.values_list("action").annotate(Count("id"))) == {name: n for name, n in model.events.items() if n}


def said(row: Certificate) -> str:
    """What OCSP says of a certificate: GOOD, REVOKED, or an empty text while nothing is said."""
    try:
        found = status.answer(CertId("sha256", row.ca.name_sha256, row.ca.key_sha256, int(row.serial, 16)))
    except (status.TryLater, status.Unauthorized):
        return ""
    return x509_ocsp.load_der_ocsp_response(found.der).certificate_status.name


def require_certificates(card: Card) -> None:
    """The card has the certificates that it should have, each of them in the right state for `pki`, its events and OCSP."""
    links = list(CarrierCertificate.objects.filter(carrier=card.pk).values_list("certificate_id", "eid_id"))
    assert len(links) == card.certified
    eids = list(Eid.objects.filter(carrier=card.pk).order_by("id").values_list("pk", flat=True))
    states = dict(zip(eids, card.eids, strict=True))
    rows = {row.pk: row for row in Certificate.objects.select_related("ca").filter(carrier_ref=f"carrier:{card.pk}")}
    if card.origin == "portal":
        assert set(rows) == {id_ for id_, _eid in links}
    else:
        rows = {row.pk: row for row in Certificate.objects.filter(pk__in=[id_ for id_, _eid in links])}
    held = card.kind == "ordinary_card" and card.origin == "portal" and not card.has_code
    for id_, eid in links:
        row = rows[id_]
        should = "revoked" if card.state == "revoked" or (eid and states[eid] == "revoked") else "issued"
        assert row.status == should
        happened = Counter(
            PkiEvent.objects.filter(subject_type="certificate", subject_ref=str(id_)).values_list("action", flat=True)
        )
        assert happened["certificate.revoked"] == (should == "revoked")
        if card.origin != "portal":
            continue
        assert happened["certificate.reserved"] == happened["certificate.issued"] == 1
        assert row.held == (held and should == "issued")
        assert said(row) == ("REVOKED" if should == "revoked" else "" if held else "GOOD")


def require_orders(model: Model) -> None:
    """Each card is a piece of an order in the model's state, and each certificate that is in use was signed for."""
    for card in model.cards:
        item = OrderItem.objects.select_related("order").filter(carrier=card.pk).first()
        assert (item is None) == (card.order is None)
        if item is not None and card.order is not None:
            assert (item.state, item.order.state) == (card.item, card.order.state)
    signed = set(Receipt.objects.filter(carrier__in=[card.pk for card in model.cards]).values_list("carrier", flat=True))
    in_use = {card.pk for card in model.cards if card.state == "active" and card.kind in ("ordinary_card", "reserve_card")}
    assert in_use - {card.pk for card in model.cards if card.origin != "portal"} <= signed
    for card in model.cards:
        if card.replaced is not None and card.state == "active":
            assert not card.replaced.is_live, "old and new card are in use"
        assert card.kind != "reserve_card" or card.live_eids <= 1


def require_agreement(demo_pki: Any, model: Model) -> None:
    """Everything that was planned is done; then certificates, OCSP, rows and events agree."""
    demo_pki.settle()
    for card in model.cards:
        require_certificates(card)
    require_orders(model)
    checks = (verify_states(), verify_receipts(), verify_identifications(), verify_statuses(), verify_revocations())
    wrong = [line for check in checks for line in check.wrong]
    assert not wrong, wrong
    call_command("issuance_check_scope", verbosity=0)
    call_command("pki_reconcile", verbosity=0)


def require_an_end(model: Model) -> None:
    """Nothing that somebody has waits for ever."""
    rows = Carrier.objects.filter(pk__in=[card.pk for card in model.cards], person__isnull=False)
    waiting = rows.filter(state__in=["sent", "reserved", "activated_unsigned", "active"]).exclude(kind="mobile_eid")
    assert not waiting.exists(), [(row.kind, row.state) for row in waiting]
    assert not Eid.objects.filter(state="active", valid_to__lte=clock.now()).exists()
