"""Swedish labels and remedies for the findings on the health page."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _


@dataclass(frozen=True)
class Area:
    """A kind of finding: its title, what the check examines, and the remedy."""

    title: str
    looks_at: str
    remedy: str


AREAS: Mapping[str, Area] = {
    "token": Area(
        _("Säkerhetsmodulen"),
        _("Om modulen signerar, med en nyckel som bara finns för provet."),
        _("Se efter att modulen är på och nås från pki-workern, och att PIN stämmer. Kör sedan pki_check."),
    ),
    "ca": Area(
        _("Utfärdarens certifikat"),
        _("Hur länge utfärdarens eget certifikat gäller."),
        _("Planera en ceremoni för en ny generation. Utfärdade certifikat kan inte gälla längre än utfärdarens."),
    ),
    "hsm": Area(
        _("Utfärdarens nyckel"),
        _("Om nyckeln finns i modulen och hör till utfärdarens certifikat."),
        _("Utfärdaren kan inte signera. Kontrollera modulen och nyckelinventeringen innan något annat görs."),
    ),
    "crl": Area(
        _("Spärrlista"),
        _("Om den senaste listan är ny nog och filen som publiceras är den."),
        _("Kör pki_publish_crls för utfärdaren; kommandot säger vad som hindrar. Rotens lista görs vid en ceremoni."),
    ),
    "ocsp-signer": Area(
        _("OCSP-svararens certifikat"),
        _("Hur länge certifikatet som signerar OCSP-svar gäller. Det förnyas av sig självt när {days} dagar är kvar."),
        _("Förnyelsen fungerar inte. Se pki-workerns logg, och att utfärdaren kan signera."),
    ),
    "ocsp": Area(
        _("OCSP-svar"),
        _("Om svaren finns, är signerade av rätt nyckel och säger detsamma som databasen."),
        _("Se efter att pki-workern och beat går. Kör sedan pki_presign_ocsp."),
    ),
    "ocsp-svar": Area(
        _("OCSP-svar från ceremonier"),
        _("Hur länge svaren gäller som utfärdaren signerar själv. De förnyas vid en ceremoni, när halva tiden har gått."),
        _("Planera en ceremoni med act: renew-status. Den förnyar både spärrlistan och svaren."),
    ),
    "ocsp-lager": Area(
        _("OCSP-svararens lager"),
        _("Om svararens filer följer databasen. Utan det lämnas svar som gällde då, i högst {hours} timmar."),
        _("Se efter att ocsp-publisher går och når databasen. Den hinner ifatt av sig själv."),
    ),
    "ocsp-process": Area(
        _("OCSP-svararens processer"),
        _("Hur många processer som svarar ur lagret. Utan dem svarar den långsammare reservvägen."),
        _("Se ocspd:s logg och starta den igen. Frågor besvaras under tiden av processen status."),
    ),
    "koder": Area(
        _("Koder till kort"),
        _("Om mottagna koder förseglas i tid."),
        _("Se efter att pki-workern går och att modulen svarar. Koderna väntar och går inte förlorade."),
    ),
    "signering": Area(
        _("Signering av certifikat"),
        _("Hur länge det äldsta beställda certifikatet har väntat på sin signatur."),
        _("Se efter att pki-workern går och att modulen svarar. Efter en timme spärras det som kan ha signerats."),
    ),
    "vilande": Area(
        _("Vilande certifikat"),
        _("Om certifikaten på ett kort blir giltiga när innehavaren har valt legitimeringskod."),
        _("Se efter att pki-workern och beat går. Står hold.release_refused i loggen var begäran inte kortets: spärra kortet."),
    ),
    "nyckelinventering": Area(
        _("Nyckelinventering"),
        _("Om alla nycklar i modulerna är de som är upplagda. Görs en gång om dygnet."),
        _("Se avvikelserna längre ner på sidan. En okänd nyckel är en säkerhetshändelse."),
    ),
    "kortcertifikat": Area(
        _("Certifikat på kort"),
        _("Om varje utfärdat certifikat har en beställning och varje aktivt kort en kvittens. Jämförs en gång om dygnet."),
        _("Ett certifikat utan beställning är en säkerhetshändelse. Kör pki_reconcile och spärra de certifikat som den visar."),
    ),
    "händelsesigill": Area(
        _("Händelseloggens sigill"),
        _("Hur länge händelser väntar på att fogas till kedjan."),
        _("Se efter att worker går, och att ingen transaktion i databasen står öppen."),
    ),
    "MAC": Area(
        _("Händelseloggens MAC"),
        _("Hur länge sigill väntar på att styrkas av säkerhetsmodulen."),
        _("Se efter att pki-workern går och att modulen svarar."),
    ),
    "händelsekedja": Area(
        _("Händelseloggens kedja"),
        _("Vad den senaste genomgången fann. Den görs en gång om dygnet, och av spärrade certifikat varje timme."),
        _("Stämmer den inte: ändra inget, spara databasen och mappen audit, och anmäl det. Är den gammal: se att beat går."),
    ),
    "klocka": Area(
        _("Klockan"),
        _("Om pki-workerns klocka går rätt. Inget signeras av en klocka som har gått tillbaka."),
        _("Rätta tidssynkroniseringen på datorn. Väntar signeringen fortsätter den när klockan har kommit ifatt."),
    ),
}
UNKNOWN = Area("", "", _("Kör pki_check och se pki-workerns logg."))

CHAIN: Mapping[str, str] = {
    "authn": _("Inloggningar"),
    "billing": _("Fakturering"),
    "issuance": _("Kort och SITHS eID"),
    "pki": _("PKI"),
    "heads": _("Filen med undertecknade huvuden"),
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


def title_of(subject: str) -> str:
    """Returns the title of a finding in words, or `subject` if its kind is unknown."""
    area, name = area_of(subject)
    if not area.title:
        return subject
    label = gettext(CHAIN[name]) if subject.startswith("händelsekedja ") and name in CHAIN else name
    return f"{gettext(area.title)}, {label}" if name else gettext(area.title)
