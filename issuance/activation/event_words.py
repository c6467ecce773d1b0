"""Labels of activation's events."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "activation",
    actions={
        "holder.identified": _("Innehavaren identifierades vid besök"),
        "holder.identification_withdrawn": _("Identifieringen togs tillbaka"),
        "holder.document_suspected": _("En misstänkt falsk id-handling rapporterades vid besök"),
        "holder.document_judged": _("Den misstänkta id-handlingen bedömdes"),
        "transaction.created": _("Ett ärende i SITHS eID-appen påbörjades"),
        "transaction.handle_renewed": _("Ny länk till SITHS eID-appen gavs"),
        "transaction.started": _("Innehavaren öppnade SITHS eID-appen med kortet"),
        "transaction.code_set": _("SITHS eID-appen meddelade att koden är vald"),
        "transaction.card_reported": _("SITHS eID-appen rapporterade från kortet"),
        "transaction.completed": _("Ärendet i SITHS eID-appen slutfördes"),
        "transaction.cancelled": _("Ärendet i SITHS eID-appen avbröts"),
        "transaction.expired": _("Tiden för ärendet i SITHS eID-appen gick ut"),
        "transaction.failed": _("Ärendet i SITHS eID-appen misslyckades"),
        "transaction.superseded": _("Ärendet i SITHS eID-appen ersattes av ett nytt"),
        "transaction.proof_refused": _("SITHS eID-appens bevis för kortet godtogs inte"),
    },
    rules={
        "system:eid-app": _("Systemet: SITHS eID-appens anrop"),
        "system:wrong-proofs": _("Systemet: för många fel bevis"),
        "system:receipts": _("Systemet: den underskrivna kvittensen klarade inte kontrollen"),
        "system:delivery": _("Systemet: kortets upplåsningskod kunde inte lämnas till appen"),
    },
)
