"""Function tests of a holder's own certificates (rules/issuance 10.7).

The holder signs, in the eID app and with the key of one certificate, a text that says that it is a test. The portal verifies the
signature with that certificate, so the answer covers the card, its code, the key and the certificate.
"""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction as database
from django.utils.translation import gettext as _

from issuance.activation.domain.transaction_states import OPEN, TransactionState
from issuance.activation.models import EidAppTransaction, Statement
from issuance.activation.services import statements, transactions
from issuance.activation.services.visits import Opened
from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier
from issuance.minasidor.queries.own_certificates import own_certificate
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, TooManyRequests

PURPOSE = "own_test"
"""The purpose of the holder's statement. Its subject is the card."""

SCHEMA = "siths-test/1"
MOST_AN_HOUR = 20
"""How many tests of a card the holder may begin in an hour."""

_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Progress:
    """A test that the holder began: its transaction in the eID app, its state now, and what is tested."""

    transaction: EidAppTransaction
    state: TransactionState
    use: str
    owner: str

    @property
    def is_open(self) -> bool:
        """True while the transaction can still continue."""
        return self.state in OPEN

    @property
    def last(self) -> str:
        """The last digits of the card's number."""
        return self.transaction.carrier.card_serial[-4:]


@database.atomic(durable=True)
def ask(*, actor: Actor, certificate_id: UUID) -> Opened:
    """Opens the transaction in which the holder signs with the key of the certificate.

    Raises NotFound, Conflict (a card that the app cannot test, an errand under way), TooManyRequests.
    """
    carrier, certificate = own_certificate(actor, certificate_id)
    if not carrier.in_app:
        raise Conflict("not-in-app", _("Kortet kan inte testas i appen. Testa det genom att logga in med det."))
    rows = Carrier.objects.select_for_update(of=("self",), no_key=True)
    card = policy.get(actor, Action.VIEW, rows, carrier.id)
    begun = Statement.objects.filter(purpose=PURPOSE, subject_ref=card.pk, transaction__created_at__gt=clock.now() - _HOUR)
    if begun.count() >= MOST_AN_HOUR:
        message = _("Du har testat kortet många gånger. Vänta en timme och försök igen.")
        raise TooManyRequests("tests-too-often", message, retry_after=int(_HOUR.total_seconds()))
    content = {
        "schema": SCHEMA,
        "carrier": str(card.pk),
        "certificate": str(certificate.id),
        "use": certificate.use,
        "owner": certificate.owner,
        "at": clock.now().astimezone(dt.UTC).isoformat(timespec="seconds"),
    }
    text = _("Det här är ett test av {use}, {owner}. Du skriver inte under något.")
    summary = text.format(use=certificate.use.lower(), owner=certificate.owner)
    own = settings.MINASIDOR_BASE_URL
    return statements.open_for(actor, PURPOSE, card.pk, content, summary, card=card, origin=own)


def seen(*, actor: Actor, transaction_id: UUID) -> Progress:
    """Returns a test that the holder began. Raises NotFound for anything else."""
    statement = statements.seen(actor, transaction_id, PURPOSE)
    row = statement.transaction
    return Progress(row, transactions.state_now(row), str(statement.content["use"]), str(statement.content["owner"]))


def certificate(statement: Statement) -> UUID:
    """Returns the id in `pki` of the certificate that the statement tests."""
    return UUID(str(statement.content["certificate"]))


def require_signer(statement: Statement) -> None:
    """Raises Conflict unless the card's certificate is still in force."""
    statements.signing_certificate(Carrier.objects.get(pk=statement.subject_ref), certificate(statement))


def signed(statement: Statement) -> None:
    """Does nothing more: the verified signature is the answer."""
