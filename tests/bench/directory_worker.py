"""One process of the benchmark of the catalogue's file: makes the file, or imports it and says how long and with what memory."""

import datetime as dt
import json
import os
import sys
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from issuance.people.queries.scope_check import scope_faults  # noqa: E402
from issuance.people.services import directory_import  # noqa: E402
from issuance.records.domain.ids import luhn_check_digit  # noqa: E402
from siths_portal.demo.places import PLACES, load_places  # noqa: E402
from siths_portal.lib import ports  # noqa: E402
from tests.bench.crl_worker import peak  # noqa: E402

HEADER = "hsa_id;organisation_hsa_id;person_id;given_name;surname;title;mail;upn;valid_to;protected"


def write(path: Path, count: int, left: int) -> None:
    """A file of so many people, a post each; one of `left` has another title, and one has gone."""
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        for index in range(count):
            if left and index % left == 1:
                continue
            born = dt.date(1800, 1, 1) + dt.timedelta(days=index // 20)
            nine = f"{born:%y%m%d}{980 + index % 20}"
            place = PLACES[index % len(PLACES)]
            title = "Överläkare" if left and index % left == 0 else "Sjuksköterska"
            mail = f"anna.andersson{index}@{place.domain}"
            file.write(
                f"{place.hsa_id.split('-')[0]}-X{index:07X};{place.hsa_id};{born:%C}{nine}{luhn_check_digit(nine)};Anna Karin;"
                f"Andersson{index % 997};{title};{mail};{mail};;{'ja' if index % 60 == 0 else 'nej'}\n"
            )


def main() -> None:
    do, path, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    ports.wire()
    if do == "make":
        load_places()
        write(path / "first.csv", count, 0)
        write(path / "later.csv", count, 100)
        return
    at_fifth: list[float] = []
    started, cpu = time.perf_counter(), time.process_time()
    how = directory_import.DirectoryImportOptions(full=True, dry_run=do == "try")
    outcome = directory_import.run(
        path, how, report_progress=lambda _octets, rows: at_fifth.append(peak()) if rows >= count // 5 else None
    )
    took = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "fifth": at_fifth[0], "peak": peak()}
    counts = outcome.counts
    told = {"rows": counts.rows, "refused": counts.refused, "new": counts.new_people, "lost": counts.lost, "posts": counts.posts}
    print(json.dumps(took | told | {"scope": scope_faults().ok}))


if __name__ == "__main__":
    main()
