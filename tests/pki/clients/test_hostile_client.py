"""A client with rights on one CA and profile tries every other one, by every operation and in every spelling."""

import pytest

from pki.domain.profiles import PROFILES
from pki.models import Certificate, CertificateAuthority, Event
from tests.pki.clients.service import csr as csr_pem
from tests.pki.clients.service import order as body_of
from tests.pki.orders import BY_PROFILE, csr, order, plan

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _many_calls(settings) -> None:
    for operation in ("ORDERS", "REVOCATIONS", "READS", "SEARCHES"):
        setattr(settings, f"PKI_API_{operation}_PER_MINUTE", 10_000)


@pytest.fixture
def others(api) -> list[Certificate]:
    """A certificate of each profile, by somebody else."""
    ids = [plan(order(profile, csr_der=csr(), subject_ref=f"person:{profile}"))[0] for profile in BY_PROFILE]
    api.pki.settle()
    return list(Certificate.objects.filter(pk__in=ids).select_related("ca", "profile_version"))


def body(ca: str, profile: str) -> dict:
    _ca, subject, alternative = BY_PROFILE.get(profile, BY_PROFILE["function"])
    kinds = {kind: value.split(",") for kind, value in alternative.items()}
    return body_of(issuer=ca, profile=profile, subject=subject, subject_alternative=kinds, csr=csr_pem())


def test_it_orders_by_no_other_ca_or_profile(api, a) -> None:
    before, events = Certificate.objects.count(), Event.objects.count()
    tried = 0
    for ca in CertificateAuthority.objects.values_list("slug", flat=True):
        for profile in PROFILES:
            if (ca, profile) == ("function", "function"):
                continue
            answer = a("POST", "certificates", key=f"{ca}.{profile}", body=body(ca, profile))
            assert (answer.status_code, answer.json()["code"]) == (404, "profile-unknown"), f"{ca} {profile}"
            tried += 1
    assert tried == 8 * len(PROFILES) - 1
    assert (Certificate.objects.count(), Event.objects.count()) == (before, events)


SPELLINGS = [
    "Function", "FUNCTION", "function ", " function", "function:1", "funct\u0131on", "function\0", "function/../root",
    "%66unction",
]  # fmt: skip


def test_no_other_spelling_of_a_name_is_taken(api, a, subtests: pytest.Subtests) -> None:
    """One client sends all orders, since none of them may leave anything."""
    before = Certificate.objects.count()
    for number, spelling in enumerate(SPELLINGS):
        with subtests.test(spelling=spelling):
            for member in ("issuer", "profile"):
                answer = a("POST", "certificates", key=f"{member}.{number}", body=body_of(**{member: spelling}))
                assert answer.status_code in (400, 404, 422), f"{member} {spelling!r}"
            assert Certificate.objects.count() == before


def test_it_reads_finds_and_revokes_nothing_of_theirs(api, a, others) -> None:
    function = next(row for row in others if row.profile_version.name == "function")
    for row in others:
        own = row == function
        for ca in {row.ca.slug, "function"}:
            here = own and ca == "function"
            path = f"certificates/{ca}/{row.serial}"
            for accept in ("application/json", "application/pkix-cert", "application/pem-certificate-chain"):
                assert a("GET", path, Accept=accept).status_code == (200 if here else 404), path
            revocation = {"issuer": ca, "serial": row.serial, "reason": "keyCompromise"}
            if not here:
                assert a("POST", "revocations", key=f"{ca}{row.serial}", body=revocation).status_code == 404
        searches = [
            {"serial_prefix": row.serial[:30]},
            {"public_key_sha256": row.spki_sha256},
            {"subject_ref": row.subject_ref},
            {"issuer": row.ca.slug, "serial_prefix": row.serial[:30]},
            {"profile": row.profile_version.name, "serial_prefix": row.serial[:30]},
        ]
        for search in searches:
            hits = a("POST", "certificates/search", body=search).json()["certificates"]
            assert [hit["serial"] for hit in hits] == ([row.serial] if own else []), search
    assert not Certificate.objects.filter(status="revoked").exists()


def test_a_client_that_may_issue_alone_sees_and_revokes_nothing_of_another_client(api, others) -> None:
    b = api.service("b", function="issue")
    function = next(row for row in others if row.profile_version.name == "function")
    assert b.read(function).status_code == b.revoke(function).status_code == 404
    # With the same subject's name and the same key of idempotency as the other's.
    made = b.order("k", subject_ref=function.subject_ref)
    assert made.status_code == 202, made.content
    again = api.service("c", function="issue").order("k", subject_ref=function.subject_ref)
    assert again.status_code == 202
    assert made.json()["serial"] != again.json()["serial"]
    assert b.search(subject_ref=function.subject_ref).json()["certificates"][0]["serial"] == made.json()["serial"]
    assert len(b.search(subject_ref=function.subject_ref).json()["certificates"]) == 1
