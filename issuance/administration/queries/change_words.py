"""Changes of configuration in Swedish: the labels of fields and the display form of their values."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import CharField, QuerySet, Value
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from authn import service as authn
from issuance.articles.queries import articles
from issuance.authz import Action, Actor
from issuance.customisations.queries import customisation_names
from issuance.offices.models import Office
from issuance.organisations.models import IssuingArea, Organisation
from issuance.records.domain import wording
from siths_portal.lib import clock

FIELDS: Mapping[str, str] = {
    "name": _("Namn"),
    "invoice_reference": _("Fakturareferens"),
    "issuing_organisation_id": _("Utgivande organisation"),
    "issuing": _("Utgivande organisation"),
    "hsa_id": _("HSA-id"),
    "organisation_number": _("Organisationsnummer"),
    "country": _("Land"),
    "county": _("Län"),
    "parent_id": _("Tillhör organisation"),
    "area_id": _("Utgivningsområde"),
    "customisation_id": _("Kortanpassning"),
    "pending_customisation_id": _("Kortanpassning som väntar på verifiering"),
    "customisation": _("Kortanpassning"),
    "customisation_number": _("Kortanpassnings-id"),
    "charged": _("Abonnemangsavgift"),
    "valid_from": _("Gäller från"),
    "organisation": _("Organisation"),
    "office": _("Kontor"),
    "article": _("Artikel"),
    "orderable": _("Beställningsbar"),
    "invoice_comment": _("Fakturakommentar"),
    "recipient_organisation": _("Mottagande organisation"),
    "internal_recipient": _("Intern mottagare"),
    "street_address": _("Gatuadress"),
    "postal_code": _("Postnummer"),
    "city": _("Postort"),
    "issuer_number": _("Utfärdarnummer"),
    "back_text": _("Baksidestext"),
    "logotype_note": _("Önskad logotyp"),
    "wish_ended_at": _("Önskemålet avslutat"),
    "supplier_ref": _("Kortleverantör"),
    "regional_addition": _("Regionalt tillägg"),
    "receipt_text_version": _("Version"),
    "number": _("Artikelnummer"),
    "kind": _("Slag"),
    "orientation": _("Utförande"),
    "photo": _("Foto"),
    "registered_mail": _("REK"),
    "assurance_level": _("Tillitsnivå"),
    "generation": _("Produktgeneration"),
    "valid_to": _("Gäller till"),
    "verified_at": _("Verifierad"),
    "closed_at": _("Avslutad"),
    "reason": _("Skäl"),
    "protected_persons": _("Sekretess"),
    "catalogue": _("Katalogen"),
    "stock_quantity": _("Antal kort"),
    "stock_expected": _("Kort i lager före räkningen"),
    "stock_found": _("Räknade kort"),
    "stock_missing": _("Kort som saknas"),
    "stock_returned": _("Kort som saknades och finns igen"),
    "stock_level": _("Gräns för lågt lager"),
}
"""Labels of fields and facts. Pages do not show a field without a label; the event keeps it."""

_ORGANISATION, _AREA, _OFFICE, _CUSTOMISATION, _SUPPLIER = "organisation", "area", "office", "customisation", "supplier"
_REFERENCES: Mapping[str, str] = {
    "issuing_organisation_id": _ORGANISATION,
    "parent_id": _ORGANISATION,
    "organisation": _ORGANISATION,
    "area_id": _AREA,
    "office": _OFFICE,
    "customisation_id": _CUSTOMISATION,
    "pending_customisation_id": _CUSTOMISATION,
    "customisation": _CUSTOMISATION,
}
_SEEN: Mapping[str, Callable[[Actor], QuerySet[Any]]] = {
    _ORGANISATION: lambda actor: Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION),
    _AREA: lambda actor: IssuingArea.objects.visible_to(actor, Action.VIEW_CONFIGURATION),
    _OFFICE: lambda actor: Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION),
    _CUSTOMISATION: customisation_names.named_to,
}

_CATALOGUE: Mapping[str, str] = {
    "agrees": _("stämmer"),
    "differs": _("säger något annat, sparades ändå"),
    "unknown": _("har inte HSA-id, sparades ändå"),
    "silent": _("svarade inte, okontrollerat"),
}
_CODES: Mapping[str, Mapping[str, str]] = {
    "kind": articles.KINDS,
    "orientation": articles.ORIENTATIONS,
    "catalogue": _CATALOGUE,
}

type Names = Mapping[tuple[str, str], str]
"""The names of rows that events refer to, by kind and id."""


def label(field: str) -> str:
    """Returns a field's label, or an empty string if pages do not show the field."""
    return gettext(FIELDS[field]) if field in FIELDS else ""


def kind(subject_type: str) -> str:
    """Returns the label of a subject type of events."""
    return label("area_id" if subject_type == _AREA else subject_type)


def names_in(actor: Actor, values: Iterable[tuple[str, Any]], things: Iterable[tuple[str, str]] = ()) -> Names:
    """Returns the names of the rows that `values` refer to, and of `things`, given as kind and id, if `actor` may see them.
    Runs one query, and one more for suppliers.
    """
    ids_by_kind: dict[str, set[str]] = {}
    for kind, ref in things:
        ids_by_kind.setdefault(kind, set()).add(ref)
    for field, value in values:
        if field in _REFERENCES and _is_id(value):
            ids_by_kind.setdefault(_REFERENCES[field], set()).add(str(value))
        elif field == "supplier_ref" and value:
            ids_by_kind.setdefault(_SUPPLIER, set()).add(str(value))
    suppliers = ids_by_kind.pop(_SUPPLIER, None)
    found = {(_SUPPLIER, ref): name for ref, name in authn.client_names(suppliers).items()} if suppliers else {}
    querysets = [
        _SEEN[kind](actor).filter(pk__in=ids).values_list(Value(kind, CharField()), "pk", "name")
        for kind, ids in sorted(ids_by_kind.items())
    ]
    rows = querysets[0].union(*querysets[1:], all=True) if querysets else ()
    return found | {(kind, str(pk)): name for kind, pk, name in rows}


def value(field: str, given: Any, names: Names) -> str:
    """Returns a field's value for display. An empty value is "–", or a phrase if an inherited value applies instead."""
    if field == "supplier_ref":
        return names.get((_SUPPLIER, str(given)), str(given)) if given else gettext("Ingen")
    if given is None or given == "":
        return gettext("ingen egen") if field == "customisation_id" else "–"
    if isinstance(given, bool):
        return gettext("Ja") if given else gettext("Nej")
    if field in _REFERENCES and _is_id(given):
        return names.get((_REFERENCES[field], str(given)), gettext("utanför din behörighet"))
    if field == "organisation_number":
        return organisation_number(str(given))
    if field in ("valid_from", "valid_to", "verified_at", "closed_at", "wish_ended_at"):
        return _moment(str(given))
    if field in _CODES:
        return wording.label(_CODES[field], str(given))
    return str(given)


def organisation_number(number: str) -> str:
    """Formats an organisation number with a hyphen before the last four digits."""
    return f"{number[:6]}-{number[6:]}"


def _is_id(given: Any) -> bool:
    try:
        UUID(str(given))
    except ValueError:
        return False
    return True


def _moment(text: str) -> str:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.astimezone(clock.STOCKHOLM) if moment.tzinfo else moment:%Y-%m-%d}"
