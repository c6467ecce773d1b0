"""Files of the set-up: which tables there are, which columns each has, and what is said about them (rules/issuance 7.8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """How a file is written. A workbook has a sheet for each table, a CSV file one table."""

    XLSX = "xlsx"
    CSV = "csv"


class Kind(StrEnum):
    """What a table's rows are; the values stand in addresses."""

    ORGANISATIONS = "organisationer"
    OFFICES = "kontor"
    ROLES = "rollinnehavare"


@dataclass(frozen=True)
class Column:
    """A column: its field's name, its heading, what is said of it, whether each row needs it and each file its heading."""

    field: str
    heading: str
    help: str
    needed: bool = False


@dataclass(frozen=True)
class Shape:
    """A table: what its sheet is called, its columns, and the heading that no other table has."""

    title: str
    columns: tuple[Column, ...]
    sign: str

    @property
    def headings(self) -> list[str]:
        """The first row."""
        return [column.heading for column in self.columns]

    @property
    def help_line(self) -> list[str]:
        """The second row of a CSV template, which has no sheet of help. An import leaves out this one and no other."""
        return [f"{'# ' if index == 0 else ''}{column.help}" for index, column in enumerate(self.columns)]

    def heading(self, field: str) -> str:
        """What a field's column is called; the field itself where it has none."""
        return next((column.heading for column in self.columns if column.field == field), field)


YES, NO = "Ja", "Nej"
SAME_AS_ABOVE, GENERIC, OWN = "Samma som ovanför", "Generell", "Egen"
HELP_SHEET = "Hjälp"

SHAPES: Mapping[Kind, Shape] = {
    Kind.ORGANISATIONS: Shape(
        "Organisationer",
        (
            Column("name", "Organisationsnamn", "Som i katalogen, högst 64 tecken.", needed=True),
            Column("hsa_id", "HSA-id", "Organisationens id i katalogen.", needed=True),
            Column("organisation_number", "Organisationsnummer", "Tio siffror, med eller utan bindestreck.", needed=True),
            Column("area", "Utgivningsområde", "Områdets namn. Kan vara tomt för en underorganisation."),
            Column("parent", "Tillhör organisation", "HSA-id för organisationen ovanför. Tomt för en som ligger överst."),
            Column("country", "Land", "Två bokstäver. Tomt betyder SE."),
            Column("county", "Län", "Länets namn, till exempel Västra Götalands län. Frivilligt."),
            Column("issuing", "Utgivande", "Skriv Ja för områdets utgivande organisation, som ligger överst. Lämna annars tomt."),
            Column("charged", "Abonnemangsavgift", "Ja eller Nej för en organisation som ligger överst, tomt för övriga."),
            Column(
                "customisation",
                "Kortanpassning",
                f"{GENERIC} för en underorganisation, eller tomt för samma som ovanför. {OWN} läses inte in.",
            ),
        ),
        "Organisationsnummer",
    ),
    Kind.OFFICES: Shape(
        "Kontor",
        (
            Column("name", "Kontorets namn", "Till exempel Borås stad (15), högst 100 tecken.", needed=True),
            Column("invoice_comment", "Fakturakommentar", "Skrivs på fakturaraden.", needed=True),
            Column("area", "Utgivningsområde", "Områdets namn.", needed=True),
            Column("office_number", "Kontorsid", "Portalen sätter det. Lämna tomt för ett nytt kontor."),
            Column("organisations", "Kopplade organisationer", "HSA-id för dem som får välja kontoret, med kommatecken emellan."),
            Column("recipient_organisation", "Mottagande organisation", "Bara för kontor som tar emot buntar av kort."),
            Column("internal_recipient", "Intern mottagare", "En avdelning eller enhet, inte en person. Frivilligt."),
            Column("street_address", "Gatuadress", "Bara för kontor som tar emot buntar av kort."),
            Column("postal_code", "Postnummer", "Fem siffror."),
            Column("city", "Postort", "Bara för kontor som tar emot buntar av kort."),
        ),
        "Fakturakommentar",
    ),
    Kind.ROLES: Shape(
        "Rollinnehavare",
        (
            Column("hsa_id", "Tjänste-id", "Personens HSA-id, för ett uppdrag inom din behörighet.", needed=True),
            Column("person", "Namn", "Läses inte in. Till för den som läser filen."),
            Column("role", "Behörighetsroll", "Rollens namn som i portalen, till exempel ID-administratör.", needed=True),
            Column("organisation", "Organisation", "HSA-id för organisationen där rollen gäller. Tomt för ansvarig utgivare."),
            Column("area", "Utgivningsområde", "Områdets namn, bara för ansvarig utgivare."),
            Column("protected_persons", "Sekretess", "Ja ger tilläggsrollen Hantera skyddade personer. Tomt betyder Nej."),
            Column(
                "valid_from",
                "Gäller från och med",
                "Datum, till exempel 2026-11-25. Tomt, eller ett datum som har passerat, betyder från och med nu.",
            ),
            Column("valid_to", "Gäller till och med", "Datum. Tomt betyder tills vidare."),
        ),
        "Behörighetsroll",
    ),
}
"""In the order in which they are made: what comes later may name what comes before."""
