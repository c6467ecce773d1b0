"""Set-up files: their tables and columns, and the fixed words in cells (rules/issuance 7.8)."""

from enum import StrEnum

from siths_portal.lib.imports.columns import ImportColumn, ImportTable, ImportTables


class SetupTable(StrEnum):
    """The tables of a set-up file. URLs contain the values."""

    ORGANISATIONS = "organisationer"
    OFFICES = "kontor"
    ROLES = "rollinnehavare"


SAME_AS_ABOVE, GENERIC, OWN = "Samma som ovanför", "Generell", "Egen"

SETUP_TABLES: ImportTables = {
    SetupTable.ORGANISATIONS: ImportTable(
        "Organisationer",
        (
            ImportColumn("name", "Organisationsnamn", "Som i katalogen, högst 64 tecken.", needed=True),
            ImportColumn("hsa_id", "HSA-id", "Organisationens id i katalogen.", needed=True),
            ImportColumn("organisation_number", "Organisationsnummer", "Tio siffror, med eller utan bindestreck.", needed=True),
            ImportColumn("area", "Utgivningsområde", "Områdets namn. Kan vara tomt för en underorganisation."),
            ImportColumn("parent", "Tillhör organisation", "HSA-id för organisationen ovanför. Tomt för en som ligger överst."),
            ImportColumn("country", "Land", "Två bokstäver. Tomt betyder SE."),
            ImportColumn("county", "Län", "Länets namn, till exempel Västra Götalands län. Frivilligt."),
            ImportColumn(
                "issuing", "Utgivande", "Skriv Ja för områdets utgivande organisation, som ligger överst. Lämna annars tomt."
            ),
            ImportColumn("charged", "Abonnemangsavgift", "Ja eller Nej för en organisation som ligger överst, tomt för övriga."),
            ImportColumn(
                "customisation",
                "Kortanpassning",
                f"{GENERIC} för en underorganisation, eller tomt för samma som ovanför. {OWN} läses inte in.",
            ),
        ),
        recognised_by="Organisationsnummer",
        named_by=("name", "hsa_id"),
    ),
    SetupTable.OFFICES: ImportTable(
        "Kontor",
        (
            ImportColumn("name", "Kontorets namn", "Till exempel Borås stad (15), högst 100 tecken.", needed=True),
            ImportColumn("invoice_comment", "Fakturakommentar", "Skrivs på fakturaraden.", needed=True),
            ImportColumn("area", "Utgivningsområde", "Områdets namn.", needed=True),
            ImportColumn("office_number", "Kontorsid", "Portalen sätter det. Lämna tomt för ett nytt kontor."),
            ImportColumn(
                "organisations", "Kopplade organisationer", "HSA-id för dem som får välja kontoret, med kommatecken emellan."
            ),
            ImportColumn("recipient_organisation", "Mottagande organisation", "Bara för kontor som tar emot buntar av kort."),
            ImportColumn("internal_recipient", "Intern mottagare", "En avdelning eller enhet, inte en person. Frivilligt."),
            ImportColumn("street_address", "Gatuadress", "Bara för kontor som tar emot buntar av kort."),
            ImportColumn("postal_code", "Postnummer", "Fem siffror."),
            ImportColumn("city", "Postort", "Bara för kontor som tar emot buntar av kort."),
        ),
        recognised_by="Fakturakommentar",
        named_by=("name",),
    ),
    SetupTable.ROLES: ImportTable(
        "Rollinnehavare",
        (
            ImportColumn("hsa_id", "Tjänste-id", "Personens HSA-id, för ett uppdrag inom din behörighet.", needed=True),
            ImportColumn("person", "Namn", "Läses inte in. Till för den som läser filen."),
            ImportColumn("role", "Behörighetsroll", "Rollens namn som i portalen, till exempel ID-administratör.", needed=True),
            ImportColumn(
                "organisation", "Organisation", "HSA-id för organisationen där rollen gäller. Tomt för ansvarig utgivare."
            ),
            ImportColumn("area", "Utgivningsområde", "Områdets namn, bara för ansvarig utgivare."),
            ImportColumn("protected_persons", "Sekretess", "Ja ger tilläggsrollen Hantera skyddade personer. Tomt betyder Nej."),
            ImportColumn(
                "valid_from",
                "Gäller från och med",
                "Datum, till exempel 2026-11-25. Tomt, eller ett datum som har passerat, betyder från och med nu.",
            ),
            ImportColumn("valid_to", "Gäller till och med", "Datum. Tomt betyder tills vidare."),
        ),
        recognised_by="Behörighetsroll",
        named_by=("role", "hsa_id"),
    ),
}
