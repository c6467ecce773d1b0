"""The process that judges documents by the official rules. Knows neither Django nor the database and gets no secrets.

Reads one JSON string (the document) a line, answers a JSON list of pairs of rule id and official text.
"""

import json
import sys

from siths_portal.lib.processes.memory import limit_memory

MEMORY = 768 * 1024 * 1024
"""An invoice of 5,000 lines needs about 400 MB."""


def main() -> None:
    """Serves documents until standard input ends. The rules are compiled before the first."""
    limit_memory(MEMORY)
    from billing.official.rules import Rules  # after the limit, which covers what Saxon reserves

    rules = Rules()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(rules.check(json.loads(line).encode())) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
