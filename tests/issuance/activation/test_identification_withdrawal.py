"""An identification that was recorded by mistake is withdrawn, and stays in the history as withdrawn (docs/adr/0091)."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from issuance.activation.models import EidAppTransaction, Identification, IdentificationWithdrawal
from issuance.activation.services import activation, identifications
from issuance.authz import Role
from issuance.records.models.events import Event
from issuance.records.queries import history
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.activated import App, Made, sent_card
from tests.issuance.histories import entries_of

pytestmark = pytest.mark.usefixtures("demo_pki")
REASON = "Fel kort skannades vid disken."


def identified(world: Any, officer: Any) -> tuple[Made, activation.Opened]:
    made = sent_card(world)
    return made, activation.identify(actor=officer, carrier_id=made.carrier.pk, identity_document="passport")


def test_it_ends_the_open_transaction_and_is_recorded(world: Any) -> None:
    officer = world.officer()
    made, opened = identified(world, officer)
    pk = opened.transaction.identification_id
    identifications.withdraw(actor=officer, identification_id=pk, reason=f"  {REASON} ")
    assert EidAppTransaction.objects.get().state == "cancelled"
    assert IdentificationWithdrawal.objects.get().reason == REASON
    event = Event.objects.get(action="holder.identification_withdrawn")
    assert (event.actor_ref, event.subject_ref) == (officer.ref, str(pk))
    assert event.facts["justification"] == REASON
    with pytest.raises(Conflict, match="identification-withdrawn"):
        activation.reopen(actor=officer, transaction_id=opened.transaction.pk)
    identifications.withdraw(actor=officer, identification_id=pk, reason="En gång till.")
    assert Event.objects.filter(action="holder.identification_withdrawn").count() == 1, "a repetition changes nothing"
    entries = entries_of(history.carrier_history(actor=officer, carrier_id=made.carrier.pk))
    assert [entry.what for entry in entries if entry.is_withdrawn] == ["Innehavaren identifierades vid besök"]
    assert not any(entry.withdraws for entry in entries)
    activation.identify(actor=officer, carrier_id=made.carrier.pk, identity_document="passport")
    assert Identification.objects.count() == 2, "a new identification opens the card again"
    entries = entries_of(history.carrier_history(actor=officer, carrier_id=made.carrier.pk))
    assert sum(entry.withdraws is not None for entry in entries) == 1


def test_its_officer_and_a_responsible_issuer_may(world: Any) -> None:
    _made, opened = identified(world, world.officer())
    pk = opened.transaction.identification_id
    colleague = world.officer(world.region, Role.ID_ADMINISTRATOR, protected=True)
    with pytest.raises(Forbidden, match="other-clerk"):
        identifications.withdraw(actor=colleague, identification_id=pk, reason=REASON)
    with pytest.raises(Forbidden):
        identifications.withdraw(actor=world.officer(world.region, Role.REVOKER), identification_id=pk, reason=REASON)
    with pytest.raises(NotFound):
        identifications.withdraw(actor=world.officer(world.stranger), identification_id=pk, reason=REASON)
    assert not IdentificationWithdrawal.objects.exists()
    identifications.withdraw(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), identification_id=pk, reason=REASON)
    assert IdentificationWithdrawal.objects.count() == 1


@pytest.mark.parametrize("reason", ["", "    ", "nej", "x" * 301])
def test_a_reason_is_demanded(world: Any, reason: str) -> None:
    officer = world.officer()
    _made, opened = identified(world, officer)
    with pytest.raises(Invalid) as error:
        identifications.withdraw(actor=officer, identification_id=opened.transaction.identification_id, reason=reason)
    assert set(error.value.fields) == {"reason"}
    assert EidAppTransaction.objects.get().state == "created"


def test_not_when_a_code_is_chosen(world: Any) -> None:
    officer = world.officer()
    made, opened = identified(world, officer)
    app = App(made)
    app.start(opened)
    app.set_code()
    with pytest.raises(Conflict, match="code-set"):
        identifications.withdraw(actor=officer, identification_id=opened.transaction.identification_id, reason=REASON)
    assert identifications.withdrawable_of(officer, [opened.transaction.identification_id]) == set()


def test_a_withdrawal_is_never_changed(world: Any) -> None:
    officer = world.officer()
    _made, opened = identified(world, officer)
    identifications.withdraw(actor=officer, identification_id=opened.transaction.identification_id, reason=REASON)
    for change in (lambda rows: rows.update(reason="annat"), lambda rows: rows.delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change(IdentificationWithdrawal.objects.all())
