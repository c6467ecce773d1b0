"""Other OCSP responders, and nginx with files, over the same serials; each a process that a bench starts and ends.

django-ca is under the GPL (ADR 0176): it runs as a program of its own out of an environment that is made for the run, and nothing
of ours imports it.
"""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.bench.load import Server, listens, required, started
from tests.bench.ocsp_corpus import Corpus
from tests.ports import free_port
from tests.waiting import wait_for

NGINX = """
{user} daemon off; pid {folder}/pid; worker_processes 2; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; sendfile on; open_file_cache max=4096;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; default_type application/ocsp-response; expires 60s; {more} }}
}}
"""
FILES = 1000  # as many as its cache of open files holds with room to spare


@contextlib.contextmanager
def fixed(corpus: Corpus) -> Iterator[Server]:
    """nginx with one answer of that size to every POST, by a connection a request: what the client can at most."""
    with _nginx(corpus, "fixed", f'location /ocsp {{ return 200 "{"x" * len(corpus.answers[0])}"; }}') as server:
        yield replace(server, requests=corpus.posts, close=True)


@contextlib.contextmanager
def nginx(corpus: Corpus) -> Iterator[Server]:
    """nginx with answers as files, open and cached."""
    with _nginx(corpus, "nginx") as server:
        yield server


@contextlib.contextmanager
def _nginx(corpus: Corpus, name: str, more: str = "") -> Iterator[Server]:
    folder, port = corpus.folder / name, free_port()
    (folder / "files").mkdir(parents=True)
    for number, answer in enumerate(corpus.answers[:FILES]):
        (folder / "files" / str(number)).write_bytes(answer)
    requests = folder / "requests"
    requests.write_text("\n".join(f"G /{number}" for number in range(min(FILES, len(corpus.answers)))))
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, user=user, more=more))
    command = [required("nginx", "nginx"), "-e", "stderr", "-c", folder / "nginx.conf"]
    with started(command, port, folder / "log") as pid:
        yield Server(f"http://127.0.0.1:{port}", pid, requests)


BARE = """
ANSWERS = {{}}
for line in open({file!r}):
    ANSWERS[bytes.fromhex(line[2:].strip())] = [b"x" * {size}]
HEADERS = [("Content-Type", "application/ocsp-response"), ("Content-Length", "{size}")]
def app(environ, start_response):
    body = ANSWERS[environ["wsgi.input"].read()]
    start_response("200 OK", HEADERS)
    return body
"""


@contextlib.contextmanager
def bare(corpus: Corpus) -> Iterator[Server]:
    """A function that looks the request's bytes up, under the same server as `pki_ocspd`: what its own work costs beside."""
    (corpus.folder / "bare_app.py").write_text(BARE.format(file=str(corpus.posts), size=len(corpus.answers[0])))
    port = free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--http", "1", "--port", port, "--workers", 2,
        "--blocking-threads", 1, "--log-level", "error", "--working-dir", corpus.folder, "bare_app:app",
    ]  # fmt: skip
    with started(command, port, corpus.folder / "bare.log", cwd=corpus.folder) as pid:
        yield Server(f"http://127.0.0.1:{port}", pid, corpus.posts)


@contextlib.contextmanager
def cfssl(corpus: Corpus) -> Iterator[Server]:
    """`cfssl ocspserve` with one answer a serial."""
    responses, port = corpus.folder / "cfssl", free_port()
    responses.write_text("\n".join(base64.b64encode(answer).decode() for answer in corpus.answers))
    command = [required("cfssl", "golang-cfssl"), "ocspserve", "-address", "127.0.0.1", "-port", port, "-responses", responses]
    command += ["-loglevel", 5]
    with started(command, port, corpus.folder / "cfssl.log", env=os.environ | {"GOMAXPROCS": "2"}) as pid:
        yield Server(f"http://127.0.0.1:{port}", pid, corpus.posts)


class Openssl:
    """`openssl ocsp -multi 2`, which signs each answer and takes a connection a request.

    Begun anew for each run, and ended with it: it goes round in circles after a connection that was closed unused, as at a run's
    end, and would take a core or two from whatever is measured next.
    """

    def __init__(self, corpus: Corpus) -> None:
        folder = corpus.folder / "openssl"
        folder.mkdir()
        end = corpus.responder.next_update.strftime("%y%m%d%H%M%SZ")
        lines = [f"V\t{end}\t\t{number:0{len(f'{number:x}') + 1 & ~1}X}\tunknown\t/CN=x" for number in corpus.serials]
        (folder / "index.txt").write_text("\n".join(lines) + "\n")
        (folder / "index.txt.attr").write_text("unique_subject = no\n")
        (folder / "ca.pem").write_bytes(corpus.responder.ca.pem)
        (folder / "signer.pem").write_bytes(corpus.responder.certificate.public_bytes(serialization.Encoding.PEM))
        key = corpus.responder.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "signer.key").write_bytes(key)
        self.port, self._folder = free_port(), folder
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, server: Server) -> None:
        """A new process, from when it listens."""
        self.end()
        folder = self._folder
        command = [required("openssl", "openssl"), "ocsp", "-index", folder / "index.txt", "-CA", folder / "ca.pem"]
        command += ["-rsigner", folder / "signer.pem", "-rkey", folder / "signer.key", "-resp_key_id", "-nmin", 1440]
        command += ["-port", self.port, "-multi", 2, "-ignore_err"]
        with (folder / "log").open("ab") as log:
            # It makes a process group of its own, which the leader of a session may not.
            self._process = subprocess.Popen([*map(str, command)], stdout=log, stderr=log)
        server.pid = self._process.pid
        wait_for(lambda: listens(self.port), alive=self._look)

    def _look(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()[-3000:]

    def end(self) -> None:
        """Ends it and its children, and waits until the last of them has let go of the port."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait(30)
            self._process = None
            wait_for(lambda: not listens(self.port))


@contextlib.contextmanager
def openssl(corpus: Corpus) -> Iterator[Server]:
    """On its own terms."""
    made = Openssl(corpus)
    try:
        yield Server(f"http://127.0.0.1:{made.port}", 0, corpus.posts, close=True, before=made.begin, after=made.end)
    finally:
        made.end()


DJANGO_CA = "3.2.0"
CA_SERIAL = "4D5A"
SETTINGS = """
import datetime, json
from django.core.cache import cache
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["*"]
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_object_actions", "django_ca"]
MIDDLEWARE = []
ROOT_URLCONF = "peer_urls"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
CACHES = {{"default": {{"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {{"MAX_ENTRIES": 10_000_000}}}}}}
STORAGES = {{"default": {{"BACKEND": "django.core.files.storage.FileSystemStorage"}},
    "django-ca": {{"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {{"location": {folder!r}}}}}}}
CA_USE_CELERY = False
CA_DEFAULT_HOSTNAME = "localhost"
CA_OCSP_RESPONSE_CACHE_EXPIRES = datetime.timedelta(hours=24)
LOGGING_CONFIG = None
"""
URLS = """
from django.urls import include, path
urlpatterns = [path("", include("django_ca.urls"))]
"""
APP = """
import base64, json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "peer_settings"
from django.core.wsgi import get_wsgi_application
serve = get_wsgi_application()
from django.core.cache import cache
for line in open({file!r}):
    serial, answer = json.loads(line)
    cache.set("ocsp_ee_{ca}_" + serial, base64.b64decode(answer), timeout=86_000)
def app(environ, start_response):
    environ["PATH_INFO"] = "/ocsp/{ca}/cert/"
    return serve(environ, start_response)
"""


@contextlib.contextmanager
def django_ca(corpus: Corpus) -> Iterator[Server]:
    """django-ca's view with each answer in its cache in memory, under gunicorn with 2 processes of 4 threads, no middleware."""
    folder, port = corpus.folder / "django-ca", free_port()
    folder.mkdir()
    python = _environment(folder, [f"django-ca=={DJANGO_CA}", "gunicorn"])
    answers = folder / "answers"
    pairs = zip(corpus.serials, corpus.answers, strict=True)
    answers.write_text("\n".join(json.dumps([str(serial), base64.b64encode(answer).decode()]) for serial, answer in pairs))
    (folder / "peer_settings.py").write_text(SETTINGS.format(folder=str(folder)))
    (folder / "peer_urls.py").write_text(URLS)
    (folder / "peer_app.py").write_text(APP.format(file=str(answers), ca=CA_SERIAL))
    command = [python, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", 2]
    command += ["--threads", 4, "--log-level", "error", "--preload", "peer_app:app"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with started(command, port, folder / "log", cwd=folder, env=environ) as pid:
        yield Server(f"http://127.0.0.1:{port}", pid, corpus.posts)


def _environment(folder: Path, packages: list[str]) -> Path:
    """A Python with these packages and none of ours."""
    made = folder / "environment"
    python = made / "bin" / "python"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON"))}
    for command in ([sys.executable, "-m", "venv", made], [python, "-m", "pip", "install", "--quiet", *packages]):
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=folder, env=clean)
        if done.returncode:
            pytest.fail(f"django-ca cannot be installed beside: {done.stderr[-500:]}")
    return python
