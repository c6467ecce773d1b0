"""What suppliers learn of by reading: each change in the transaction of what it tells, in the feed of its supplier alone."""

import io
from hashlib import sha256
from typing import Any

import psycopg2
import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from PIL import Image

from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import CustomisationData, edit_customisation, verify_customisation
from issuance.orders.services import ordering
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.suppliers.domain import ChangeKind, Failed, Sent
from issuance.suppliers.models import SupplierChange
from issuance.suppliers.queries import changes_after
from issuance.suppliers.services import changes, supplier_intake
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid
from tests.issuance.authorities import card, open_puks
from tests.issuance.suppliers.test_supplier_intake import ME, OTHER, accepted, certify, produced, report, request
from tests.issuance.world import LOGOTYPE, SETUP

pytestmark = pytest.mark.usefixtures("authorities")


def told(client_ref: str = ME, after: int = 0) -> list[tuple[Any, ...]]:
    """The supplier's changes: kind, order or customisation, item, reason."""
    rows = changes_after(client_ref=client_ref, number=after, limit=100)
    return [(row.kind, row.order_id or row.customisation_id, row.item, row.reason) for row in rows]


def of_orders(client_ref: str = ME) -> list[tuple[Any, ...]]:
    """The supplier's changes of orders. Those of customisations begin with the world's own."""
    return [one for one in told(client_ref) if one[0] != ChangeKind.CUSTOMISATION_CHANGED]


def edited(row: CardCustomisation, **changed: str) -> None:
    data = {"name": row.name, "issuer_number": row.issuer_number, "back_text": row.back_text, "supplier_ref": row.supplier_ref}
    row.refresh_from_db()
    edit_customisation(actor=SETUP, customisation_id=row.pk, version=row.version, data=CustomisationData(**data | changed))


class TestOrders:
    """Withdrawn orders, revoked cards, refused PUKs."""

    def test_a_withdrawn_order_is_told_once_to_its_supplier(self, world: Any) -> None:
        order = world.order()
        for _ in range(2):
            ordering.cancel_order(actor=world.officer(), order_id=order.id)
        assert of_orders() == [("cancelled", order.id, None, "withdrawn")]
        assert of_orders(OTHER) == []

    def test_a_queued_order_whose_card_is_revoked_is_cancelled_and_not_revoked(self, world: Any) -> None:
        order = world.order()
        revocation.revoke_carrier(actor=world.officer(), carrier_id=order.carrier_id, reason=RevocationReason.DECEASED)
        assert of_orders() == [("cancelled", order.id, None, "card-revoked")]

    def test_a_card_that_is_revoked_in_production_is_told_without_its_reason(self, world: Any) -> None:
        order = accepted(world)
        certify(order)
        revocation.revoke_carrier(actor=world.officer(), carrier_id=order.carrier_id, reason=RevocationReason.DECEASED)
        assert of_orders() == [("revoked", order.id, 1, "card-revoked")]

    def test_an_eid_that_is_revoked_in_production_is_told(self, world: Any) -> None:
        order = accepted(world)
        revocation.revoke_eid(actor=world.officer(), eid_id=order.eid_id, reason=RevocationReason.ASSIGNMENT_ENDED)
        assert of_orders() == [("revoked", order.id, 1, "eid-revoked")]

    def test_what_the_supplier_reported_itself_and_cards_in_use_are_not_told(self, world: Any) -> None:
        spoilt = accepted(world)
        request(spoilt)
        report(spoilt, Failed("spoilt"))
        sent = accepted(world)
        certify(sent, card(2))
        report(sent, produced(sent, card(2).serial))
        open_puks()
        report(sent, Sent(clock.today()))
        revocation.revoke_carrier(actor=world.officer(), carrier_id=sent.carrier_id, reason=RevocationReason.REPLACED)
        assert of_orders() == []

    def test_a_refused_puk_is_told_with_its_refusal(self, world: Any) -> None:
        order = accepted(world)
        certify(order)
        report(order, produced(order))
        open_puks("header-mismatch")
        assert of_orders() == [("puk_refused", order.id, 1, "header-mismatch")]

    def test_a_change_that_is_rolled_back_is_not_told(self, world: Any) -> None:
        order = world.order()
        with transaction.atomic():
            changes.record_withdrawal([order], False)
            transaction.set_rollback(True)
        assert of_orders() == []


class TestCustomisations:
    """What is printed, who prints it, and whether it is verified."""

    def test_print_verification_and_names(self, world: Any) -> None:
        row = CardCustomisation.objects.get(customisation_id="7837803902")
        before = SupplierChange.objects.order_by("pk").last()
        after = before.pk if before else 0
        edited(row, name="Ett annat namn")
        edited(row, name="Ett annat namn", back_text="Ny text")
        verify_customisation(actor=SETUP, customisation_id=row.pk)
        verify_customisation(actor=SETUP, customisation_id=row.pk)
        kind = ChangeKind.CUSTOMISATION_CHANGED
        assert told(after=after) == [(kind, row.pk, None, "print-changed"), (kind, row.pk, None, "verified")]

    def test_a_move_is_told_to_both_suppliers_and_to_those_with_orders(self, world: Any) -> None:
        row = CardCustomisation.objects.get(customisation_id="7837803902")
        world.order()
        edited(row, supplier_ref=OTHER)
        row.refresh_from_db()
        edited(row, supplier_ref="third")
        reasons = {ref: [one[3] for one in told(ref) if one[1] == row.pk] for ref in (ME, OTHER, "third")}
        assert [reasons[ME][-2:], reasons[OTHER], reasons["third"]] == [
            ["moved-away", "unverified"], ["moved-here", "moved-away"], ["moved-here"],
        ]  # fmt: skip

    def test_a_new_logotype_is_told_and_the_same_is_not(self, world: Any) -> None:
        row = CardCustomisation.objects.get(customisation_id="7837803902")
        before = len(told())
        other = io.BytesIO()
        Image.new("RGB", (2, 2)).save(other, "PNG")
        for content in (LOGOTYPE, other.getvalue()):
            supplier_intake.put_logotype(
                client_ref=ME, customisation_id=row.customisation_id, png=content, sha256=sha256(content).hexdigest(),
                check=lambda _row: None,
            )  # fmt: skip
        assert told()[before:] == [("customisation_changed", row.pk, None, "print-changed")]


class TestFeed:
    """Reading on."""

    def test_pages_follow_each_other_and_leave_others_changes_out(self, world: Any) -> None:
        orders = [world.order() for _ in range(3)]
        known = told()
        for order in orders:
            ordering.cancel_order(actor=world.officer(), order_id=order.id)
        CardCustomisation.objects.update(supplier_ref=OTHER)
        ordering.cancel_order(actor=world.officer(), order_id=world.order().id)
        seen, number = [], 0
        while page := changes_after(client_ref=ME, number=number, limit=2):
            seen += [row.order_id for row in page if row.order_id]
            number = page[-1].pk
        assert seen == [order.id for order in orders]
        assert len(told()) == len(known) + 3

    @pytest.mark.parametrize("whose", ["nobody's", "another's"])
    def test_a_number_that_is_not_ones_own_is_refused(self, world: Any, whose: str) -> None:
        ordering.cancel_order(actor=world.officer(), order_id=world.order().id)
        last = SupplierChange.objects.order_by("pk").last()
        assert last is not None
        number = last.pk + (1000 if whose == "nobody's" else 0)
        with pytest.raises(Invalid) as refused:
            changes_after(client_ref=OTHER, number=number, limit=1)
        assert (refused.value.code, list(refused.value.fields)) == ("change-unknown", ["after"])

    def test_a_change_that_commits_late_is_not_skipped(self, world: Any) -> None:
        late, early = world.order(), world.order()
        known = len(told())
        settings = connection.settings_dict
        other = psycopg2.connect(dbname=settings["NAME"], user=settings["USER"], host=settings["OPTIONS"]["host"])
        with other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO issuance_supplierchange (supplier_ref, kind, order_id, reason, occurred_at)"
                " VALUES (%s, 'cancelled', %s, 'withdrawn', now())",
                [ME, str(late.id)],
            )
            ordering.cancel_order(actor=world.officer(), order_id=early.id)
            assert len(told()) == known
            other.commit()
        other.close()
        assert [one[1] for one in told()[known:]] == [late.id, early.id]

    def test_nobody_changes_or_removes_a_change(self, world: Any) -> None:
        ordering.cancel_order(actor=world.officer(), order_id=world.order().id)
        for statement in ("UPDATE issuance_supplierchange SET reason = 'x'", "DELETE FROM issuance_supplierchange"):
            with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)

    def test_a_change_is_of_an_order_or_of_a_customisation(self, world: Any) -> None:
        row = CardCustomisation.objects.get(customisation_id="7837803902")
        both = changes.Subject(ME, "withdrawn", order_id=world.order().id, customisation_id=row.pk)
        for subject in (both, changes.Subject(ME, "withdrawn"), changes.Subject(ME, "x", item=1, customisation_id=row.pk)):
            with pytest.raises(IntegrityError), transaction.atomic():
                changes.record_change(ChangeKind.CANCELLED, [subject])
