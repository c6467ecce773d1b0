"""The error codes of the supplier API: their English texts, and what a supplier does about each."""

from typing import Any

from pki import service as pki
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.problem_texts import COMMON, ProblemText, ProblemTexts, add_reasons

_FAIL = "Make no card, and report the order failed."
_ORDERS: ProblemTexts = {
    "order-withdrawn": ProblemText(409, "The customer withdrew the order.", "Make no card."),
    "order-not-accepted": ProblemText(409, "The order is not accepted.", "Accept it first."),
    "order-closed": ProblemText(409, "The order has ended.", "Make no card, and read the order's status."),
    "order-has-items": ProblemText(409, "The order has several items.", "Name one in the address."),
    "item-pending": ProblemText(409, "The item that replaces a spoilt one is being added.", "Try again in a moment."),
    "item-unknown": ProblemText(404, "The order has no item of this number.", "Read the order's items."),
    "item-without-carrier": ProblemText(404, "The item is no card.", "Make what the item's kind says."),
    "change-unknown": ProblemText(422, "after is no change of the supplier.", "Send the number of the last change, or 0."),
    "customisation-not-verified": ProblemText(
        409, "The card customisation waits for verification.", "Accept the order once `GET orders` lists it again."
    ),
    "person-deceased": ProblemText(409, "The person is deceased.", _FAIL),
    "no-registered-address": ProblemText(409, "The person has no registered address.", _FAIL),
    "person-without-id": ProblemText(409, "The person has no valid person id.", _FAIL),
    "person-not-in-register": ProblemText(409, "The person is not in the person register.", _FAIL),
}
_PICTURES: ProblemTexts = {
    "photo-none": ProblemText(404, "The order has no photo.", "Print the card without one."),
    "photo-gone": ProblemText(410, "The card is produced or revoked.", "Ask for the photo only before that."),
    "logotype-none": ProblemText(404, "The card customisation has no logotype.", "Print the cards without one."),
}
_CERTIFICATES: ProblemTexts = {
    "card-serial": ProblemText(
        422, "The card serial is not 18 digits and their check digit.", "Send the serial that is printed on the card."
    ),
    "attestation-missing": ProblemText(422, "The card has no attestation of its keys.", "Send attestations."),
    "attestation-invalid": ProblemText(
        422, "An attestation is not valid, or is not by a registered root.", "Send the JWT of the card's maker unchanged."
    ),
    "key-not-attested": ProblemText(422, "No attestation names the key.", "Send attestations of all keys of the card."),
    "card-key": ProblemText(422, "The card key cannot be used.", "Send a P-256 key that is none of the certified keys."),
    "csrs": ProblemText(422, "The certificate requests are not those of the item.", "Send one for each of the item's profiles."),
    "card-already-bound": ProblemText(
        409, "The card serial or the card key belongs to another order.", "Use another card for this order."
    ),
    "certificates-already-requested": ProblemText(
        409, "Certificates were requested for the order with other values.", "Send the values of the first request."
    ),
    "certificates-not-requested": ProblemText(404, "No certificates are requested for the order.", "Request them first."),
    "certificates-failed": ProblemText(409, "The certificates could not be issued.", "Report the order failed."),
    "certificates-revoked": ProblemText(409, "The certificates are revoked.", "Do not deliver the card."),
    "carrier-revoked": ProblemText(409, "The card is revoked.", _FAIL),
    "post-ended": ProblemText(409, "The holder's assignment has ended.", _FAIL),
    "person-id-not-certifiable": ProblemText(409, "The person no longer has an id for certificates.", _FAIL),
}
_LETTERS: ProblemTexts = {
    "puk-none": ProblemText(404, "The order is for no PUK letter.", "Ask for the PUK of letters only."),
    "puk-gone": ProblemText(
        410, "The PUK was handed out, or the letter has ended.", "If you did not get it, ask for a remake of the letter."
    ),
    "puk-not-deliverable": ProblemText(
        409, "The PUK cannot be handed out now.", "Ask again later, and tell the operator of the portal if it goes on."
    ),
    "secret-deliveries": ProblemText(429, "The card's PUK was handed out too often today.", "Ask again tomorrow."),
    "secret-not-sealed": ProblemText(409, "The card's PUK is destroyed.", _FAIL),
}
_EVENTS: ProblemTexts = {
    "event": ProblemText(422, "The report does not meet the rules.", "Correct the fields in invalid-parameters."),
    "event-mismatch": ProblemText(
        409, "The event was reported with other values.", "Send the first values, or ask the operator of the portal."
    ),
}
_REMAKES: ProblemTexts = {
    "item-not-begun": ProblemText(
        409,
        "No certificates are requested for the item, or the PUK of the letter is not handed out.",
        "Go on with the same item: take another card, or read the PUK.",
    ),
    "item-sent": ProblemText(
        409, "The item is sent or came back.", "Report a card that came back returned. Only the customer orders another."
    ),
    "item-ended": ProblemText(409, "The item failed or is withdrawn.", "Make no other in its place."),
    "remake": ProblemText(422, "The request does not meet the rules.", "Correct the fields in invalid-parameters."),
}
_CUSTOMISATIONS: ProblemTexts = {
    "customisation-of-another": ProblemText(403, "Another supplier makes these cards now.", "Only read the customisation."),
    "logotype-hash": ProblemText(422, "The SHA-256 is not that of the logotype.", "Send the hash of the PNG itself."),
    "image-too-large": ProblemText(422, "The picture is too large.", "Send at most 256 KiB and 2000 pixels a side."),
    "image-not-png": ProblemText(422, "The file is not a complete PNG.", "Send a PNG without bytes after its end."),
    "image-animated": ProblemText(422, "The picture is animated.", "Send a still PNG."),
}

TEXTS: ProblemTexts = {
    **COMMON, **_ORDERS, **_PICTURES, **_CERTIFICATES, **_LETTERS, **_EVENTS, **_REMAKES, **_CUSTOMISATIONS, **pki.KEY_PROBLEMS,
    **pki.SECRET_PROBLEMS,
}  # fmt: skip

ORDER = (
    "not-found", "order-withdrawn", "order-not-accepted", "order-has-items", "item-pending", "item-unknown",
    "item-without-carrier",
)  # fmt: skip
"""The codes of every call that names an accepted order."""
ADDRESS = ("person-deceased", "no-registered-address", "person-without-id", "person-not-in-register")
SETTLED = ("certificates-failed", "certificates-revoked")
CARD = (
    *openapi.WITH_BODY, "order-closed", "card-serial", "card-key", "csrs", "attestation-missing", "attestation-invalid",
    "key-not-attested", "card-already-bound",
    "certificates-already-requested", "carrier-revoked", "post-ended", "person-id-not-certifiable", *SETTLED, *pki.KEY_PROBLEMS,
)  # fmt: skip
LETTER = (*_LETTERS, "carrier-revoked")
REPORT = (*openapi.WITH_BODY, *_EVENTS, *pki.SECRET_PROBLEMS)
REMAKE = (*openapi.WITH_BODY, *_REMAKES, "event-mismatch", "carrier-revoked", "order-closed")
NEW_LOGOTYPE = (*openapi.WITH_BODY, "not-found", "version-stale", "if-match-missing", *_CUSTOMISATIONS)

_POSTED = "Give the day on which the card was handed to the post."
add_reasons(
    {
        "Ange 1-10 bokstäver eller siffror.": "Give 1 to 10 letters or digits.",
        "Skicka antingen puk_jwe eller no_puk.": "Send either puk_jwe or no_puk.",
        "Skicka kortets PUK som JWE till portalens nyckel, eller no_puk för ett kort utan PUK.": (
            "Send the card's PUK as a JWE to a key of the portal, or no_puk for a card without PUK."
        ),
        "Ange REK-id på formen LA00R351935SE.": "Give the REK-id in the form LA00R351935SE.",
        "Ange en kod med små bokstäver, siffror och bindestreck.": "Give a code of lower-case letters, digits and hyphens.",
        "Datumet ligger i framtiden. Ange dagen då kortet lämnades till posten.": f"The day is in the future. {_POSTED}",
        "Datumet ligger före beställningens dag. Ange dagen då kortet lämnades till posten.": (
            f"The day is before that of the order. {_POSTED}"
        ),
        "Ange REK-id för det rekommenderade brevet (REK).": "Give the REK-id of the registered mail.",
        "Kortet behöver en PUK. Skicka den som puk_jwe.": "The card needs a PUK. Send it as puk_jwe.",
        "Kortet har inga nycklar hos portalen, så dess PUK tas inte emot. Skicka no_puk.": (
            "The portal has no keys of the card, so it takes no PUK of it. Send no_puk."
        ),
        "Ett brev har inget sådant värde. Utelämna det.": "A letter has no such value. Leave it out.",
        "Ange base64.": "Give Base64.",
        "Ange produced, sent, failed, returned.": "Give produced, sent, failed or returned.",
    }
)


def responses(*codes: str) -> Any:
    """Returns the problem responses of an operation with these error codes, and those of every operation."""
    return openapi.problems(TEXTS, *codes)
