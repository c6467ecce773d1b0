"""The house's tokens outlive a kill in the middle of a log-in."""

import os
import subprocess
from pathlib import Path

import pytest

from siths_portal.dev import tokens
from siths_portal.dev.home import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path, "test", 8000, tmp_path / "run", tmp_path / "pg")
    (made.var / "tokens").mkdir(parents=True)
    return made


def visible(house: House) -> str:
    conf = house.var / "softhsm2.conf"
    conf.write_text(tokens.SOFTHSM_CONF.format(folder=house.var / "tokens"))
    command = ["softhsm2-util", "--show-slots"]
    return subprocess.run(
        command, env=os.environ | {"SOFTHSM2_CONF": str(conf)}, capture_output=True, text=True, check=True
    ).stdout


def test_a_token_whose_file_a_kill_emptied_is_put_back(house: House) -> None:
    visible(house)
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "healed", "--pin", "123456", "--so-pin", "12345678"],
        env=os.environ | {"SOFTHSM2_CONF": str(house.var / "softhsm2.conf")}, check=True, capture_output=True,
    )  # fmt: skip
    assert tokens.heal(house.var) == 0
    tokens.keep_copies(house.var)
    (file,) = (house.var / "tokens").glob("*/token.object")
    file.write_bytes(b"")
    assert "healed" not in visible(house)
    tokens.keep_copies(house.var)  # must not keep the empty one
    assert tokens.heal(house.var) == 1
    assert "healed" in visible(house)
    assert tokens.heal(house.var) == 0
