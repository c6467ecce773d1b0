"""Rules of issuing that need no database: age, level, delivery, validity (rules/issuance 3.2, 3.4, 3.5)."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from issuance.records.domain.ids import PersonId, PersonIdKind

LOA2 = 2
LOA3 = 3


class Obstacle(StrEnum):
    """A reason why a card cannot be ordered for a person. Each value is an error code."""

    NOT_PERSONNUMMER = "person-id-not-for-loa3"
    TOO_YOUNG = "person-too-young"
    DECEASED = "person-deceased"
    NO_ADDRESS = "no-registered-address"


class DeliveryMethod(StrEnum):
    """The delivery of a card to its holder: by letter or registered mail to the registered address, or through the tax agency."""

    LETTER = "letter"
    REGISTERED_MAIL = "registered_mail"
    TAX_AGENCY_FORWARDING = "tax_agency_forwarding"


@dataclass(frozen=True)
class AgeLimits:
    """The completed years that a holder must have, by assurance level."""

    loa3: int = 18
    loa2: int = 15

    def for_level(self, assurance_level: int) -> int:
        """Returns the limit for `assurance_level`."""
        return self.loa3 if assurance_level >= LOA3 else self.loa2


def obstacles(
    person_id: PersonId,
    *,
    assurance_level: int,
    deceased: bool,
    is_protected: bool,
    has_address: bool,
    is_sent: bool,
    today: dt.date,
    limits: AgeLimits,
) -> list[Obstacle]:
    """Returns all obstacles to a card of `assurance_level` for a person, in the order in which pages list them. Level 3 needs a
    personnummer, because only people who have one have a full Swedish identity document, and a registered address. Level 2 needs
    an address only if the card `is_sent`. A protected person needs none.
    """
    found = []
    if deceased:
        found.append(Obstacle.DECEASED)
    if assurance_level >= LOA3 and person_id.kind is not PersonIdKind.PERSONNUMMER:
        found.append(Obstacle.NOT_PERSONNUMMER)
    age = person_id.age_on(today)
    if age is not None and age < limits.for_level(assurance_level):
        found.append(Obstacle.TOO_YOUNG)
    if not (has_address or is_protected) and (is_sent or assurance_level >= LOA3):
        found.append(Obstacle.NO_ADDRESS)
    return found


def delivery_method(*, is_protected: bool, registered_mail: bool) -> DeliveryMethod:
    """Returns the delivery method. A protected person's card always goes through the tax agency, for both kinds of protection."""
    if is_protected:
        return DeliveryMethod.TAX_AGENCY_FORWARDING
    return DeliveryMethod.REGISTERED_MAIL if registered_mail else DeliveryMethod.LETTER


def years_after(moment: dt.datetime, years: int) -> dt.datetime:
    """Returns the same calendar moment `years` later; 29 February becomes 28 February in common years."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, day=28)


def eid_valid_to(
    *, issued_at: dt.datetime, policy_years: int, card_valid_to: dt.datetime, post_ends_at: dt.datetime | None
) -> dt.datetime:
    """Returns the end of an eID: after the policy's years, but not after the card or the assignment ends (rules/issuance 3.5)."""
    ends = [years_after(issued_at, policy_years), card_valid_to]
    if post_ends_at is not None:
        ends.append(post_ends_at)
    return min(ends)
