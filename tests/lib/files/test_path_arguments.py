"""Path arguments of the commands: a mistyped path is one line, exit status 2 and no new folder."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from siths_portal.lib.files import path_arguments

OURS = ("authn", "billing", "issuance", "pki", "siths_portal")
MISSING = [
    "authn_sync_clients {0}/x/file",
    "billing_export --month 2023-04 --format pdf --to {0}/x",
    "billing_payments {0}/x",
    "demo_run --out {0}/x/y",
    "issuance_first_administrators {0}/x",
    "issuance_import_directory {0}/x",
    "pki_ceremony {0}/x",
    "pki_ceremony {0}/file --approval {0}/x",
    "pki_export {0}/x --ca function",
    "pki_import {0}/x",
    "pki_import {0} --report {0}/x",
    "pki_issue --profile function --csr {0}/x",
    "pki_issue --profile function --csr {0}/file --out {0}/x/y",
    "pki_mass_revoke count --serials {0}/x",
    "pki_mass_revoke count --keys {0}/x",
    "pki_ocsp_signer root --request {0}/x/y",
    "pki_ocsp_signer root --certificate {0}/x",
    "pki_publish_crls --ca root --file {0}/x",
    "pki_split_pin --folder {0}/x",
    "pki_split_pin --pin-file {0}/x",
]


@pytest.mark.parametrize("line", MISSING)
def test_a_mistyped_path_is_one_line_and_status_2(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    name, *arguments = line.format(tmp_path).split()
    with pytest.raises(SystemExit) as ended:
        load_command_class(get_commands()[name], name).run_from_argv(["manage.py", name, *arguments])
    *_usage, last = capsys.readouterr().err.splitlines()
    assert (ended.value.code, "error: argument" in last, str(tmp_path) in last) == (2, True, True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def _path_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _path_actions(each)
        elif action.help != argparse.SUPPRESS and (action.type is Path or action.metavar in ("FIL", "MAPP", "FILE", "FOLDER")):
            yield action


def test_every_path_argument_of_a_command_is_checked_before_it_runs() -> None:
    """`pki_mass_revoke` reads its files as it parses the arguments."""
    checked = {getattr(path_arguments, name) for name in dir(path_arguments) if not name.startswith("_")}
    found = {
        (name, action.dest): action.type
        for name, app in get_commands().items()
        if app in OURS
        for action in _path_actions(load_command_class(app, name).create_parser("manage.py", name))
    }
    unchecked = {key for key, kind in found.items() if kind not in checked - {Path}}
    assert len(found) >= 16
    assert unchecked == {("pki_mass_revoke", "serials"), ("pki_mass_revoke", "keys")}


def test_what_each_type_refuses(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    refused = {
        path_arguments.readable_file: ["", f"{tmp_path}", f"{tmp_path}/x"],
        path_arguments.readable_folder: ["", f"{file}", f"{tmp_path}/x"],
        path_arguments.writable_folder: ["", f"{file}", f"{tmp_path}/x"],
        path_arguments.output_file: ["", f"{tmp_path}", f"{file}/x", f"{tmp_path}/x/y"],
        path_arguments.result_folder: ["", f"{file}", f"{tmp_path}/x/y"],
    }
    for kind, texts in refused.items():
        for text in texts:
            with pytest.raises(argparse.ArgumentTypeError):
                kind(text)
    assert path_arguments.readable_file(str(file)) == file
    assert path_arguments.output_file(f"{tmp_path}/new") == tmp_path / "new"
    assert path_arguments.result_folder(f"{tmp_path}/new") == tmp_path / "new"
    assert not (tmp_path / "new").exists()
