"""The bytes that we put together are those of the library's builder, for whatever orders hold."""

import dataclasses
import datetime as dt
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.domain import alternative_names, names, tbs
from pki.domain.profiles import PROFILES
from tests.pki.authorities import golden
from tests.pki.domain import reference_builder
from tests.pki.issuing.test_lint import ISSUER, content

KEYS = {key: golden.private_key(key, 3) for key in ("rsa-2048", "ec-p256")}
ISSUERS = {key: golden.private_key(key, 1) for key in ("rsa-2048", "ec-p384")}
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=300)
PRINTABLE = st.text(string.ascii_letters + string.digits + " '()+,-./:=?", min_size=1, max_size=64)
MAILBOXES = st.sampled_from(["asa@demo.example.com", "a.b+c@xn--rksmrgs-5wao1o.example.com", "åsa@demo.example.com"])
FIRST, LAST = dt.datetime(1951, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
SECONDS = st.integers(0, int((LAST - FIRST).total_seconds()))


@st.composite
def subjects(draw, profile):
    """Every attribute of the profile or some of them, with any text."""
    values = {}
    for attribute in profile.subject:
        if draw(st.booleans()):
            country = attribute.name == "countryName"
            text = st.sampled_from(["SE", "NO"]) if country else PRINTABLE if attribute.name in names.PRINTABLE else TEXTS
            values[attribute.name] = draw(text)
    return values


@pytest.mark.parametrize("name", list(PROFILES))
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_bytes_are_the_builders(name, data):
    profile = PROFILES[name]
    key, issuer_key = data.draw(st.sampled_from(list(KEYS))), data.draw(st.sampled_from(list(ISSUERS)))
    issuer = dataclasses.replace(ISSUER, public_key=ISSUERS[issuer_key].public_key())
    start, end = (FIRST + dt.timedelta(seconds=each) for each in sorted((data.draw(SECONDS), data.draw(SECONDS))))
    alternative = {}
    for kind in profile.alternative_names:
        if kind in ("rfc822Name", "smtpUtf8Mailbox", "userPrincipalName") and data.draw(st.booleans()):
            mailbox = data.draw(MAILBOXES)
            if not alternative_names.faults((kind,), False, {kind: mailbox}):
                alternative[kind] = mailbox
    wanted = content(
        subject=data.draw(subjects(profile)),
        alternative=alternative,
        public_key=KEYS[key].public_key(),
        serial=data.draw(st.integers(1, (1 << 159) - 1)),
        not_before=start,
        not_after=end,
        card_number="9752269999000000017" if profile.card_number else None,
    )
    assert tbs.build(profile, issuer, wanted) == reference_builder.build(profile, issuer, ISSUERS[issuer_key], wanted)


def test_a_negative_serial_and_a_time_before_1950_are_refused():
    early = dt.datetime(1949, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    for wrong, reason in (({"serial": -1}, "negative"), ({"not_before": early}, "before 1950")):
        with pytest.raises(ValueError, match=reason):
            tbs.build(PROFILES["person-hsaid-auth"], ISSUER, content(**wrong))
