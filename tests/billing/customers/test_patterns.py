"""The small language of a customer's own references: what it matches, what it refuses, and that it never takes long."""

import time

import pytest

from billing.customers.domain.patterns import Pattern, WrongPattern


@pytest.mark.parametrize(
    ("pattern", "fits", "fails"),
    [
        ("\\d{9}", ["123456789"], ["12345678", "1234567890", "12345678x", ""]),
        ("DLL\\d{7}|P\\d{12}", ["DLL1234567", "P123456789012"], ["DLL123456", "dll1234567", "DLL1234567P123456789012"]),
        ("FM\\d{4}", ["FM1234"], ["FM12345", "1234"]),
        ("[A-ZÅÄÖ]{4}", ["ÅBCD"], ["abcd", "ABC"]),
        ("[A-Z0-9-]{1,8}/?", ["A-1", "A/", "A"], ["", "a", "A//"]),
        (".{1,5}", ["x y"], ["123456"]),
        ("\\.\\d?", [".", ".1"], ["1", ".12"]),
    ],
)
def test_the_whole_text_has_the_form(pattern, fits, fails):
    form = Pattern.parse(pattern)
    assert [form.matches(text) for text in fits] == [True] * len(fits)
    assert [form.matches(text) for text in fails] == [False] * len(fails)


@pytest.mark.parametrize(
    "pattern",
    [
        "", "(a)", "a+", "a*", "a|", "|a", "\\w", "\\b", "[^a]", "[", "[]", "a{0}", "a{51}", "a{3,2}", "a{1}{2}", "^a$", "{3}",
        "[Z-A]",         "a" * 101,
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_refused_with_a_sentence(pattern):
    with pytest.raises(WrongPattern) as refusal:
        Pattern.parse(pattern)
    assert str(refusal.value).endswith(".")


def test_a_pattern_that_would_backtrack_without_end_is_quick():
    form = Pattern.parse(".{0,50}" * 14 + "x")
    begun = time.process_time()
    assert not form.matches("a" * 100)
    assert form.matches("a" * 99 + "x")
    assert time.process_time() - begun < 1
