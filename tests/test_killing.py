"""Kills that leave the token's file whole."""

import multiprocessing
from pathlib import Path

from django.conf import settings
from django.db import connections

from pki.hsm import hsm_for
from pki.hsm.module import module
from tests.killing import between_logins
from tests.pki_fixtures import make_token, remove_tokens
from tests.waiting import wait_for

LABEL = "killed"
KILLS = 20


def test_a_kill_amid_logins_leaves_the_token_whole(tmp_path: Path) -> None:
    (folder,) = make_token(LABEL)
    begun = tmp_path / "begun"

    def log_in_again_and_again() -> None:
        while True:
            hsm_for(LABEL).random(1)
            begun.touch()
            ours = module(settings.PKCS11_MODULE, settings.HSM_LOCKING)
            ours.restart(ours.generation)

    whole = (folder / "token.object").stat().st_size
    connections.close_all()
    for number in range(KILLS):
        begun.unlink(missing_ok=True)
        process = multiprocessing.get_context("fork").Process(target=log_in_again_and_again)
        process.start()
        wait_for(begun.exists)
        process.join(number / 2000)  # another moment of the login each time
        with between_logins():
            process.kill()
            process.join()
        assert (folder / "token.object").stat().st_size == whole
    remove_tokens([folder])
