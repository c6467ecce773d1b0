"""Encryption of secrets in a browser's session with a key derived from the browser's cookie.

The session table stores only a hash of the cookie, so neither the table nor a backup of it reveals a secret.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def seal(session_key: str, purpose: str, secret: str) -> str:
    """Returns `secret` encrypted and authenticated under a key derived from the cookie and `purpose`."""
    return _box(session_key, purpose).encrypt(secret.encode()).decode()


def unseal(session_key: str, purpose: str, sealed: str) -> str:
    """Returns the secret, or "" if `sealed` was made under another cookie or purpose, for example before a new log-in."""
    try:
        return _box(session_key, purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return ""


def _box(session_key: str, purpose: str) -> Fernet:
    derived = HKDF(hashes.SHA256(), length=32, salt=None, info=f"siths-portal session {purpose}".encode())
    return Fernet(base64.urlsafe_b64encode(derived.derive(session_key.encode())))
