"""When pkilint is asked: before the first certificate of a profile version from a CA, and about a sample of what was issued."""

import pytest

from pki.issuing import pkilint, pkilint_sampling, signing
from pki.models import Certificate, Event, ProfileLint
from siths_portal.lib.errors import Invalid
from tests.pki import orders
from tests.pki.orders import order, plan


@pytest.fixture
def asked(monkeypatch):
    """Counts what the linter sees; this process knows nothing of earlier answers."""
    monkeypatch.setattr(pkilint_sampling, "_known", set())
    seen = []
    original = pkilint.findings

    def counting(der: bytes, profile: str) -> list[str]:
        seen.append(profile)
        return original(der, profile)

    monkeypatch.setattr(pkilint, "findings", counting)
    return seen


def test_it_sees_one_certificate_of_each_profile_and_ca(demo_pki, asked, monkeypatch):
    plan(*[order(subject_ref=f"person:{number}") for number in range(3)], order("person-id-auth"))
    assert sorted(asked) == ["person-hsaid-auth", "person-id-auth"]
    plan(order(subject_ref="person:9"))
    monkeypatch.setattr(pkilint_sampling, "_known", set())  # as another process
    plan(order(subject_ref="person:10"))
    assert len(asked) == 2
    plan(order(ca="person-hsaid-2", subject_ref="person:11"))
    assert len(asked) == 3
    rows = ProfileLint.objects.values_list("profile_version__name", "ca__slug", "linter")
    assert sorted(rows) == [
        (profile, ca, pkilint.linter_version())
        for profile, ca in [
            ("person-hsaid-auth", "person-hsaid-2"),
            ("person-hsaid-auth", "person-hsaid-3"),
            ("person-id-auth", "person-id-3"),
        ]
    ]


def test_what_it_finds_stops_the_first_certificate(demo_pki, asked, monkeypatch):
    monkeypatch.setattr(pkilint, "findings", lambda _der, _profile: ["pkix.some_rule"])
    before = Certificate.objects.count()
    with pytest.raises(Invalid) as refused:
        plan(order())
    assert refused.value.code == "certificate-lint"
    assert (Certificate.objects.count(), ProfileLint.objects.count()) == (before, 0)


def test_a_sample_of_what_was_issued_is_seen_as_signed(demo_pki, asked, monkeypatch):
    ids = plan(*[order(subject_ref=f"person:{number}") for number in range(4)])
    signing.sign_reserved(ids)
    asked.clear()
    assert pkilint_sampling.lint_sample(size=3) == 0
    assert len(asked) == 3
    assert pkilint_sampling.lint_sample() == 0
    assert asked.count("person-hsaid-auth") >= 4
    monkeypatch.setattr(pkilint, "findings", lambda _der, profile: ["pkix.some_rule"] if profile in orders.ORDERABLE else [])
    assert pkilint_sampling.lint_sample() == 4
    events = Event.objects.filter(action="certificate.lint_finding")
    assert {event.subject_ref for event in events} == {str(id_) for id_ in ids}
    assert events[0].facts == {"findings": ["pkix.some_rule"], "linter": pkilint.linter_version()}
