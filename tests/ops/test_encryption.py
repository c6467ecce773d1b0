"""A backup opens only with a key of each group of custodians, and only whole."""

import io
import os
from pathlib import Path
from typing import BinaryIO

import pytest
from pyrage import DecryptError, decrypt, x25519

from siths_portal.ops import encryption

CONTENT = os.urandom(300_000)


@pytest.fixture
def custodians(tmp_path) -> dict[str, Path]:
    """Files with keys and recipients: two custodians of the first group, one of the second."""
    files = {}
    for group, people in (("first", ("anna", "bo")), ("second", ("cia",))):
        keys = {name: x25519.Identity.generate() for name in people}
        for name, key in keys.items():
            files[name] = tmp_path / name
            files[name].write_text(f"# {name}\n{key}\n")
        files[group] = tmp_path / group
        files[group].write_text("".join(f"# {name}\n{key.to_public()}\n" for name, key in keys.items()))
    return files


def encrypted(custodians) -> bytes:
    out = io.BytesIO()
    encryption.encrypt(io.BytesIO(CONTENT), out, encryption.recipients([custodians["first"], custodians["second"]]))
    return out.getvalue()


def write(custodians, out: BinaryIO, content: bytes, *, fails: bool = False) -> None:
    with encryption.encrypting(out, encryption.recipients([custodians["first"], custodians["second"]])) as plain:
        plain.write(content)
        if fails:
            raise ZeroDivisionError


def opened(content: bytes, *files: Path) -> bytes:
    with encryption.decrypted(io.BytesIO(content), encryption.identities(files)) as plain:
        return plain.read()


def test_one_of_each_group_opens_it_in_any_order(custodians):
    content = encrypted(custodians)
    assert opened(content, custodians["anna"], custodians["cia"]) == CONTENT
    assert opened(content, custodians["cia"], custodians["bo"]) == CONTENT


@pytest.mark.parametrize("names", [("anna",), ("cia",), ("anna", "bo")])
def test_a_group_alone_does_not_open_it(custodians, names):
    with pytest.raises(DecryptError):
        opened(encrypted(custodians), *(custodians[name] for name in names))


def test_what_was_cut_off_or_changed_is_found(custodians):
    content = encrypted(custodians)
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    for damaged in (content[:-1], content[: len(content) // 2], bytes(changed)):
        with pytest.raises((DecryptError, OSError)):
            opened(damaged, custodians["anna"], custodians["cia"])


@pytest.mark.parametrize("written", [b"", CONTENT[: 1 << 16], CONTENT], ids=["nothing", "one chunk", "all"])
def test_what_its_writer_did_not_finish_is_not_taken_for_whole(custodians, written):
    """Neither by us nor by the tool `age`, and the writer's own error is what the caller sees."""
    out = io.BytesIO()
    with pytest.raises(ZeroDivisionError):
        write(custodians, out, written, fails=True)
    with pytest.raises((DecryptError, OSError)):
        opened(out.getvalue(), custodians["anna"], custodians["cia"])
    anna, cia = (encryption.identities([custodians[name]]) for name in ("anna", "cia"))
    with pytest.raises(DecryptError):
        decrypt(decrypt(out.getvalue(), cia), anna)


def test_what_its_writer_finished_is_whole(custodians):
    out = io.BytesIO()
    write(custodians, out, CONTENT)
    assert opened(out.getvalue(), custodians["anna"], custodians["cia"]) == CONTENT


def test_it_is_age_twice(custodians):
    """So the tool `age` opens it without us."""
    anna, cia = (encryption.identities([custodians[name]]) for name in ("anna", "cia"))
    assert decrypt(decrypt(encrypted(custodians), cia), anna) == CONTENT


def test_files_that_would_let_one_person_open_it_are_refused(custodians, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text(f"{x25519.Identity.generate()}\n")
    for files in (
        [custodians["first"]],
        [custodians["first"], custodians["first"]],
        [custodians["first"], wrong],
        [wrong, tmp_path],
    ):
        with pytest.raises(encryption.WrongKeys) as refused:
            encryption.recipients(files)
        assert "AGE-SECRET-KEY" not in str(refused.value)
    both = tmp_path / "both"
    both.write_text(custodians["first"].read_text() + custodians["second"].read_text())
    with pytest.raises(encryption.WrongKeys):
        encryption.recipients([both, custodians["second"]])
