"""The operator, with contacts on pages, and the seller on invoices."""

from siths_portal.settings.environment import DEBUG, PORT_BASE, VAR_DIR, env

OPERATOR_NAME = env.str("OPERATOR_NAME", default="Demo e-legitimationer AB")
# Where docs/alarms.md is published to operators.
RUNBOOK_URL = env.str("RUNBOOK_URL", default="")
SUPPORT_CONTACT = env.str("SUPPORT_CONTACT", default="support@demo-e-legitimationer.example")
ENVIRONMENT_NAME = env.str("ENVIRONMENT_NAME", default="Utveckling, med påhittade personer" if DEBUG else "Produktion")
# Booked test persons, who may get test cards; empty where there are none. Refused in production.
TEST_PERSONS_FILE = env.str("TEST_PERSONS_FILE", default="")
PROGRAM_BUILD = env.str("PROGRAM_BUILD", default="")
ACCESSIBILITY_CONTACT = env.str("ACCESSIBILITY_CONTACT", default="tillganglighet@demo-e-legitimationer.example")

# Billing: the seller, an invented company with numbers that pass their checks.
SELLER_NAME = env.str("SELLER_NAME", default="Demo e-legitimationer AB")
SELLER_ORGNR = env.str("SELLER_ORGNR", default="5599990008")
SELLER_VAT = env.str("SELLER_VAT", default="SE559999000801")
SELLER_BANKGIRO = env.str("SELLER_BANKGIRO", default="9912346")
SELLER_IBAN = env.str("SELLER_IBAN", default="SE3999900000000012345678")
SELLER_BIC = env.str("SELLER_BIC", default="DEMOSESS")
SELLER_CONTACT = env.str("SELLER_CONTACT", default="SITHS fakturering")
SELLER_STREET = env.str("SELLER_STREET", default="Kortvägen 1")
SELLER_POSTAL_CODE = env.str("SELLER_POSTAL_CODE", default="111 11")
SELLER_CITY = env.str("SELLER_CITY", default="Stockholm")
SELLER_SEAT = env.str("SELLER_SEAT", default="Stockholm")
SELLER_EMAIL = env.str("SELLER_EMAIL", default="faktura@demo-e-legitimationer.example")
# The Peppol access point: the adapter, and what it needs.
ACCESS_POINT_BACKEND = env.str("ACCESS_POINT_BACKEND", default="billing.delivery.adapters.folder.FolderAccessPoint")
ACCESS_POINT_FOLDER = env.str("ACCESS_POINT_FOLDER", default=str(VAR_DIR / "access-point"))
ACCESS_POINT_URL = env.str("ACCESS_POINT_URL", default=f"http://127.0.0.1:{PORT_BASE + 14}")
ACCESS_POINT_TOKEN_FILE = env.str("ACCESS_POINT_TOKEN_FILE", default="")
# Stored with each run as processing history (BFNAR 2013:2 chapter 9).
PROGRAM_VERSION = env.str("PROGRAM_VERSION", default="0.1.0")
