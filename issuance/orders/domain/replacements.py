"""Reasons for replacing a card, and when the card is revoked (rules/issuance 3.14)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_noop as _

from issuance.carriers.domain.carrier_states import CarrierState


class ReplacementReason(StrEnum):
    """Why a card is replaced by a new one."""

    LOST = "lost"
    DAMAGED = "damaged"
    CHANGED_DETAILS = "changed_details"


@dataclass(frozen=True)
class ReplacementRule:
    """What a reason means. `label` and `hint` are its texts on pages. `at_once` means that somebody else may have the card, so
    that it is revoked before the new one is ordered.
    """

    label: str
    hint: str
    at_once: bool


RULES: Mapping[ReplacementReason, ReplacementRule] = {
    ReplacementReason.LOST: ReplacementRule(
        _("Förlorat eller stulet"), _("Också ett kort som inte har kommit fram"), at_once=True
    ),
    ReplacementReason.DAMAGED: ReplacementRule(_("Skadat eller ur funktion"), _("Innehavaren har kortet"), at_once=False),
    ReplacementReason.CHANGED_DETAILS: ReplacementRule(
        _("Namnbyte eller andra ändrade uppgifter"), _("Innehavaren har kortet"), at_once=False
    ),
}

REASONS: Mapping[str, str] = {reason.value: rule.label for reason, rule in RULES.items()}
"""The label of each reason, by its code."""


def revoked_first(reason: str, carrier_state: str) -> bool:
    """Returns whether a card in this state is revoked before its replacement is ordered, or else when the new card is activated.

    A card in use stays in use in the meantime unless somebody else may have it. A card that waits for its activation is of no
    use to its holder.
    """
    return RULES[ReplacementReason(reason)].at_once or carrier_state != CarrierState.ACTIVE
