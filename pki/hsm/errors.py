"""What can go wrong with a token. No message holds a PIN, a plaintext or personal data."""


class HsmError(Exception):
    """Base of all faults of the token. `began`: the token was at work when it failed, and may have done what was asked."""

    def __init__(self, *arguments: str, began: bool = False) -> None:
        super().__init__(*arguments)
        self.began = began


class HsmUnavailable(HsmError):
    """The token does not answer now, also after one reconnect; later is worth a try. Nothing was done unless `began`."""


class HsmKeyMissing(HsmError):
    """No key with this CKA_ID is in the token."""


class HsmKeyExists(HsmError):
    """A key with this CKA_ID or label is in the token already."""


class HsmPinError(HsmError):
    """The token refused the PIN. Never tried again with the same PIN, since the token locks after a few attempts."""


class HsmConfigError(HsmError):
    """The settings, or what the token holds, are wrong; trying again does not help."""


class HsmSealKeyLost(HsmKeyMissing):
    """The key that sealed a blob is not in the token: what it sealed is lost unless the HSM's backup has the key."""


class HsmSealBroken(HsmError):
    """The sealed blob, its key or its associated data is not what was sealed."""
