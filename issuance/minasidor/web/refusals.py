"""What a holder reads when a service refuses: services write for officers, and in Swedish."""

from collections.abc import Mapping

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from siths_portal.lib.errors import DomainError, IllegalTransition

TEXTS: Mapping[str, str] = {
    "not-found": _("Uppgiften finns inte, eller så är den inte din. Börja om från startsidan."),
    "forbidden": _("Det går inte att göra här. Kontakta en ID-administratör."),
    "eid-order-ended": _("Beställningen väntar inte längre. Be en ID-administratör om en ny."),
    "fetch-under-way": _("Appen är redan öppnad. Fortsätt i den, eller avbryt och börja om."),
    "statement-under-way": _("Appen är redan öppnad. Fortsätt i den, eller avbryt och börja om."),
    "transaction-ended": _("Det är redan avslutat. Börja om om du inte blev klar."),
    "carrier-not-active": _("Kortet är inte aktivt. Kontakta en ID-administratör."),
    "card-without-key": _("Kortet är från den tidigare portalen. SITHS eID kan inte hämtas till det."),
    "post-ended": _("Uppdraget är avslutat i HSA-katalogen. Kontakta en ID-administratör."),
    "activation-under-way": _("En ID-administratör hjälper dig med kortet just nu. Vänta tills det är klart eller avbrutet."),
    "revocation-waits": _("En spärr av kortet väntar på beslut. Kontakta en ID-administratör."),
    "no-first-eid": _("Du behöver ett giltigt kort på tillitsnivå 3 för att skaffa Mobilt SITHS. Logga in med det."),
    "which-first-eid": _("Du har kort från flera utgivare. Logga in med certifikatet på det kort som ska gälla."),
    "too-many-mobile-eids": _("Du har redan så många mobila SITHS som du får ha. Spärra ett som du inte använder först."),
    "mobile-enrolments": _("Du har börjat skaffa Mobilt SITHS många gånger det senaste dygnet. Vänta till i morgon."),
    "enrolment-ended": _("Det går inte att fortsätta här. Börja om på sidan Mobilt SITHS."),
    "enrolment-started": _("En enhet har redan läst av koden. Fortsätt i appen, eller avbryt och börja om."),
    "another-session": _("Du började i en annan inloggning. Börja om här."),
    "second-log-in": _("Logga in en gång till för att se koden."),
    "device-name": _("Skriv ett namn på enheten med högst 60 tecken."),
    "device-name-taken": _("Du har redan en enhet med det namnet. Välj ett annat namn."),
    "mobile-not-valid": _("Det här mobila SITHS:et gäller inte längre."),
    "visit-budget": _("Många aktiverar kort just nu. Vänta en minut och försök igen."),
    "document-suspected": _("Kortet kan inte användas till det här just nu. Kontakta en ID-administratör."),
    "document-false": _("Kortet kan inte användas till det här just nu. Kontakta en ID-administratör."),
}
"""The refusals that a holder can meet, by their code. What is suspected of a document is said at a visit, not here."""

CHANGED = _("Det har fått en annan status. Ladda om sidan och se vad du kan göra nu.")


def text_of(error: DomainError) -> str:
    """Returns the refusal in words for a holder, in the language of the page. Other errors have their own text."""
    return gettext(TEXTS.get(error.code, CHANGED if isinstance(error, IllegalTransition) else error.message))
