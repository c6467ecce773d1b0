"""Tokens and certificates (pki)."""

from pathlib import Path

from siths_portal.settings.environment import DEBUG, VAR_DIR, env

PKCS11_MODULE = env.str("PKCS11_MODULE", default="/usr/lib/softhsm/libsofthsm2.so")
PKCS11_TOKEN = env.str("PKCS11_TOKEN", default="siths-issuing")
PKCS11_ROOT_TOKEN = env.str("PKCS11_ROOT_TOKEN", default="siths-root")
PKCS11_PIN_FILE = env.str("PKCS11_PIN_FILE", default="")
# Whether the PIN comes from two custodians (rules/pki 7.3), where the `pki` worker takes their shares, and from which users.
PKI_START_BY_TWO = env.bool("PKI_START_BY_TWO", default=not DEBUG)
PKI_SHARE_SOCKET = env.str("PKI_SHARE_SOCKET", default="")
PKI_CUSTODIANS = env.list("PKI_CUSTODIANS", default=[])
# Development only: files with both shares.
PKI_SHARE_FILES = env.list("PKI_SHARE_FILES", default=[])
PKCS11_MODULE_ARGUMENTS = env.str("PKCS11_MODULE_ARGUMENTS", default="")
HSM_LOCKING = env.str("HSM_LOCKING", default="auto")
HSM_CALL_SECONDS = env.float("HSM_CALL_SECONDS", default=10.0)
# 1.3.6.1.4.1.32473 is reserved for documentation (RFC 5612); refused when DEBUG is off.
PKI_POLICY_ARC = env.str("PKI_POLICY_ARC", default="1.3.6.1.4.1.32473.752")
PKI_STATUS_DIR = Path(env.str("PKI_STATUS_DIR", default=str(VAR_DIR / "status")))
# The shared store of the OCSP responder's processes, and how many requests each process caches.
PKI_OCSP_STORE_DIR = Path(env.str("PKI_OCSP_STORE_DIR", default=str(VAR_DIR / "ocsp")))
PKI_OCSPD_MEMO = env.int("PKI_OCSPD_MEMO", default=10_000)
PKI_OCSP_LIVE_PER_SECOND = env.int("PKI_OCSP_LIVE_PER_SECOND", default=500)
# Files of keys that are never certified (see pki.domain.weak_keys). No issuing process starts if one cannot be read.
PKI_WEAK_KEYS_FILE = env.str("PKI_WEAK_KEYS_FILE", default="")
# HOST:PORT at which the `pki` worker serves /healthz/live and /healthz/ready; empty: not served.
WORKER_HEALTH_BIND = env.str("WORKER_HEALTH_BIND", default="")
# The most seconds that a process's clock may be ahead of the database server's. A clock further ahead is logged and not trusted.
PKI_CLOCK_AHEAD_SECONDS = env.int("PKI_CLOCK_AHEAD_SECONDS", default=3600)
PKI_SIGNING_CLAIM_SECONDS = env.int("PKI_SIGNING_CLAIM_SECONDS", default=20)
# How often a sealed secret (a card's PUK) may be delivered within 24 hours.
SECRET_DELIVERIES_PER_DAY = env.int("SECRET_DELIVERIES_PER_DAY", default=5)
# The token library for temporary tokens on which a ceremony is rehearsed.
PKI_REPLAY_MODULE = env.str("PKI_REPLAY_MODULE", default="/usr/lib/softhsm/libsofthsm2.so")
# The most encryptions with one key and random IVs (NIST SP 800-38D section 8.3).
KEK_SEALS_LIMIT = min(env.int("KEK_SEALS_LIMIT", default=2**32), 2**32)
PKI_CEREMONY_DIR = Path(env.str("PKI_CEREMONY_DIR", default=str(VAR_DIR / "ceremony")))
# The adapter of pki.ports.IssuanceCheck, which knows the orders of certificates on cards. Only tests of the PKI use another.
ISSUANCE_CHECK_BACKEND = env.str("ISSUANCE_CHECK_BACKEND", default="issuance.suppliers.services.issuance_check.OrderedCards")
