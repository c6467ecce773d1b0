"""The part of an order's page about the card that the new one replaces (rules/issuance 3.14)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from issuance.carriers.domain import carrier_states
from issuance.carriers.models import Carrier
from issuance.orders.domain.replacements import RULES, revoked_first
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import replacement_checks
from issuance.orders.web.choices import with_keys
from issuance.orders.web.forms import OrderForm
from issuance.revocation.domain import NAMED_REQUESTERS, RequestChannel, Requester
from issuance.revocation.services.replacing import Origin

_ORIGIN = {"requester": Requester.HOLDER.value, "channel": RequestChannel.VISIT.value}
"""The answers about the request that the page proposes: the holder stands before the clerk."""


@dataclass(frozen=True)
class ReplacedCard:
    """The card that the new one replaces. `last` are the last four digits of its serial number. `reason` is the chosen one or
    empty, `reasons` the options. `is_revoked` means that it has ended already; `revokes_first` that the order revokes it.
    """

    carrier: Carrier
    last: str
    reason: str
    is_revoked: bool
    revokes_first: bool
    reasons: list[dict[str, Any]] = field(default_factory=list)
    requesters: list[dict[str, Any]] = field(default_factory=list)
    channels: list[dict[str, Any]] = field(default_factory=list)

    @property
    def consequence(self) -> str:
        """Returns what happens to the card, or an empty text while no reason is chosen."""
        if self.is_revoked:
            return _("Kortet som slutar på %(last)s är redan spärrat.") % {"last": self.last}
        if not self.reason:
            return ""
        if self.revokes_first:
            text = _("Kortet som slutar på %(last)s spärras när du beställer. Spärren kan inte hävas.")
        else:
            text = _("Kortet som slutar på %(last)s fungerar tills det nya är aktiverat. Då spärras det automatiskt.")
        return text % {"last": self.last}


def replaced_card(draft: OrderDraft, form: OrderForm, sent: Mapping[str, Any] | None) -> ReplacedCard | None:
    """Returns the card that the draft replaces, with what is chosen: what was sent, else the draft's answer. None if the draft
    replaces no card.
    """
    carrier = draft.replaced_carrier
    if carrier is None:
        return None
    values = sent or {}
    reason = values.get("replacement_reason", "")
    reason = reason if reason in RULES else draft.replacement_reason
    is_revoked = carrier.state in carrier_states.INVALID
    return ReplacedCard(
        carrier=carrier,
        last=carrier.card_serial[-4:],
        reason=reason,
        is_revoked=is_revoked,
        revokes_first=bool(reason) and not is_revoked and revoked_first(reason, carrier.state),
        reasons=with_keys(
            [
                {"value": code.value, "label": _(rule.label), "hint": _(rule.hint), "checked": code == reason, "disabled": False}
                for code, rule in RULES.items()
            ]
        ),
        requesters=_options(form, values, "requester"),
        channels=_options(form, values, "channel"),
    )


def _options(form: OrderForm, values: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    choices: list[tuple[str, str]] = form.fields[name].choices  # type: ignore[attr-defined]
    chosen = values.get(name) or _ORIGIN[name]
    return [{"value": value, "label": label, "checked": value == chosen, "disabled": False} for value, label in choices]


def add_errors(draft: OrderDraft, form: OrderForm) -> None:
    """Adds the errors of missing answers about the replaced card: the reason, and the digits that confirm its revocation."""
    carrier = draft.replaced_carrier
    if carrier is None:
        return
    if not draft.replacement_reason and "replacement_reason" not in form.errors:
        form.add_error("replacement_reason", _("Välj varför kortet ska ersättas."))
    typed = "".join(form.cleaned_data.get("confirm", "").split())
    if replacement_checks.to_revoke_first(draft) and typed != carrier.card_serial[-4:]:
        text = _("Skriv de 4 sista siffrorna på kortet som slutar på %(last)s. Det spärras när du beställer.")
        form.add_error("confirm", text % {"last": carrier.card_serial[-4:]})


def origin(form: OrderForm) -> Origin:
    """Returns the origin of the request for the revocation, as the page sent it."""
    given = form.cleaned_data
    requester = given.get("requester", "")
    named = given.get("requester_name", "") if requester in NAMED_REQUESTERS else ""
    return Origin(requester=requester, requester_name=named, channel=given.get("channel", ""))
