"""OCSP responders are renewed in time, and the keys of those that ended are destroyed."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from pki import ocsp, responders
from pki.hsm import HsmKeyMissing, HsmUnavailable, hsm_for
from pki.models import CertificateAuthority, Event, HsmKey, OcspSigner
from siths_portal.lib import clock


def days(number: int):
    return clock.moved_to(clock.now() + dt.timedelta(days=number))


def test_a_fresh_responder_is_left_alone(small_pki):
    with days(14):
        assert responders.renew_due() == 0
    assert OcspSigner.objects.count() == 2


def test_a_responder_past_half_its_life_gets_a_successor(small_pki):
    with days(16):
        assert responders.renew_due() == 2
        assert responders.renew_due() == 0
        ca = CertificateAuthority.objects.current("person-hsaid-3")
        old, new = OcspSigner.objects.filter(ca=ca).order_by("not_after")
        assert ocsp.delegated_signer(ca, clock.now()) == new
    assert old.key_id != new.key_id
    certificate = x509.load_der_x509_certificate(bytes(new.certificate_der))
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(bytes(ca.certificate_der)))
    assert {old.retired_at, new.retired_at} == {None}
    assert hsm_for(settings.PKCS11_TOKEN).find(old.key_id)  # still needed for the answers that it signed


def test_the_key_of_a_responder_that_ended_is_destroyed(small_pki):
    old = OcspSigner.objects.get(ca__slug="function")
    token = hsm_for(settings.PKCS11_TOKEN)
    key = token.private_key(old.key_id)
    with days(31):
        assert responders.renew_due() == 2
    for signer in OcspSigner.objects.filter(retired_at__isnull=False):
        with pytest.raises(HsmKeyMissing):
            token.find(signer.key_id)
        assert HsmKey.objects.get(key_id=signer.key_id).retired_at is not None
    assert OcspSigner.objects.filter(retired_at__isnull=False).count() == 2
    assert Event.objects.filter(action="key.destroyed").count() == 2
    with pytest.raises(HsmKeyMissing):
        key.sign(b"x", ec.ECDSA(hashes.SHA256()))


def test_a_token_that_is_away_for_one_ca_does_not_hold_the_others_up(small_pki, monkeypatch):
    original = responders.ensure

    def away(ca, **options):
        if ca.slug == "person-hsaid-3":
            raise HsmUnavailable("away")
        return original(ca, **options)

    monkeypatch.setattr(responders, "ensure", away)
    with days(16):
        assert responders.renew_due() == 1


def test_renewal_that_was_cut_off_goes_on(small_pki, monkeypatch):
    ca = CertificateAuthority.objects.current("function")

    def cut(*_arguments):
        raise HsmUnavailable("cut")

    with days(16):
        with monkeypatch.context() as patched:
            patched.setattr(responders.issuing, "sign_tbs", cut)
            with pytest.raises(HsmUnavailable):
                responders.ensure(ca)
        assert ca.certificates.filter(status="reserved").count() == 1
        responders.ensure(ca)
        assert ca.certificates.filter(status="reserved").count() == 0
        assert OcspSigner.objects.filter(ca=ca).count() == 2
        assert HsmKey.objects.filter(purpose="ocsp", label__contains="/function-").count() == 2


def test_a_revoked_responder_is_replaced_at_once(small_pki):
    ca = CertificateAuthority.objects.current("function")
    signer = OcspSigner.objects.get(ca=ca)
    ca.certificates.filter(id=signer.certificate_id).update(status="revoked", revoked_at=clock.now(), reason="keyCompromise")
    with days(1):
        assert responders.ensure(ca) is not None
