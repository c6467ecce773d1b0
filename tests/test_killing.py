"""Kills that leave the token's file whole."""

import multiprocessing
import signal
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections

from pki.hsm import hsm_for
from pki.hsm.module import module
from siths_portal.lib import faults
from tests.killing import between_logins
from tests.pki_fixtures import make_token, remove_tokens
from tests.waiting import wait_for

LABEL = "killed"
KILLS = 20


def log_in_again_and_again(begun: Path) -> None:
    while True:
        hsm_for(LABEL).random(1)
        begun.touch()
        ours = module(settings.PKCS11_MODULE, settings.HSM_LOCKING)
        ours.restart(ours.generation)


def test_a_kill_amid_logins_leaves_the_token_whole(tmp_path: Path) -> None:
    (folder,) = make_token(LABEL)
    begun = tmp_path / "begun"
    whole = (folder / "token.object").stat().st_size
    connections.close_all()
    for number in range(KILLS):
        begun.unlink(missing_ok=True)
        process = multiprocessing.get_context("fork").Process(target=log_in_again_and_again, args=[begun])
        process.start()
        wait_for(begun.exists)
        process.join(number / 2000)  # another moment of the login each time
        with between_logins():
            process.kill()
            process.join()
        assert (folder / "token.object").stat().st_size == whole
    remove_tokens([folder])


def test_a_named_point_amid_logins_of_the_same_process_leaves_the_token_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = make_token(LABEL)
    begun, armed = tmp_path / "begun", tmp_path / "cut"
    monkeypatch.setenv("SITHS_FAULT_DIR", str(tmp_path))

    def cut(after: float) -> None:
        logins = threading.Thread(target=log_in_again_and_again, args=[begun], daemon=True)
        logins.start()
        wait_for(begun.exists)
        logins.join(after)  # another moment of the login each time
        faults.point("cut")

    whole = (folder / "token.object").stat().st_size
    connections.close_all()
    for number in range(KILLS):
        begun.unlink(missing_ok=True)
        armed.touch()
        process = multiprocessing.get_context("fork").Process(target=cut, args=[number / 2000])
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert (folder / "token.object").stat().st_size == whole
    remove_tokens([folder])
