"""One process of the import benchmark: makes a folder, has it approved, imports it, and says how long and with what memory."""

import json
import os
import resource
import sys
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: E402

from pki.approvals import dual_control  # noqa: E402
from pki.models import ApprovalAction, Decision  # noqa: E402
from pki.takeover import lifecycle  # noqa: E402
from tests.bench.crl_worker import peak  # noqa: E402
from tests.pki.takeover import takeover_world as world  # noqa: E402


def main() -> None:
    kind, count, folder, workers = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    if not (folder / "import.yaml").exists():
        world.many(
            folder, count, ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 4096)
        )
        manifest = folder / "import.yaml"
        manifest.write_text(manifest.read_text().replace("old-many", f"old-many-{kind}"))
        return
    what = lifecycle.asked(folder)
    # Asked for without the dry run, whose peak of memory would hide that of the import.
    asked = dual_control.request(action=ApprovalAction.IMPORT, summary="bench", document=what.document, requester_ref="bench:0")
    for who in ("bench:1", "bench:2"):
        dual_control.decide(
            request_id=asked.id, approver_ref=who, decision=Decision.APPROVED, document_sha256=asked.document_sha256
        )
    at_fifth: list[float] = []
    before, cpu, started = peak(), time.process_time(), time.perf_counter()
    outcome = lifecycle.carry_out(
        what, actor_ref="bench:0", workers=workers, say=lambda _ledger, at: at_fifth.append(peak()) if at >= count // 5 else None
    )
    took = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            took
            | {"children_cpu": children.ru_utime + children.ru_stime, "before": before, "fifth": at_fifth[0], "peak": peak()}
            | {"new": outcome.report.values["counts"]["new"], "findings": outcome.report.findings}
        )
    )


if __name__ == "__main__":
    main()
