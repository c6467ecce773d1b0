"""Regionalt tillägg of an organisation: its versions, and which text holds."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from issuance.activation.services import receipt_content
from issuance.authz import Action, Actor, policy
from issuance.organisations.models import Organisation
from issuance.receipt_texts.models import ReceiptText
from issuance.records.queries.history import names_of

PAGE = 20


@dataclass(frozen=True)
class TextVersion:
    """A version: when, by whom, and the text; empty where nothing is added, or where that `from_above` holds."""

    version: int
    at: dt.datetime
    who: str
    text: str
    from_above: bool


@dataclass(frozen=True)
class ReceiptTexts:
    """The newest `version` (0: none) with its text, a page of versions, newest first, and where the next goes on.

    `own`: that text holds, which may be empty. `above` is the organisation whose text holds without it, with `text_above`; empty
    where there is none.
    """

    version: int
    own: bool
    regional_addition: str
    versions: tuple[TextVersion, ...]
    before: int | None
    above: str
    text_above: str


def receipt_texts(*, actor: Actor, organisation_id: UUID, before: int | None = None) -> ReceiptTexts:
    """The additions of an organisation whose configuration the actor sees. Raises NotFound, Forbidden."""
    organisations = Organisation.objects.select_related("parent")
    organisation = policy.get(actor, Action.VIEW_CONFIGURATION, organisations, organisation_id)
    newest = ReceiptText.objects.filter(organisation=organisation).order_by("-version").first()
    above = receipt_content.regional_addition(organisation.parent) if organisation.parent else None
    own = newest if newest is not None and not newest.from_above else None
    rows = ReceiptText.objects.filter(organisation=organisation)
    if before is not None:
        rows = rows.filter(version__lt=before)
    found = list(rows.order_by("-version")[: PAGE + 1])
    shown = found[:PAGE]
    who = names_of(actor, {row.created_by_ref for row in shown})
    return ReceiptTexts(
        version=newest.version if newest else 0,
        own=own is not None,
        regional_addition=own.regional_addition if own else "",
        versions=tuple(
            TextVersion(row.version, row.created_at, who[row.created_by_ref], row.regional_addition, row.from_above)
            for row in shown
        ),
        before=shown[-1].version if len(found) > PAGE else None,
        above=above.organisation.name if above is not None else "",
        text_above=above.regional_addition if above is not None else "",
    )
