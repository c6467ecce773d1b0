"""The optional block of statements of a qualified certificate (RFC 3739 section 3.2.6, EN 319 412-5). No profile uses it."""

from collections.abc import Mapping
from typing import Any

from asn1crypto import core

COMPLIANCE = "0.4.0.1862.1.1"
SSCD = "0.4.0.1862.1.4"
PDS = "0.4.0.1862.1.5"
TYPE = "0.4.0.1862.1.6"
TYPES = {"esign": "0.4.0.1862.1.6.1", "eseal": "0.4.0.1862.1.6.2"}
KINDS = ("compliance", "sscd", "pds", "type")


class _Statement(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("statement_id", core.ObjectIdentifier), ("statement_info", core.Any, {"optional": True})]


class _Statements(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Statement


class _Location(core.Sequence):  # type: ignore[misc]
    _fields = [("url", core.IA5String), ("language", core.PrintableString)]


class _Locations(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Location


class _Types(core.SequenceOf):  # type: ignore[misc]
    _child_spec = core.ObjectIdentifier


def build(block: Mapping[str, Any]) -> bytes:
    """Returns DER of QCStatements for a profile's block. Raises ValueError for an unknown kind of statement.

    `compliance` and `sscd` are true if stated; `type` is a key of TYPES; `pds` lists pairs of an https URL of the PKI disclosure
    statement and the language of that text (ISO 639-1).
    """
    if unknown := set(block) - set(KINDS):
        raise ValueError(f"unknown QC statements: {', '.join(sorted(unknown))}")
    statements = []
    if block.get("compliance"):
        statements.append(_Statement({"statement_id": COMPLIANCE}))
    if block.get("sscd"):
        statements.append(_Statement({"statement_id": SSCD}))
    if pds := block.get("pds"):
        places = _Locations([_Location({"url": url, "language": language}) for url, language in pds])
        statements.append(_Statement({"statement_id": PDS, "statement_info": core.Any(places)}))
    if kind := block.get("type"):
        statements.append(_Statement({"statement_id": TYPE, "statement_info": core.Any(_Types([TYPES[kind]]))}))
    return bytes(_Statements(statements).dump())
