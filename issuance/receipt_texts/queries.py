"""An organisation's additions to receipts (regionalt tillägg): the versions, and the text that applies."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from issuance.activation.services import receipt_content
from issuance.authz import Action, Actor, policy
from issuance.organisations.models import Organisation
from issuance.receipt_texts.models import ReceiptText
from issuance.records.queries.history import names_of
from siths_portal.lib.lists import Rows


@dataclass(frozen=True)
class TextVersion:
    """A version. `text` is empty if nothing is added, or if the text `from_above` applies. `applies`: it is the newest."""

    version: int
    at: dt.datetime
    who: str
    text: str
    from_above: bool
    applies: bool


@dataclass(frozen=True)
class ReceiptTexts:
    """The newest `version` (0 without one) with its text, and all versions.

    `own` means that the organisation's own text applies, which may be empty. `above` is the organisation whose text would
    otherwise apply, with `text_above`; both empty without one.
    """

    version: int
    own: bool
    regional_addition: str
    versions: Rows[ReceiptText, TextVersion]
    above: str
    text_above: str


def receipt_texts(*, actor: Actor, organisation_id: UUID) -> ReceiptTexts:
    """Returns the additions of an organisation whose configuration the actor sees. Raises NotFound, Forbidden."""
    organisations = Organisation.objects.select_related("parent")
    organisation = policy.get(actor, Action.VIEW_CONFIGURATION, organisations, organisation_id)
    newest = ReceiptText.objects.filter(organisation=organisation).order_by("-version").first()
    above = receipt_content.regional_addition(organisation.parent) if organisation.parent else None
    own = newest if newest is not None and not newest.from_above else None
    version = newest.version if newest else 0

    def lines(page: Sequence[ReceiptText]) -> list[TextVersion]:
        who = names_of(actor, {row.created_by_ref for row in page})
        return [
            TextVersion(
                row.version,
                row.created_at,
                who[row.created_by_ref],
                row.regional_addition,
                row.from_above,
                applies=row.version == version,
            )
            for row in page
        ]

    return ReceiptTexts(
        version=version,
        own=own is not None,
        regional_addition=own.regional_addition if own else "",
        versions=Rows(ReceiptText.objects.filter(organisation=organisation), lines),
        above=above.organisation.name if above is not None else "",
        text_above=above.regional_addition if above is not None else "",
    )
