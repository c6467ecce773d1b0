"""Certificate policies as dated data (rules/pki 2.3).

CA, kind of subject and day select the row whose OID a certificate gets; the row's level only describes it. rules/pki 2.3 shows
the table, how issuance chooses the CA, and how to change a policy: a row that was used may only get an end. A profile holds its
rows, so its hash covers them.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from siths_portal.lib.clock import STOCKHOLM

HSA_ID = "hsa-id"
PERSONNUMMER = "personnummer"
SAMORDNINGSNUMMER = "samordningsnummer"
CARD = "card"
FUNCTION = "function"
SEAL = "seal"
TIME_STAMP = "time-stamp"
LETTER_RECIPIENT = "letter-recipient"

# A profile with this kind has one policy for each of the two kinds of numbers, read from serialNumber.
PERSON_NUMBER = "person-number"
# Kinds of profiles that make a person's eID.
PERSONS = frozenset({HSA_ID, PERSON_NUMBER})


class PolicyEnded(LookupError):
    """No policy is valid on that day for that CA and kind of subject: it has not begun, or its OID was retired."""


@dataclass(frozen=True)
class Policy:
    """`suffix` under the arc means that CA `issuer` certifies subjects of `kind` at assurance level `level`.

    `level` is empty for subjects other than persons. Days are ISO dates in Stockholm: from `valid_from`, before `valid_to`; an
    empty `valid_to` means no end.
    """

    suffix: str
    issuer: str
    kind: str
    level: str
    valid_from: str
    valid_to: str = ""

    def holds(self, at: dt.datetime) -> bool:
        """Whether this row is valid for certificates issued at the moment."""
        day = at.astimezone(STOCKHOLM).date().isoformat()
        return self.valid_from <= day and (not self.valid_to or day < self.valid_to)

    def overlaps(self, other: "Policy") -> bool:
        """Whether both rows are valid on some day."""
        begins_in_time = not other.valid_to or self.valid_from < other.valid_to
        return begins_in_time and (not self.valid_to or other.valid_from < self.valid_to)


def without_overlap(*table: Policy) -> tuple[Policy, ...]:
    """Returns the rows.

    Raises ValueError if two hold for one CA and kind of subject on the same day, or one ends before it begins.
    """
    for row in table:
        if row.valid_to and row.valid_to <= row.valid_from:
            raise ValueError(f"policy {row.suffix} ends before it begins")
    for one, other in combinations(table, 2):
        if (one.issuer, one.kind) == (other.issuer, other.kind) and one.overlaps(other):
            raise ValueError(f"policies {one.suffix} and {other.suffix} hold on the same day for {one.issuer} {one.kind}")
    return table


POLICIES = without_overlap(
    Policy("1.3", "person-hsaid-3", HSA_ID, "3", "2019-05-15"),
    Policy("1.2", "person-hsaid-2", HSA_ID, "2", "2019-05-15"),
    Policy("2.3.1", "person-id-3", PERSONNUMMER, "3", "2019-05-15"),
    Policy("2.3.2", "person-id-3", SAMORDNINGSNUMMER, "3", "2019-05-15"),
    Policy("2.2.1", "person-id-2", PERSONNUMMER, "2", "2019-05-15"),
    Policy("2.2.2", "person-id-2", SAMORDNINGSNUMMER, "2", "2019-05-15"),
    Policy("3.1", "function", FUNCTION, "", "2019-05-15"),
    Policy("3.2", "function", SEAL, "", "2019-05-15"),
    Policy("3.3", "function", TIME_STAMP, "", "2019-05-15"),
    Policy("3.4", "function", LETTER_RECIPIENT, "", "2026-11-01"),
    Policy("4.3.1", "person-id-mobile", PERSONNUMMER, "3", "2021-06-15"),
    Policy("4.3.2", "person-id-mobile", SAMORDNINGSNUMMER, "3", "2021-06-15"),
    Policy("5.1", "person-hsaid-2", CARD, "", "2019-05-15"),
)


def rows(*kinds: str, issuers: Iterable[str]) -> tuple[Policy, ...]:
    """Returns the rows of these CAs for these kinds of subjects, in the table's order."""
    wanted = set(issuers)
    return tuple(row for row in POLICIES if row.kind in kinds and row.issuer in wanted)


def suffix_at(table: Iterable[Policy], issuer: str, kind: str, at: dt.datetime) -> str:
    """Returns the suffix of the policy that is valid at the moment. Raises PolicyEnded."""
    for row in table:
        if row.issuer == issuer and row.kind == kind and row.holds(at):
            return row.suffix
    raise PolicyEnded(f"{issuer} {kind}")


def subject_kind(kind: str, subject: Mapping[str, str]) -> str:
    """Returns the kind of this subject: the profile's `kind`, or for PERSON_NUMBER the kind of the number in serialNumber."""
    return person_number_kind(subject.get("serialNumber", "")) if kind == PERSON_NUMBER else kind


def person_number_kind(person_id: str) -> str:
    """Returns `samordningsnummer` if 60 is added to the day of a 12-digit number, else `personnummer`.

    The number must be one of the two: issuance refuses a person-id pair for a passport or reserve number (rules/issuance 3.2).
    """
    return SAMORDNINGSNUMMER if person_id[6:8].isdigit() and int(person_id[6:8]) > 60 else PERSONNUMMER
