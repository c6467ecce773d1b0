"""Dated policies: which OID a certificate gets by CA, kind of subject and day, and what happens once one is retired."""

import dataclasses
import datetime as dt
import itertools
import re
from pathlib import Path

import pytest
from cryptography import x509
from django.conf import settings as configuration

from pki import service
from pki.authorities import stored_profiles
from pki.domain.policies import POLICIES, Policy, PolicyEnded, suffix_at, without_overlap
from pki.domain.profile_versions import KNOWN
from pki.domain.profiles import PROFILES
from pki.issuing import frames, planning, signing
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid
from tests.pki import orders
from tests.pki.authorities import golden
from tests.pki.orders import order, plan

NAME = "person-id-auth"


def at(day: str, hour: int = 12) -> dt.datetime:
    return dt.datetime.combine(dt.date.fromisoformat(day), dt.time(hour), clock.STOCKHOLM)


def oid_of(der: bytes) -> str:
    (policy,) = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.CertificatePolicies).value
    return policy.policy_identifier.dotted_string


@pytest.mark.parametrize("profile", orders.ORDERABLE)
def test_each_ca_of_each_profile_has_one_policy_for_each_kind_today(profile):
    definition = PROFILES[profile]
    kinds = ("personnummer", "samordningsnummer") if definition.subject_kind == "person-number" else (definition.subject_kind,)
    for issuer, kind in itertools.product(definition.issuers, kinds):
        holding = [row for row in definition.policy_table if (row.issuer, row.kind) == (issuer, kind) and row.holds(clock.now())]
        assert len(holding) == 1
    assert set(definition.policy_table) <= set(POLICIES)


def test_no_oid_has_two_meanings():
    assert len({row.suffix for row in POLICIES}) == len(POLICIES)


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        (("2027-01-01", ""), ("2028-01-01", ""), True),
        (("2027-01-01", "2028-01-02"), ("2028-01-01", ""), True),
        (("2027-01-01", "2028-01-01"), ("2028-01-01", ""), False),
        (("2028-01-01", ""), ("2027-01-01", "2028-01-01"), False),
        (("2027-01-01", "2027-01-01"), ("2028-01-01", ""), True),
    ],
)
def test_a_table_with_two_policies_for_one_day_or_none_is_refused(first, second, overlap):
    rows = [Policy(suffix, "ca", "k", "3", *days) for suffix, days in (("1", first), ("2", second))]
    if overlap:
        with pytest.raises(ValueError, match="polic"):
            without_overlap(*rows)
    else:
        assert without_overlap(*rows, Policy("3", "ca", "other", "3", "2020-01-01")) == (
            *rows,
            Policy("3", "ca", "other", "3", "2020-01-01"),
        )


def test_the_rules_list_every_policy():
    text = Path(configuration.BASE_DIR, "docs/rules/pki.md").read_text()
    listed = re.findall(r"^\| `([\d.]+)` \| `([\w-]+)` \| ([\w-]+) \| (\S+) \| (\S+) \| (\S+) \|$", text, re.MULTILINE)
    assert listed == [
        (row.suffix, row.issuer, row.kind, row.level or "–", row.valid_from, row.valid_to or "–") for row in POLICIES
    ]


def test_a_policy_holds_from_its_first_day_to_the_day_before_its_end_in_stockholm():
    table = [Policy("1", "ca", "k", "3", "2027-01-01", "2027-07-01"), Policy("2", "ca", "k", "3", "2027-07-01")]
    assert suffix_at(table, "ca", "k", at("2027-01-01", 0)) == "1"
    assert suffix_at(table, "ca", "k", at("2027-06-30", 23)) == "1"
    assert suffix_at(table, "ca", "k", at("2027-07-01", 0)) == "2"
    for moment, issuer in ((at("2026-12-31", 23), "ca"), (at("2027-08-01"), "other")):
        with pytest.raises(PolicyEnded):
            suffix_at(table, issuer, "k", moment)


@pytest.fixture
def retired(monkeypatch):
    """The profile in a version whose policies end tomorrow; one of the two kinds of subject has a successor."""
    tomorrow = (clock.today() + dt.timedelta(days=1)).isoformat()
    old = PROFILES[NAME]
    table = [dataclasses.replace(row, valid_to=tomorrow) for row in old.policy_table]
    table.append(Policy("2.3.9", "person-id-3", "personnummer", "3", tomorrow))
    profile = dataclasses.replace(old, version=99, policy_table=tuple(table))
    for module in (planning, stored_profiles):
        monkeypatch.setattr(module, "PROFILES", {**PROFILES, NAME: profile})
    monkeypatch.setattr(frames, "KNOWN", {*KNOWN, profile.sha256})
    return profile


def test_a_retired_oid_is_not_issued_and_its_successor_is(demo_pki, retired, settings):
    coordination = orders.PERSON_SUBJECT | {"serialNumber": "189001619808"}
    ids = plan(order(NAME), order(NAME, subject=coordination, subject_ref="person:2"))
    # What was planned in time is signed after the end, by the policy of its own day.
    with clock.moved_to(clock.now() + dt.timedelta(days=2)):
        assert signing.sign_reserved(ids) == 2
        assert [oid_of(view.der) for view in service.certificates(ids)] == [
            f"{settings.PKI_POLICY_ARC}.2.3.1", f"{settings.PKI_POLICY_ARC}.2.3.2",
        ]  # fmt: skip
        later = plan(order(NAME))
        signing.sign_reserved(later)
        assert oid_of(service.certificates(later)[0].der) == f"{settings.PKI_POLICY_ARC}.2.3.9"
        with pytest.raises(Invalid) as refused:
            plan(order(NAME, subject=coordination, subject_ref="person:3"))
    assert list(refused.value.fields) == ["profile"]
    assert "policy" in refused.value.fields["profile"][0]


def test_the_check_before_signing_finds_a_retired_policy(retired):
    leaf = golden.leaf(NAME, "ec-p384", "ec-p256")
    ended = dataclasses.replace(
        PROFILES[NAME], policy_table=(dataclasses.replace(PROFILES[NAME].policy_table[0], valid_to="2020-01-01"),)
    )
    issuer = golden.issuer_of("person-id-3", leaf.above[0])
    found = golden.lint.faults(leaf.certificate.tbs_certificate_bytes, ended, issuer, golden.ARC)
    assert found == ["certificatePolicies has the wrong content"]
