"""Why the eID app cannot continue, with what the holder does then."""

CURABLE = frozenset({"wrong-card", "proof-refused", "signature-invalid"})
AGAIN = "Be ID-administratören välja Öppna appen igen i portalen."


class EidAppError(Exception):
    """The app cannot continue. `code` is stable kebab-case; `message` tells the holder in Swedish what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


class BadHandle(EidAppError):
    """The pasted text is not a start code."""

    def __init__(self) -> None:
        super().__init__("bad-handle", "Det där är inte en hel startkod. Kopiera den igen från portalens sida.")


class PortalAway(EidAppError):
    """The portal gave no usable response. The step can be repeated."""

    def __init__(self) -> None:
        super().__init__("portal-away", "Portalen svarar inte just nu. Inget har gått förlorat. Vänta en stund och försök igen.")


class StillPending(EidAppError):
    """The portal's response is not ready yet. The step can be repeated."""

    def __init__(self) -> None:
        super().__init__("pending", "Portalen arbetar fortfarande med kortet. Vänta några sekunder och försök igen.")


class PortalRefused(EidAppError):
    """The portal refused the request. `code` and `message` are the code and detail of its problem document (RFC 9457)."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status = status

    @property
    def final(self) -> bool:
        """False if the same transaction may still succeed with another card, with a new proof, or later."""
        return self.code not in CURABLE and self.status != 429


class Untrusted(EidAppError):
    """The portal's response is inconsistent or does not match the card, so nothing is signed."""

    def __init__(self, check: str) -> None:
        super().__init__(check, f"Portalens svar stämmer inte med kortet. Inget skrevs under. Avbryt. {AGAIN}")


class CardRefused(EidAppError):
    """The card refused. `code` is that of `CardError`; `tries_left` is the remaining tries of the code."""

    def __init__(self, code: str, tries_left: int) -> None:
        texts = {
            "wrong-code": f"Fel kod. {'Ett försök' if tries_left == 1 else f'{tries_left} försök'} kvar innan koden spärras.",
            "code-blocked": "Koden är spärrad efter 3 felaktiga försök.",
            "bad-code": "Koden ska vara 6–8 siffror.",
            "absent": "Kortet finns inte i läsaren. Sätt i kortet och försök igen.",
            "wrong-puk": f"Kortet tog inte emot upplåsningskoden (PUK). Avbryt. {AGAIN}",
            "puk-blocked": "Kortet kan inte låsas upp mer. Be ID-administratören spärra kortet och beställa ett nytt.",
        }
        super().__init__(code, texts.get(code, "Kortet svarade inte som det ska. Ta ut det, sätt i det och försök igen."))
        self.tries_left = tries_left
