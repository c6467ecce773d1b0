"""Tokens for tests. They lie in the run's own SoftHSM folder (see `conftest.py`)."""

import os
import subprocess

SO_PIN = "12345678"
TEST_PIN = "648219"


def make_token(label: str, pin: str = TEST_PIN) -> None:
    """Makes an empty SoftHSM token. A process that has the module open sees it after its next initialisation."""
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", SO_PIN],
        check=True,
        capture_output=True,
        env=os.environ,
    )
