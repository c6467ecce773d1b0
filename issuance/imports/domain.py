"""Files of users: their tables and columns, and the fixed words in cells (rules/issuance 7.8, 7.12)."""

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
            ImportColumn("name", "Organisationsnamn", "Som i HSA-katalogen, högst 64 tecken.", needed=True),
            ImportColumn("hsa_id", "HSA-id", "Organisationens id i HSA-katalogen.", needed=True),
            ImportColumn("organisation_number", "Organisationsnummer", "10 siffror, med eller utan bindestreck.", needed=True),
            ImportColumn("area", "Utgivningsområde", "Områdets namn. Du kan lämna tomt för en underorganisation."),
            ImportColumn(
                "parent",
                "Tillhör organisation",
                "HSA-id för organisationen ovanför. Lämna tomt för en organisation överst i området.",
            ),
            ImportColumn("country", "Land", "2 bokstäver. Lämna tomt för SE."),
            ImportColumn("county", "Län", "Länets namn, till exempel Västra Götalands län. Frivilligt."),
            ImportColumn(
                "issuing", "Utgivande", "Skriv Ja för områdets utgivande organisation, som ligger överst. Lämna annars tomt."
            ),
            ImportColumn(
                "charged", "Abonnemangsavgift", "Ja eller Nej för en organisation som ligger överst. Lämna annars tomt."
            ),
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
            ImportColumn("office_number", "Kontorsid", "Portalen bestämmer numret. Lämna tomt för ett nytt kontor."),
            ImportColumn(
                "organisations",
                "Kopplade organisationer",
                "HSA-id för organisationerna som får välja kontoret, med kommatecken emellan.",
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
            ImportColumn("person", "Namn", "Läses inte in. Namnet gör filen lättare att läsa."),
            ImportColumn("role", "Behörighetsroll", "Rollens namn som i portalen, till exempel ID-administratör.", needed=True),
            ImportColumn(
                "organisation", "Organisation", "HSA-id för organisationen där rollen gäller. Lämna tomt för ansvarig utgivare."
            ),
            ImportColumn("area", "Utgivningsområde", "Områdets namn, bara för ansvarig utgivare."),
            ImportColumn("protected_persons", "Sekretess", "Ja ger tilläggsrollen Hantera skyddade personer. Lämna annars tomt."),
            ImportColumn(
                "valid_from",
                "Gäller från och med",
                "Datum, till exempel 2026-11-25. Utan datum, eller med ett passerat datum, gäller rollen från och med nu.",
            ),
            ImportColumn("valid_to", "Gäller till och med", "Datum. Lämna tomt om rollen ska gälla tills vidare."),
        ),
        recognised_by="Behörighetsroll",
        named_by=("role", "hsa_id"),
    ),
}


class CardStatus(StrEnum):
    """The words for a card's state in a file of cards from an earlier portal."""

    ACTIVE = "Aktiv"
    REVOKED = "Spärrad"
    EXPIRED = "Utgången"


CARDS = "kort"
"""The table of cards from an earlier portal, as `ImportedRow.kind` has it."""

CARRIER_TABLES: ImportTables = {
    CARDS: ImportTable(
        "Kort",
        (
            ImportColumn("card_serial", "Kortserienummer", "19 siffror, med eller utan mellanslag.", needed=True),
            ImportColumn(
                "article", "Artikel", "Artikelns kod i portalen, till exempel 631. Den bestämmer kortets slag.", needed=True
            ),
            ImportColumn("valid_from", "Giltigt från", "Kortets första dag, till exempel 2024-05-01.", needed=True),
            ImportColumn("valid_to", "Giltigt till", "Kortets sista dag, högst 5 år efter den första.", needed=True),
            ImportColumn(
                "hsa_id",
                "Tjänste-id",
                "Innehavarens HSA-id i ett SITHS eID på kortet. Ett kort med flera SITHS eID har en rad för varje.",
                needed=True,
            ),
            ImportColumn(
                "organisation", "Utfärdande organisation", "HSA-id. Lämna tomt för organisationen i innehavarens uppdrag."
            ),
            ImportColumn("office", "Kontorsid", "10 siffror, för kontoret som har hand om kortet. Frivilligt."),
            ImportColumn("mifare_id", "MIFARE-id", "1 till 10 bokstäver eller siffror. Frivilligt."),
            ImportColumn(
                "status", "Status", f"{CardStatus.ACTIVE}, {CardStatus.REVOKED} eller {CardStatus.EXPIRED}. Tomt är Aktiv."
            ),
            ImportColumn("ended", "Spärrat", "Dagen då kortet spärrades, bara för ett spärrat kort."),
            ImportColumn("reason", "Spärrorsak", "Orsaken som i portalen, bara för ett spärrat kort. Tomt är Annan orsak."),
            ImportColumn("activated", "Aktiverat", "Dagen då kortet aktiverades. Tomt är den första dagen i SITHS eID."),
            ImportColumn("eid_valid_from", "SITHS eID giltigt från", "Första dagen. Lämna tomt för kortets."),
            ImportColumn("eid_valid_to", "SITHS eID giltigt till", "Sista dagen. Lämna tomt för kortets."),
            ImportColumn(
                "eid_issuer", "Utfärdare, tjänste-id", "Namnet på certifikatutfärdaren (CN) av certifikaten med tjänste-id."
            ),
            ImportColumn("eid_auth", "Legitimering, tjänste-id", "Certifikatets serienummer, hexadecimalt."),
            ImportColumn("eid_sign", "Underskrift, tjänste-id", "Certifikatets serienummer, hexadecimalt."),
            ImportColumn(
                "person_issuer", "Utfärdare, person-id", "Namnet på certifikatutfärdaren (CN) av certifikaten med person-id."
            ),
            ImportColumn("person_auth", "Legitimering, person-id", "Certifikatets serienummer, hexadecimalt."),
            ImportColumn("person_sign", "Underskrift, person-id", "Certifikatets serienummer, hexadecimalt."),
        ),
        recognised_by="Kortserienummer",
        named_by=("card_serial", "hsa_id"),
    ),
}
