"""System checks: a seller that no invoice may carry stops the start."""

import pytest

from billing.documents import seller


def found(settings, **changes: str) -> set[str]:
    for name, value in changes.items():
        setattr(settings, name, value)
    return {message.id for message in seller.check_seller(None)}


def test_the_demo_seller_passes(settings):
    assert found(settings) == set()


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"SELLER_ORGNR": "5599990009"}, {"billing.E001", "billing.E002"}),
        ({"SELLER_ORGNR": "559999-0008"}, {"billing.E001", "billing.E002"}),
        ({"SELLER_VAT": "SE559999000802"}, {"billing.E002"}),
        ({"SELLER_BANKGIRO": "991-2346"}, {"billing.E003"}),
        ({"SELLER_BANKGIRO": "9912347"}, {"billing.E003"}),
        ({"SELLER_IBAN": "SE3999900000000012345679"}, {"billing.E005"}),
        ({"SELLER_IBAN": "SE39 9990 0000 0000 1234 5678"}, {"billing.E005"}),
        ({"SELLER_BIC": "DEMO"}, {"billing.E006"}),
        ({"SELLER_IBAN": ""}, {"billing.E007"}),
        ({"SELLER_IBAN": "", "SELLER_BIC": ""}, set()),
        ({"SELLER_CONTACT": ""}, {"billing.E004"}),
        ({"SELLER_NAME": " "}, {"billing.E004"}),
        ({"SELLER_CITY": "", "SELLER_EMAIL": ""}, {"billing.E004"}),
    ],
)
def test_each_wrong_value_is_named(settings, changes, ids):
    assert found(settings, **changes) == ids


def test_a_deployment_with_the_demo_seller_is_warned_of(settings):
    settings.DEBUG = False
    assert [message.id for message in seller.check_demo_seller(None)] == ["billing.W001"]
    settings.SELLER_ORGNR = "2329990002"
    assert seller.check_demo_seller(None) == []
