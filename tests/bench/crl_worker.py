"""One worker process of the CRL benchmark: makes the CRL of the CA that is named, and says how long and with what memory."""

import json
import os
import sys
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from pki.crl import building  # noqa: E402
from pki.models import CertificateAuthority  # noqa: E402


def peak() -> float:
    """The process's largest resident set so far, MiB. (The kernel's other count, ru_maxrss, begins with the parent's.)"""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    ca = CertificateAuthority.objects.get(slug=sys.argv[1])
    before, cpu, started = peak(), time.process_time(), time.perf_counter()
    made = building.publish_crl(ca.id)
    took = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    print(json.dumps(took | {"before": before, "peak": peak(), "entries": made.entries, "size": made.size}))


if __name__ == "__main__":
    main()
