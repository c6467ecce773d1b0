"""What operators type into the search for certificates is understood or refused, however long it is."""

import pytest

from pki.operators import certificate_search
from siths_portal.lib.errors import Invalid


@pytest.mark.parametrize("digit", ["1", "0", "f"])
@pytest.mark.parametrize("length", [50, 4301, certificate_search.LONGEST_TEXT])
def test_a_number_that_no_serial_number_is_as_long_as_is_refused(digit, length):
    with pytest.raises(Invalid) as refused:
        certificate_search.parse_text(digit * length)
    assert list(refused.value.fields) == ["text"]


def test_the_largest_serial_number_in_decimal_is_found_also_after_zeros():
    largest = (1 << 159) - 1
    assert f"{largest:X}" in certificate_search.parse_text(str(largest))["serials"]
    assert f"{largest:X}" in certificate_search.parse_text("0" * 5000 + str(largest))["serials"]
