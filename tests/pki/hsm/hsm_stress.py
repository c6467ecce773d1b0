"""One process of the stress: threads that sign while the module is finalised behind their backs. Started by `test_hsm_stress`.

Arguments: token, CKA_ID, locking, signatures a thread. Prints JSON: signatures, how often the module was finalised, how often we
reconnected, how often a caller was told to come again. It is finalised after random numbers of signatures, when no thread is
inside: C_Finalize with others inside is undefined (PKCS #11 2.40 section 5.4), and SoftHSM crashes now and then.
"""

import ctypes
import json
import random
import sys
import threading

from prometheus_client import REGISTRY

from pki.hsm import Hsm, HsmUnavailable, Scheme, sessions
from pki.hsm.module import module
from tests.pki_fixtures import TEST_PIN

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
THREADS = 4


def main() -> None:
    label, key_id, locking, count = sys.argv[1:]
    sessions.BACK_OFF_SECONDS = (0,)  # the circuit is not what is tried here
    token = Hsm(path=SOFTHSM, token_label=label, read_pin=lambda: TEST_PIN, locking=locking, call_seconds=60)
    here, library = module(SOFTHSM, locking), ctypes.CDLL(SOFTHSM)
    token.random(8)
    assert here.global_lock == (locking == "global")
    signed: list[tuple[str, str]] = []
    faults: list[str] = []
    again: list[bytes] = []
    finalised, over, progress = [0], threading.Event(), threading.Semaphore(0)

    def sign(number: int) -> None:
        for turn in range(int(count)):
            data = f"{number}/{turn}"
            try:
                signed.append((data, patiently(data.encode()).hex()))
            except Exception as error:  # noqa: BLE001
                faults.append(repr(error))
            progress.release()

    def patiently(data: bytes) -> bytes:
        """As the worker does: a call is repeated once within (E2.6); who hits two ends in a row is told to come again."""
        while True:
            try:
                return token.sign(key_id, data, Scheme.ECDSA_SHA256)
            except HsmUnavailable:
                again.append(data)

    def finalise() -> None:
        while True:
            for _ in range(random.randint(5, 40)):
                progress.acquire()
            if over.is_set():
                return
            with here._lock.exclusive():
                library.C_Finalize(None)
            finalised[0] += 1

    threads = [threading.Thread(target=sign, args=(number,)) for number in range(THREADS)]
    spoiler = threading.Thread(target=finalise)
    for thread in [*threads, spoiler]:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    progress.release(40)
    spoiler.join()
    reconnects = REGISTRY.get_sample_value("hsm_reconnects_total")
    print(
        json.dumps({"signed": signed, "faults": faults, "again": len(again), "finalised": finalised[0], "reconnects": reconnects})
    )


main()
