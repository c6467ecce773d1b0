"""Calls that do not return: the caller goes on, the thread is replaced, what it held is taken back. Held up in SoftHSM itself."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.conf import settings

from pki import hsm
from pki.hsm import Algorithm, Hsm, KeySpec, Scheme, calls, sessions
from pki.hsm.keys import verify
from pki.hsm.module import module
from tests.pki.hsm.hsm_faults import counted, finalise_behind_the_back, hanging, intercepted, wait_until_nobody_is_lost
from tests.pki_fixtures import TEST_PIN, make_token

LIMIT = 1.0
PATIENT = 60.0


def opened(label: str, seconds: float = LIMIT) -> Hsm:
    return Hsm(path=settings.PKCS11_MODULE, token_label=label, read_pin=lambda: TEST_PIN, call_seconds=seconds)


@pytest.fixture(scope="module")
def key():
    """A key in a token of these tests' own."""
    make_token("hsm-limits")
    return opened("hsm-limits", PATIENT).generate(KeySpec(Algorithm.EC_P256, "limits/ec"))


@pytest.fixture
def token(key, monkeypatch):
    """The token, logged in, whose circuit never stays open, in a module without lost threads."""
    monkeypatch.setattr(sessions, "BACK_OFF_SECONDS", (0,))
    here = module(settings.PKCS11_MODULE, "auto")
    here.restart(here.generation)
    assert signs(opened("hsm-limits"), key)
    yield opened("hsm-limits")
    wait_until_nobody_is_lost()
    here.locking = "auto"
    here.restart(here.generation)


def works(token: Hsm) -> bool:
    """Whether a call beside those that hang comes back, however slow the machine is."""
    return len(opened(token.token_label, PATIENT).random(8)) == 8


def signs(token: Hsm, key) -> bool:
    """Whether the token signs, however slow the machine is."""
    patient = opened(token.token_label, PATIENT)
    verify(patient.public_key(key), patient.sign(key, b"x", Scheme.ECDSA_SHA256), b"x", Scheme.ECDSA_SHA256)
    return True


def test_a_call_that_hangs_is_given_up_and_says_that_it_had_begun(token, key):
    with hanging("C_Sign") as inside:
        with pytest.raises(hsm.HsmUnavailable, match="does not return") as given_up:
            token.sign(key, b"x", Scheme.ECDSA_SHA256)
        assert given_up.value.began
        assert inside.acquire(timeout=30)
        assert works(token)  # others work beside the call that still hangs
    assert signs(token, key)


def test_more_calls_may_hang_than_there_are_sessions(token, key):
    with hanging("C_Sign"):
        for _ in range(sessions.MAX_SESSIONS + 1):
            with pytest.raises(hsm.HsmUnavailable, match="does not return"):
                token.sign(key, b"x", Scheme.ECDSA_SHA256)
    assert signs(token, key)


def test_the_circuit_opens_for_a_call_that_hung(key, monkeypatch):
    monkeypatch.setattr(sessions, "BACK_OFF_SECONDS", (600,))
    make_token("hsm-limits-circuit")
    token = opened("hsm-limits-circuit")
    other = opened("hsm-limits-circuit", PATIENT).generate(KeySpec(Algorithm.EC_P256, "limits/circuit"))
    with hanging("C_Sign"), pytest.raises(hsm.HsmUnavailable, match="does not return"):
        token.sign(other, b"x", Scheme.ECDSA_SHA256)
    with pytest.raises(hsm.HsmUnavailable, match="a moment ago"):
        token.sign(other, b"x", Scheme.ECDSA_SHA256)
    wait_until_nobody_is_lost()


def test_calls_that_fail_together_open_the_circuit_once(key, monkeypatch):
    """One disturbance met by several callers is not several: the token is asked again after the first pause."""
    make_token("hsm-limits-together")
    token = opened("hsm-limits-together")
    other = opened("hsm-limits-together", PATIENT).generate(KeySpec(Algorithm.EC_P256, "limits/together"))
    now = [1000.0]
    monkeypatch.setattr(sessions, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with hanging("C_Sign"), ThreadPoolExecutor(sessions.MAX_SESSIONS) as pool:
        together = [pool.submit(token.sign, other, b"x", Scheme.ECDSA_SHA256) for _ in range(sessions.MAX_SESSIONS)]
        assert {type(each.exception()) for each in together} == {hsm.HsmUnavailable}
    with pytest.raises(hsm.HsmUnavailable, match="a moment ago"):
        token.sign(other, b"x", Scheme.ECDSA_SHA256)
    now[0] += sessions.BACK_OFF_SECONDS[0]
    assert signs(token, other)
    wait_until_nobody_is_lost()


def test_where_one_call_goes_at_a_time_a_hanging_one_keeps_the_others_out(token, key):
    here = module(settings.PKCS11_MODULE, "auto")
    here.locking = "global"
    here.restart(here.generation)
    assert signs(token, key)
    with hanging("C_Sign"):
        with pytest.raises(hsm.HsmUnavailable, match="does not return"):
            token.sign(key, b"x", Scheme.ECDSA_SHA256)
        with pytest.raises(hsm.HsmUnavailable, match="earlier call") as refused:
            token.random(8)
        assert not refused.value.began
    wait_until_nobody_is_lost()
    assert signs(token, key)


def test_a_module_with_a_lost_thread_inside_is_not_finalised(token, key):
    here = module(settings.PKCS11_MODULE, "auto")
    with hanging("C_Sign"), counted("C_Finalize") as finalised:
        with pytest.raises(hsm.HsmUnavailable, match="does not return"):
            token.sign(key, b"x", Scheme.ECDSA_SHA256)
        generation = here.generation
        here.restart(generation)
        assert here.generation == generation + 1
        assert works(token)
        assert finalised == []
    wait_until_nobody_is_lost()
    with counted("C_Finalize") as finalised:
        here.restart(here.generation)
    assert len(finalised) == 1
    assert signs(token, key)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_module_that_was_finalised_while_a_thread_is_lost_comes_back(token, key):
    with hanging("C_Sign"):
        with pytest.raises(hsm.HsmUnavailable, match="does not return"):
            token.sign(key, b"x", Scheme.ECDSA_SHA256)
        finalise_behind_the_back()
        assert works(token)
    wait_until_nobody_is_lost()
    assert signs(token, key)


def test_a_log_in_that_hangs_stops_nobody_for_good(token, key):
    here = module(settings.PKCS11_MODULE, "auto")
    here.restart(here.generation)
    with hanging("C_Login"), pytest.raises(hsm.HsmUnavailable, match="does not return") as given_up:
        token.sign(key, b"x", Scheme.ECDSA_SHA256)
    assert not given_up.value.began
    wait_until_nobody_is_lost()
    assert signs(token, key)


def test_a_start_of_the_module_that_hangs_ends_too(token, key):
    with hanging("C_Initialize"):
        finalise_behind_the_back()
        with pytest.raises(hsm.HsmUnavailable, match="does not return"):
            token.sign(key, b"x", Scheme.ECDSA_SHA256)
        with pytest.raises(hsm.HsmUnavailable, match="earlier call"):
            token.random(8)
    wait_until_nobody_is_lost()
    assert signs(token, key)


def test_a_child_forked_while_a_call_hangs_works(token, key):
    """The thread is lost outside any lock of SoftHSM, so the child's first call finds none taken."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    with hanging("C_Sign"):
        with pytest.raises(hsm.HsmUnavailable, match="does not return"):
            token.sign(key, b"x", Scheme.ECDSA_SHA256)
        process = context.Process(target=_digest_in_child, args=(opened("hsm-limits", PATIENT), results))
        process.start()
        assert results.get(timeout=150) == 8
        process.join(150)
    assert process.exitcode == 0


def _digest_in_child(token: Hsm, results) -> None:
    try:
        results.put(len(token.random(8)))
    except Exception as error:  # noqa: BLE001
        results.put(repr(error))


def test_waiting_for_a_session_does_not_count(key):
    """More calls than sessions, each shorter than the limit and all of them longer: none is given up for waiting its turn."""
    make_token("hsm-limits-wait")
    slow = opened("hsm-limits-wait", 4)
    ref = opened("hsm-limits-wait", PATIENT).generate(KeySpec(Algorithm.EC_P256, "limits/wait"))
    answers = []

    def slowly(call):
        threading.Event().wait(0.5)
        return call()

    def work() -> None:
        answers.append(len(slow.sign(ref, b"x", Scheme.ECDSA_SHA256)))

    threads = [threading.Thread(target=work) for _ in range(10 * sessions.MAX_SESSIONS)]
    with intercepted("C_SignInit", slowly):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == len(threads)


def test_what_the_work_raises_is_raised_and_threads_are_used_again():
    threads = set()

    def work() -> None:
        threads.add(threading.current_thread())
        raise ZeroDivisionError

    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            calls.run(work, 30)
    assert len(threads) == 1
    assert threads != {threading.current_thread()}


def test_without_a_limit_the_work_is_done_in_the_callers_thread():
    assert calls.run(threading.current_thread, 0) is threading.current_thread()
