"""Swedish labels and remedies for the findings on the health page."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _


@dataclass(frozen=True)
class Area:
    """A kind of finding: its title, what the check examines, and the remedy."""

    title: str
    looks_at: str
    remedy: str


AREAS: Mapping[str, Area] = {
    "nyckelhållare": Area(
        _("Start med två nyckelhållare"),
        _("Om två nyckelhållare har angett sina delar av PIN-koden. Innan dess startar inte pki-worker."),
        _("Kalla två nyckelhållare, som anger var sin del med kommandot pki_enter_share. Inget signeras innan dess."),
    ),
    "token": Area(
        _("Säkerhetsmodulen"),
        _("Om modulen signerar, med en nyckel som bara finns för provet."),
        _("Kontrollera att modulen är på, att pki-worker når den och att PIN stämmer. Kontrollera igen med kommandot pki_check."),
    ),
    "ca": Area(
        _("Utfärdarens certifikat"),
        _("Hur länge utfärdarens eget certifikat gäller."),
        _("Planera en ceremoni för en ny generation. Utfärdade certifikat kan inte gälla längre än utfärdarens eget."),
    ),
    "hsm": Area(
        _("Utfärdarens nyckel"),
        _("Om nyckeln finns i modulen och hör till utfärdarens certifikat."),
        _("Utfärdaren kan inte signera. Kontrollera först modulen och nyckelinventeringen."),
    ),
    "crl": Area(
        _("Spärrlista"),
        _("Om den senaste listan är ny nog och är den fil som publiceras."),
        _("Gör en ny spärrlista med kommandot pki_publish_crls, som visar vad som hindrar. Rotens lista görs vid en ceremoni."),
    ),
    "ocsp-signer": Area(
        _("OCSP-svararens certifikat"),
        _("Hur länge certifikatet som signerar OCSP-svar gäller. Det förnyas automatiskt när {days} dagar är kvar."),
        _("Förnyelsen fungerar inte. Läs loggen från pki-worker och kontrollera att utfärdaren kan signera."),
    ),
    "ocsp": Area(
        _("OCSP-svar"),
        _("Om svaren finns, är signerade av rätt nyckel och stämmer med databasen."),
        _("Kontrollera att pki-worker och beat är igång. Gör sedan nya OCSP-svar med kommandot pki_presign_ocsp."),
    ),
    "ocsp-svar": Area(
        _("OCSP-svar från ceremonier"),
        _("Hur länge utfärdarens egna svar gäller. De förnyas vid en ceremoni, när halva tiden har gått."),
        _("Planera en ceremoni med act: renew-status. Ceremonin förnyar både spärrlistan och svaren."),
    ),
    "ocsp-lager": Area(
        _("OCSP-svararens lager"),
        _("Om svararens filer följer databasen. Annars lämnas svar som gällde då, i högst {hours} timmar."),
        _("Kontrollera att ocsp-publisher är igång och når databasen. Lagret uppdateras sedan automatiskt."),
    ),
    "ocsp-process": Area(
        _("OCSP-svararens processer"),
        _("Hur många processer som svarar ur lagret. Utan dem svarar processen status, som är långsammare."),
        _("Läs loggen från ocspd och starta processen igen. Processen status svarar under tiden."),
    ),
    "koder": Area(
        _("Koder till kort"),
        _("Om mottagna koder förseglas i tid."),
        _("Kontrollera att pki-worker är igång och att modulen svarar. Koderna väntar och går inte förlorade."),
    ),
    "signering": Area(
        _("Signering av certifikat"),
        _("Hur länge det äldsta beställda certifikatet har väntat på sin signatur."),
        _("Kontrollera att pki-worker är igång och att modulen svarar. Efter en timme spärras certifikat som kan ha signerats."),
    ),
    "journal": Area(
        _("Journalen"),
        _("Om det som utfärdas går att skriva till journalen, som finns på en annan volym än databasen."),
        _("Ge volymen mer plats. Utan journal utfärdas inget, och OCSP-svar om nya spärrar väntar. Kontrollera med pki_check."),
    ),
    "volym": Area(
        _("Diskutrymme"),
        _("Hur mycket plats som är kvar på volymen."),
        _("Ge volymen mer plats, eller ta bort gamla loggar och säkerhetskopior. En full volym stoppar det som skrivs dit."),
    ),
    "säkerhetskopia": Area(
        _("Säkerhetskopian"),
        _("Hur gammal den senaste säkerhetskopian är. Den görs varje natt."),
        _("Kör kommandot ops_backup, som visar vad som hindrar. Kontrollera sedan att det körs varje natt."),
    ),
    "tls": Area(
        _("TLS-certifikat"),
        _("Hur länge certifikatet på adressen gäller."),
        _("Byt certifikatet och ladda om den omvända proxyn. När certifikatet har gått ut når ingen adressen."),
    ),
    "svarstid": Area(
        _("Svarstid"),
        _("Inom vilken tid 95 av 100 svar kom under fem minuter. Färre än 100 svar bedöms inte."),
        _("Se datorns belastning och långa frågor i PostgreSQL (pg_stat_activity)."),
    ),
    "svarstid-system": Area(
        _("Svarstid"),
        _("Inom vilken tid 95 av 100 anrop till systemet var klara under fem minuter. Färre än 100 anrop bedöms inte."),
        _("Fråga den som driver systemet. Sidor som hämtar uppgifter därifrån väntar lika länge."),
    ),
    "vilande": Area(
        _("Vilande certifikat"),
        _("Om certifikaten på ett kort blir giltiga när innehavaren har valt legitimeringskod."),
        _("Kontrollera att pki-worker och beat är igång. Spärra kortet om loggen har hold.release_refused."),
    ),
    "nyckelinventering": Area(
        _("Nyckelinventering"),
        _("Om modulerna har de registrerade nycklarna och inga andra. Görs en gång om dygnet."),
        _("Se avvikelserna längst ner på sidan. En okänd nyckel är en säkerhetshändelse."),
    ),
    "kortcertifikat": Area(
        _("Certifikat på kort"),
        _("Om varje utfärdat certifikat har en beställning och varje aktivt kort en kvittens. Jämförs en gång om dygnet."),
        _(
            "Ett certifikat utan beställning är en säkerhetshändelse. Jämför igen med kommandot pki_reconcile och spärra de "
            "certifikat som det visar."
        ),
    ),
    "händelsesigill": Area(
        _("Händelseloggens sigill"),
        _("Hur länge händelser väntar på sigill."),
        _("Kontrollera att worker är igång, och att ingen transaktion i databasen är öppen."),
    ),
    "MAC": Area(
        _("Händelseloggens MAC"),
        _("Hur länge sigill väntar på säkerhetsmodulens MAC."),
        _("Kontrollera att pki-worker är igång och att modulen svarar."),
    ),
    "händelsekedja": Area(
        _("Händelseloggens kedja"),
        _("Resultatet av den senaste kontrollen. Den görs en gång om dygnet, för spärrade certifikat varje timme."),
        _("Stämmer kedjan inte: ändra inget, spara databasen och mappen audit, och anmäl det. Är den gammal: starta beat."),
    ),
    "klocka": Area(
        _("Klockan"),
        _("Om klockan hos pki-worker går rätt. Inget signeras om klockan har gått tillbaka."),
        _("Rätta tidssynkroniseringen på datorn. Signeringen fortsätter när klockan har kommit ifatt."),
    ),
}
UNKNOWN = Area("", "", _("Gör om kontrollen med kommandot pki_check och läs loggen från pki-worker."))

RUNBOOK: Mapping[str, str] = {
    "nyckelhållare": "CustodiansAwaited",
    "token": "HsmCircuitOpen",
    "crl": "CrlLate",
    "ocsp": "OcspStatusLag",
    "ocsp-svar": "OcspAnswersEnding",
    "ocsp-signer": "OcspSignerEnding",
    "ocsp-lager": "OcspStoreBehind",
    "ocsp-process": "OcspNoProcess",
    "kortcertifikat": "CardCertificateWithoutOrder",
    "händelsekedja": "AuditChainBroken",
    "journal": "JournalStops",
    "volym": "VolumeFull",
    "säkerhetskopia": "BackupLate",
    "tls": "FrontCertificateEnds",
    "svarstid": "SiteSlow",
    "svarstid-system": "ExternalSystemSilent",
}
"""The alarm of a kind of finding, whose section of docs/alarms.md says what to do. The others are those of PkiWrong."""

CHAIN: Mapping[str, str] = {
    "authn": _("Inloggningar"),
    "billing": _("Fakturering"),
    "issuance": _("Kort och SITHS eID"),
    "pki": _("PKI"),
    "heads": _("Filen med signerade huvuden"),
    "certificates": _("Certifikatens status"),
    "revocations": _("Spärrade certifikat och deras OCSP-svar"),
    "invoices": _("Utfärdade fakturor"),
    "billing-documents": _("Dokument, fakturering"),
    "receipts": _("Kvittenser"),
    "identifications": _("Identifieringar"),
    "people": _("Personer"),
    "roles": _("Roller, personkontroller och utbildningar"),
    "states": _("Status för kort, SITHS eID, beställningar och aktiveringar"),
    "issuance-documents": _("Dokument, kort och SITHS eID"),
}

SEVERITY: Mapping[int, str] = {0: _("Som det ska"), 1: _("Se över"), 2: _("Fel")}
SEVERITY_TAG: Mapping[int, str] = {0: "active", 1: "missing", 2: "revoked"}


def area_of(subject: str) -> tuple[Area, str]:
    """Returns the kind of a finding and the name of its CA or token, which may be empty."""
    kind, _space, name = subject.partition(" ")
    return AREAS.get(kind, UNKNOWN), name


def runbook_of(subject: str) -> str:
    """Returns the address of the runbook's section about a finding; empty without RUNBOOK_URL."""
    alarm = RUNBOOK.get(subject.partition(" ")[0], "PkiWrong")
    return f"{settings.RUNBOOK_URL}#{alarm.lower()}" if settings.RUNBOOK_URL else ""


def title_of(subject: str, authorities: Mapping[str, str]) -> str:
    """Returns the title of a finding in words, or `subject` if its kind is unknown.

    `authorities` has the names of CAs by the reference that a subject has; a CA of a later generation has its number too.
    """
    area, name = area_of(subject)
    if not area.title:
        return subject
    label = gettext(CHAIN[name]) if subject.startswith("händelsekedja ") and name in CHAIN else name
    if name in authorities:
        generation = name.rpartition(":")[2]
        label = authorities[name] if generation == "1" else f"{authorities[name]} ({generation})"
    return f"{gettext(area.title)}, {label}" if name else gettext(area.title)
