"""OCSP: answers signed ahead a second, and requests answered a second by `pki_ocspd`, beside nginx with static files and cfssl.

wrk asks, and server and load share the machine: ratios of interleaved runs and the server's CPU a request say more than rates.
Peers that are not installed are left out and named. `BENCH_OCSP_SERIALS`, `BENCH_SECONDS` and `BENCH_ROUNDS` make it shorter.
"""

import base64
import contextlib
import datetime as dt
import json
import os
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp as x509_ocsp

from pki.domain import ocsp_answer, tbs
from pki.hsm import Algorithm, KeySpec, hsm_for
from pki.ocsp import VERIFIED_EACH
from pki.ocspd import layout, routing
from pki.ocspd.layout import Record
from pki.ocspd.writing import Writer
from tests.pki.ocspd_stage import free_port, ocspd
from tests.pki_fixtures import make_token
from tests.tls import SmallCa
from tests.waiting import wait_for

SERIALS = int(os.environ.get("BENCH_OCSP_SERIALS", "100000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "10"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CONNECTIONS = 64
DER = serialization.Encoding.DER
NAME = {"sha1": b"a" * 20, "sha256": b"a" * 32}
KEY = {"sha1": b"b" * 20, "sha256": b"b" * 32}
HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}
pytestmark = pytest.mark.timeout(3600)


class Responder:
    """A P-256 delegate with a certificate of usual size."""

    def __init__(self, key=None) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        ca = SmallCa("DEMO SITHS e-id Person HSA-id 3 CA v1")
        public = self.key.public_key()
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "DEMO SITHS e-id Person HSA-id 3 CA v1 OCSP")]))
            .issuer_name(ca.name)
            .public_key(public)
            .serial_number(secrets.randbits(119))
            .not_valid_before(now)
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.OCSP_SIGNING]), False)
            .add_extension(x509.OCSPNoCheck(), False)
            .sign(ca.key, hashes.SHA256())
        )
        self.this_update, self.next_update = now, now + dt.timedelta(hours=24)
        algorithm = ec.ECDSA(hashes.SHA256())
        self.template = ocsp_answer.Template(
            responder_key_hash=x509.SubjectKeyIdentifier.from_public_key(public).digest,
            certificates=[self.certificate.public_bytes(DER)],
            issuers=[ocsp_answer.Issuer(name, NAME[name], KEY[name]) for name in HASHES],
            this_update=now,
            signature=ocsp_answer.Signature(tbs.ALGORITHMS["ec", "sha256"], lambda data: self.key.sign(data, algorithm)),
        )
        self.count = 0

    def sign(self) -> bytes:
        """One answer as the worker makes it, with its share of verifications."""
        der, to_be_signed, signature = self.template.sign("sha256", self.count + (1 << 118), ocsp_answer.GOOD, self.next_update)
        if self.count % VERIFIED_EACH == 0:
            self.certificate.public_key().verify(signature, to_be_signed, ec.ECDSA(hashes.SHA256()))
        self.count += 1
        return der

    def build(self) -> bytes:
        """The same by the library's builder, unverified."""
        builder = x509_ocsp.OCSPResponseBuilder().add_response_by_hash(
            NAME["sha256"], KEY["sha256"], 1 << 118, HASHES["sha256"], x509_ocsp.OCSPCertStatus.GOOD, self.this_update,
            self.next_update, None, None,
        )  # fmt: skip
        builder = builder.responder_id(x509_ocsp.OCSPResponderEncoding.HASH, self.certificate).certificates([self.certificate])
        return builder.sign(self.key, hashes.SHA256()).public_bytes(DER)


def test_answers_signed_ahead(side_by_side: Callable[..., dict[str, float]]) -> None:
    make_token("bench-ocsp")
    token = hsm_for("bench-ocsp")
    key = token.private_key(token.generate(KeySpec(Algorithm.EC_P256, "bench")).key_id)
    software, hardware, algorithm = Responder(), Responder(key), ec.ECDSA(hashes.SHA256())

    def many(operation: Callable[[], object]) -> Callable[[], object]:
        return lambda: [operation() for _ in range(100)]

    rates = side_by_side(
        "pki",
        "hundreds of OCSP answers signed ahead, P-256",
        {
            "template, software key": many(software.sign),
            "cryptography's builder, software key": many(software.build),
            "template, SoftHSM": many(hardware.sign),
            "SoftHSM's signature alone": many(lambda: key.sign(b"x" * 300, algorithm)),
        },
    )
    assert rates["template, software key"] > rates["cryptography's builder, software key"]


SCRIPT = """
local requests = {}
function init(args)
  math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000)
  for line in io.lines(args[1]) do
    local kind, text = line:sub(1, 1), line:sub(3)
    if kind == "G" then requests[#requests + 1] = wrk.format("GET", text)
    else
      local body = text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end)
      requests[#requests + 1] = wrk.format("POST", "/ocsp", {["Content-Type"] = "application/ocsp-request"}, body)
    end
  end
end
function request() return requests[math.random(#requests)] end
function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %f %f\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.read + summary.errors.connect + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


@dataclass
class Server:
    """A server, and what is asked of it."""

    url: str
    pid: int
    requests: Path

    def cpu(self) -> float:
        """Seconds of processor that the process and its children have used."""
        return sum(_ticks(pid) for pid in _family(self.pid)) / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(grandchild for child in children for grandchild in _family(int(child)))]


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@dataclass
class Run:
    """One run of wrk."""

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


def wrk(server: Server, script: Path) -> Run:
    before = server.cpu()
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", script, server.url, "--", server.requests]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, timeout=SECONDS + 120)
    found = re.search(r"RESULT (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    requests, duration, errors = (int(found[number]) for number in (1, 2, 3))
    assert errors < requests / 1000, done.stdout
    used = (server.cpu() - before) / requests * 1e6
    return Run(requests / duration * 1e6, used, float(found[4]), float(found[5]))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> "Corpus":
    return Corpus(tmp_path_factory.mktemp("ocsp"))


class Corpus:
    """A store of live serials, and the requests for them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "store"
        responder, moment = Responder(), int(time.time())
        posts, gets, self.answers = [], [], []
        with Writer(self.store) as writer:
            writer.grow(SERIALS)
            for number in range(SERIALS):
                serial = moment * 1000 + number << 72 | secrets.randbits(72)
                both = {}
                for name in HASHES:
                    both[name], _, _ = responder.template.sign(name, serial, ocsp_answer.GOOD, responder.next_update)
                    request = _request(name, serial)
                    posts.append("P " + request.hex())
                    gets.append("G /ocsp/" + base64.b64encode(request).decode().replace("+", "%2B").replace("/", "%2F"))
                key = layout.key(1, serial)
                times = int(responder.this_update.timestamp()), int(responder.next_update.timestamp())
                writer.put(Record(key, 1, layout.ANSWER, *times, moment + 10**7, both["sha1"], both["sha256"]))
                self.answers.append(both["sha256"])
            writer.finish_load()
            writer.followed(time.time())
        listed = {f"name_{name}": NAME[name].hex() for name in HASHES} | {f"key_{name}": KEY[name].hex() for name in HASHES}
        (self.store / routing.FILE).write_text(json.dumps([listed | {"id": 1, "signs": True}]))
        self.posts, self.gets, self.script = folder / "posts", folder / "gets", folder / "wrk.lua"
        self.posts.write_text("\n".join(posts))
        self.gets.write_text("\n".join(gets))
        self.script.write_text(SCRIPT)


def _request(name: str, serial: int) -> bytes:
    builder = x509_ocsp.OCSPRequestBuilder().add_certificate_by_hash(NAME[name], KEY[name], serial, HASHES[name])
    return builder.build().public_bytes(DER)


NGINX = """
{user} daemon off; pid {folder}/pid; worker_processes 2; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; sendfile on; open_file_cache max=4096;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; default_type application/ocsp-response; expires 60s; }}
}}
"""


@contextlib.contextmanager
def started(command: list[str], url: str, pid_of: Callable[[int], int] = lambda pid: pid, **options) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        port = int(url.rpartition(":")[2])
        wait_for(lambda: _accepts(port) or process.poll() is not None)
        assert process.poll() is None, command
        yield url, pid_of(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _accepts(port: int) -> bool:
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def nginx(corpus: Corpus) -> Iterator[Server]:
    folder = corpus.folder / "nginx"
    (folder / "files").mkdir(parents=True)
    for number, answer in enumerate(corpus.answers[:1000]):
        (folder / "files" / str(number)).write_bytes(answer)
    requests = folder / "requests"
    requests.write_text("\n".join(f"G /{number}" for number in range(min(1000, SERIALS))))
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, user=user))
    command = ["/usr/sbin/nginx", "-e", "stderr", "-c", str(folder / "nginx.conf")]
    with started(command, f"http://127.0.0.1:{port}") as (url, pid):
        yield Server(url, pid, requests)


BARE = """
import base64
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
    (corpus.folder / "bare_app.py").write_text(BARE.format(file=str(corpus.posts), size=len(corpus.answers[0])))
    port = free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--http", "1", "--port", str(port), "--workers", "2",
        "--blocking-threads", "1", "--log-level", "error", "--working-dir", str(corpus.folder), "bare_app:app",
    ]  # fmt: skip
    with started(command, f"http://127.0.0.1:{port}", cwd=corpus.folder) as (url, pid):
        yield Server(url, pid, corpus.posts)


@contextlib.contextmanager
def cfssl(corpus: Corpus) -> Iterator[Server]:
    responses, port = corpus.folder / "cfssl", free_port()
    responses.write_text("\n".join(base64.b64encode(answer).decode() for answer in corpus.answers))
    command = ["cfssl", "ocspserve", "-address", "127.0.0.1", "-port", str(port), "-responses", str(responses), "-loglevel", "5"]
    with started(command, f"http://127.0.0.1:{port}", env=os.environ | {"GOMAXPROCS": "2"}) as (url, pid):
        yield Server(url, pid, corpus.posts)


def compare(corpus: Corpus, servers: dict[str, Server], report: Callable[..., float], what: str) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {name: [] for name in servers}
    for server in servers.values():
        wrk(server, corpus.script)  # warms files, memo and table
    for _ in range(ROUNDS):
        for name, server in servers.items():
            runs[name].append(wrk(server, corpus.script))
    for name, made in runs.items():
        cpu, middle, last = (statistics.median(getattr(run, each) for run in made) for each in ("cpu_us", "p50_ms", "p99_ms"))
        note = f"server CPU {cpu:.0f} µs a request, p50 {middle:.2f} ms, p99 {last:.1f} ms"
        report("pki", what, name, [run.rate for run in made], note)
    return runs


def ratio(runs: dict[str, list[Run]], name: str, peer: str) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(one.rate / other.rate for one, other in zip(runs[name], runs[peer], strict=True))


def test_get_beside_static_files(corpus: Corpus, report: Callable[..., float], tmp_path: Path) -> None:
    if not shutil.which("wrk"):
        pytest.fail("wrk is not installed (Debian: wrk)")
    with contextlib.ExitStack() as stack:
        url, process = stack.enter_context(ocspd(corpus.store, tmp_path / "log"))
        servers = {"pki_ocspd": Server(url, process.pid, corpus.gets), "nginx, static files": stack.enter_context(nginx(corpus))}
        runs = compare(corpus, servers, report, f"OCSP by GET, {SERIALS} serials, both hashes")
    against = ratio(runs, "pki_ocspd", "nginx, static files")
    print(f"GET: {against:.2f} x nginx")
    assert against > 0


def test_post_beside_others(corpus: Corpus, report: Callable[..., float], tmp_path: Path) -> None:
    if not shutil.which("wrk"):
        pytest.fail("wrk is not installed (Debian: wrk)")
    with contextlib.ExitStack() as stack:
        url, process = stack.enter_context(ocspd(corpus.store, tmp_path / "log"))
        servers = {"pki_ocspd": Server(url, process.pid, corpus.posts)}
        servers["bare function under granian"] = stack.enter_context(bare(corpus))
        if shutil.which("cfssl"):
            servers["cfssl ocspserve"] = stack.enter_context(cfssl(corpus))
        runs = compare(corpus, servers, report, f"OCSP by POST, {SERIALS} serials, both hashes")
    for peer in servers:
        print(f"POST: {ratio(runs, 'pki_ocspd', peer):.2f} x {peer}")
