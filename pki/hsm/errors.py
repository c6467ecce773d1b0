"""Errors of a token. No message contains a PIN, a plaintext or personal data."""


class HsmError(Exception):
    """Base of all token errors. `began`: the token had started when it failed, and may have carried out the operation."""

    def __init__(self, *arguments: str, began: bool = False) -> None:
        super().__init__(*arguments)
        self.began = began


class HsmUnavailable(HsmError):
    """The token does not respond, also after one reconnect; try again later. Nothing was done unless `began`."""


class HsmKeyMissing(HsmError):
    """The token has no key with this CKA_ID."""


class HsmKeyExists(HsmError):
    """The token already has a key with this CKA_ID or label."""


class HsmPinError(HsmError):
    """The token refused the PIN. The same PIN is never tried again, because the token locks after a few attempts."""


class HsmConfigError(HsmError):
    """The settings or the token's contents are wrong; trying again does not help."""


class HsmSealKeyLost(HsmKeyMissing):
    """The token lacks the key that sealed a blob: the content is lost unless the HSM's backup has the key."""


class HsmSealBroken(HsmError):
    """The sealed blob, its key or its associated data is not the one that was sealed."""
