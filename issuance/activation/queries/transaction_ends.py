"""Swedish reasons why an activation failed, from the reason in the transaction's event. Its state does not show the reason."""

from django.utils.translation import gettext_lazy

from issuance.activation.domain.transaction_states import TransactionState
from issuance.activation.models import EidAppTransaction
from issuance.records.models.events import Event

_FAILURES = {
    "carrier-revoked": gettext_lazy("Kortet spärrades under aktiveringen."),
    "eid-revoked": gettext_lazy("Ett SITHS eID på kortet spärrades under aktiveringen."),
    "revocation-waits": gettext_lazy("En spärr begärdes under aktiveringen."),
    "document-suspected": gettext_lazy("En misstanke om falsk id-handling rapporterades under ärendet."),
    "role-ended": gettext_lazy("ID-administratören som identifierade innehavaren har inte längre behörighet."),
    "signature-invalid": gettext_lazy("Underskriften blev fel för många gånger. Kontrollera att innehavaren har rätt kort."),
    "token-unavailable": gettext_lazy("Kortets upplåsningskod (PUK) kunde inte hämtas. Försök igen om en stund."),
    "seal-key-lost": gettext_lazy("Kortet kan inte låsas upp nu. Spärra inte kortet. Kontakta supporten."),
}
_PROOF = gettext_lazy("Kortet kunde inte visa att det är rätt kort. Kontrollera att innehavaren har rätt kort.")
_OTHER = gettext_lazy("Aktiveringen gick inte att slutföra. Öppna appen igen.")


def failure(reason: str) -> str:
    """Returns the reason of a failed transaction as a sentence, or an empty string for a reason without one."""
    if reason.startswith("proof-"):
        return str(_PROOF)
    return str(_FAILURES.get(reason, ""))


def why_failed(transaction: EidAppTransaction) -> str:
    """Returns why the transaction failed, or an empty string if it did not."""
    if transaction.state != TransactionState.FAILED:
        return ""
    events = Event.objects.filter(
        subject_type="transaction", subject_ref=str(transaction.pk), action="transaction.failed"
    ).values_list("facts", flat=True)
    facts = events.first() or {}
    return failure(str(facts.get("reason", ""))) or str(_OTHER)
