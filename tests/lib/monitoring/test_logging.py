"""Log lines: nothing personal gets in, nothing hostile gets out of its line, and every library's lines go the same way."""

import json
import logging
import re
import subprocess
import sys
import traceback
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError, connection
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from hypothesis import given
from hypothesis import strategies as st

from siths_portal.lib.errors import Conflict
from siths_portal.lib.monitoring import redaction
from siths_portal.lib.monitoring.logging import RequestIdMiddleware
from tests.chance import without_chance

log = structlog.get_logger("siths_portal.tests")

PERSONAL = [
    "189001019802",
    "18900101-9802",
    "900101-9802",
    "900101+9802",
    "9001019802",
    "900101 9802",
    "900101\u20119802",
    "900161-9802",  # samordningsnummer: day plus 60
    "SE2321000131-P000000003UU",
    "se2321000131-p03",
    "SE165565594230-1003",
    "TSTNMT2321000156-1003",
    "TST5565594230-ABC9",
    "9752269012345678901",
    "9752 2690 123 4567 8901",
    "9752-2690-123-4567-8901",
    "9752 269012 34567 8901",
    "9752\u00a02690\u00a0123\u00a04567\u00a08901",
    "asa.provsson@vgregion.example",
    "eyJhbGciOiJFQ0RILUVTIn0..abc.def.ghi",
]


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    out, err = capfd.readouterr()
    assert out == "", "log lines belong on standard error, where they do not mix with a command's result"
    return [json.loads(line) for line in err.splitlines()]


@pytest.mark.parametrize("text", PERSONAL)
@pytest.mark.parametrize("around", ["{}", "före {} efter", "x={};", "[{}]", "/sok/{}/", '"{}"', "åäö{}"])
def test_numbers_are_hidden_wherever_they_stand(text: str, around: str, capfd: pytest.CaptureFixture[str]) -> None:
    written = around.format(text)
    log.info(written, note=written, nested={"a": [{"b": (written,)}], written: 1}, items=[written])
    (line,) = lines(capfd)
    assert "[dolt]" in str(line["event"])
    assert "[dolt]" in str(line["note"])
    digits = re.sub(r"\D", "", text)
    plain = re.sub(r"[^0-9a-z]", "", json.dumps({k: v for k, v in line.items() if k != "timestamp"}, ensure_ascii=False).lower())
    assert re.sub(r"[^0-9a-z]", "", text.lower())[2:] not in plain
    assert not digits or len(digits) < 8 or digits not in plain


def test_what_is_ours_stays_readable(capfd: pytest.CaptureFixture[str]) -> None:
    some, order = uuid4(), UUID("01909012-1234-7123-9123-900101980212")
    digest = "00190010198022" + "ab" * 25
    log.info(
        "card.sent", some=some, order=str(order), digest=digest, count=1234567890, milliseconds=12, orgnr="232100-0131",
        at=datetime(2026, 11, 25, tzinfo=UTC), price=Decimal("50.00"), error_code="already-sent", code="no-such-post",
        task_name="audit.seal", secret=order, ok=True, none=None,
    )  # fmt: skip
    (line,) = lines(capfd)
    assert line["event"] == "card.sent"
    assert (line["some"], line["order"], line["secret"]) == (str(some), str(order), str(order))
    assert line["digest"] == digest
    assert (line["count"], line["milliseconds"], line["orgnr"], line["price"]) == (1234567890, 12, "232100-0131", "50.00")
    assert (line["error_code"], line["code"], line["task_name"]) == ("already-sent", "no-such-post", "audit.seal")
    assert (line["ok"], line["none"], line["level"], line["logger"]) == (True, None, "info", "siths_portal.tests")


@pytest.mark.parametrize(
    "key",
    [
        "pin", "PUK", "puk_code", "code", "password", "client_secret", "Authorization", "access_token", "personnummer",
        "person_id", "hsa_id", "hsaId", "employeeHsaId", "serial", "card_serial", "serialNumber", "name", "given_name",
        "givenName", "surname", "registered_address", "postal_code", "email", "mail", "args", "kwargs",
    ],
)  # fmt: skip
def test_values_under_telling_keys_are_hidden_at_every_depth(key: str, capfd: pytest.CaptureFixture[str]) -> None:
    for value in ("Åsa Provsson", 482913, ["Åsa Provsson"], {"kind": "Åsa Provsson"}, 4829.13):
        log.info("x", **{key: value}, outer={"list": [{key: value}]})
    shown = [{name: value for name, value in line.items() if name != "timestamp"} for line in lines(capfd)]
    assert str(shown).count("[dolt]") == 10
    assert "Provsson" not in str(shown)
    assert "4829" not in str(shown)


@pytest.mark.parametrize(
    "key", ["status_code_hint", "hostname", "shipping", "spinning", "encoded", "filename", "file_name", "mailbox"]
)
def test_words_inside_words_hide_nothing(key: str, capfd: pytest.CaptureFixture[str]) -> None:
    log.info("x", **{key: "värde"})
    assert lines(capfd)[0][key] == ("[dolt]" if key == "status_code_hint" else "värde")


def test_a_value_cannot_leave_its_line(capfd: pytest.CaptureFixture[str]) -> None:
    hostile = '\n{"event": "forged"}\r\x1b[2J\x9b31m\u202eabc\u2066\u2028\u2029\u0085\x00\ud800"'
    log.info(hostile, note=hostile, **{"a\nb": {hostile: hostile}})
    err = capfd.readouterr().err
    assert len(err.splitlines()) == 1, "str.splitlines also breaks at NEL and the Unicode separators"
    line = json.loads(err)
    assert set(line) == {"event", "note", "a\\u000ab", "level", "logger", "timestamp"}
    assert line["note"].startswith(
        '\\u000a{"event": "forged"}\\u000d\\u001b[2J\\u009b31m\\u202eabc\\u2066\\u2028\\u2029\\u0085\\u0000\\ud800'
    )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.uuids(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_anything_can_be_logged(value: object) -> None:
    text = json.dumps(redaction.clean(value), ensure_ascii=False, allow_nan=False)
    assert "\n" not in text
    text.encode()


def test_long_values_and_deep_ones_end(capfd: pytest.CaptureFixture[str]) -> None:
    deep: dict[str, object] = {}
    deep["again"] = deep
    log.info("x", long="a" * 10_000_000, deep=deep, blob=b"189001019802", thing=RequestFactory().get("/?q=Provsson"))
    err = capfd.readouterr().err
    assert len(err) < 10_000
    assert "Provsson" not in err
    assert json.loads(err)["blob"] == "[12 bytes]"


def test_an_exception_tells_type_and_place_and_not_its_words(capfd: pytest.CaptureFixture[str]) -> None:
    surname = "Provsson"
    try:
        try:
            int(surname)
        except ValueError as error:
            raise KeyError(surname) from error
    except KeyError:
        log.exception("import.failed")
    out = capfd.readouterr().err
    line = json.loads(out)
    assert line["exception"][0] == "KeyError"
    assert "caused by ValueError" in line["exception"]
    assert any("test_logging.py" in frame for frame in line["exception"])
    assert "Provsson" not in out


def test_a_domain_error_tells_its_code(capfd: pytest.CaptureFixture[str]) -> None:
    log.error("x", exc_info=Conflict("already-sent", "Kortet är redan skickat."), cause=Conflict("other", "…"))
    (line,) = lines(capfd)
    assert line["exception"] == ["Conflict: already-sent"]
    assert line["cause"] == "Conflict: other"


@pytest.mark.django_db
def test_a_database_error_tells_constraint_and_not_the_row(capfd: pytest.CaptureFixture[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE guest (surname text CONSTRAINT one_surname UNIQUE)")
        cursor.execute("INSERT INTO guest VALUES ('Provsson')")
        try:
            cursor.execute("INSERT INTO guest VALUES (%s)", ["Provsson"])
        except IntegrityError:
            log.exception("x")
            logging.getLogger("django.db").exception("again %s", "Åsa Provsson"[:0])
    out = capfd.readouterr().err
    first, second = (json.loads(line) for line in out.splitlines())
    assert first["exception"][0] == "IntegrityError: sqlstate=23505 table=guest constraint=one_surname"
    assert second["exception"][0] == first["exception"][0]
    assert "Provsson" not in out


def test_statements_and_their_parameters_are_never_logged(capfd: pytest.CaptureFixture[str]) -> None:
    assert not logging.getLogger("django.db.backends").isEnabledFor(logging.INFO)
    logging.getLogger("django.db.backends").debug("SELECT %s", "Provsson")
    logging.getLogger("django.server").info('"GET /?q=Provsson HTTP/1.1" 200')
    assert lines(capfd) == []


@login_not_required
def boom(request: object, who: str) -> None:
    surname = "Provsson"
    raise ValueError(surname)


urlpatterns = [path("boom/<str:who>/", boom)]


@pytest.mark.personal_addresses
@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_in_a_view_is_logged_without_the_request(debug: bool, capfd: pytest.CaptureFixture[str]) -> None:
    with override_settings(DEBUG=debug):
        client = Client(raise_request_exception=False)
        answer = client.post("/boom/Provsson/?namn=Provsson", {"personnummer": "189001019802"}, HTTP_COOKIE="a=Provsson")
        missing = client.get("/finns/inte/Provsson/")
    out = capfd.readouterr().err
    fault, unknown = (json.loads(line) for line in out.splitlines())
    assert answer.status_code == 500
    assert missing.status_code == 404
    assert (fault["event"], fault["status"], fault["route"]) == ("Internal Server Error", 500, "boom/<str:who>/")
    assert fault["exception"][0] == "ValueError"
    assert (unknown["event"], unknown["status"], unknown["route"]) == ("Not Found", 404, None)
    assert fault["request_id"] == answer["X-Request-Id"]
    assert "Provsson" not in out
    assert "1890" not in without_chance(out)


def test_a_forged_host_is_logged_in_one_clean_line(capfd: pytest.CaptureFixture[str]) -> None:
    answer = Client(raise_request_exception=False).get("/", HTTP_HOST='evil.example"\n{"event": "forged"}')
    out = capfd.readouterr().err
    assert answer.status_code == 400
    assert "Invalid HTTP_HOST header" in out
    assert "evil" not in out
    assert all(json.loads(line)["level"] in ("error", "warning") for line in out.splitlines())


def test_other_libraries_go_the_same_way(capfd: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("redis").warning("lost %s of %s: %r", 1, RequestFactory().get("/Provsson"), ValueError("Provsson"))
    out = capfd.readouterr().err
    (first,) = (json.loads(line) for line in out.splitlines())
    assert (first["event"], first["logger"], first["level"]) == ("lost 1 of [WSGIRequest]: 'ValueError'", "redis", "warning")
    assert "Provsson" not in out


def test_a_traceback_in_a_servers_message_loses_its_words(capfd: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("Provsson\nProvsson")
    except ValueError:
        text = traceback.format_exc()
    logging.getLogger("_granian.utils").error(f"Application callable raised an exception\n{text}")
    out = capfd.readouterr().err
    line = json.loads(out)
    assert line["event"] == "Application callable raised an exception"
    assert any("test_logging.py" in frame for frame in line["exception"])
    assert "Provsson" not in out


def test_celery_tells_the_task_and_neither_arguments_nor_words(capfd: pytest.CaptureFixture[str]) -> None:
    from celery.app.trace import LOG_FAILURE

    facts = {
        "id": "5f0c",
        "name": "pki.sign",
        "description": "raised unexpected",
        "exc": "ValueError('Provsson')",
        "args": "['Provsson']",
    }
    try:
        raise ValueError("Provsson")
    except ValueError:
        logging.getLogger("celery.app.trace").error(LOG_FAILURE, facts, exc_info=True, extra={"data": facts})
    out = capfd.readouterr().err
    line = json.loads(out)
    assert (line["event"], line["task"], line["task_id"]) == ("task.raised-unexpected", "pki.sign", "5f0c")
    assert line["exception"][0] == "ValueError"
    assert "Provsson" not in out


def test_each_request_has_an_id_of_its_own_in_its_lines_and_its_answer(capfd: pytest.CaptureFixture[str]) -> None:
    from django.http import HttpResponse

    def view(_request: object) -> HttpResponse:
        log.info("inside")
        return HttpResponse()

    middleware = RequestIdMiddleware(view)  # type: ignore[arg-type]
    first = middleware(RequestFactory().get("/", HTTP_X_REQUEST_ID="chosen-by-the-client"))
    second = middleware(RequestFactory().get("/"))
    log.info("outside")
    one, two, outside = lines(capfd)
    assert (one["request_id"], two["request_id"]) == (first["X-Request-Id"], second["X-Request-Id"])
    assert len({first["X-Request-Id"], second["X-Request-Id"], "chosen-by-the-client"}) == 3
    assert "request_id" not in outside


def test_a_running_worker_and_a_command_log_json_alone() -> None:
    code = (
        "import django, logging; django.setup(); from celery.app.log import Logging; from siths_portal.celery import app;"
        "app.log.setup_logging_subsystem(loglevel='INFO'); logging.getLogger('celery').warning('one');"
        "import structlog; structlog.get_logger('pki.x').info('two'); structlog.get_logger('other').info('too quiet');"
        "import warnings; warnings.simplefilter('always'); warnings.warn('18900101-9802 is old')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    one, two, warned = (json.loads(line) for line in done.stderr.splitlines())
    assert (one["event"], two["event"], warned["logger"]) == ("one", "two", "py.warnings")
    assert "[dolt] is old" in warned["event"]
    assert done.stdout == ""
