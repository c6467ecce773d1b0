"""The child process that validates documents against the official rules. It uses neither Django nor the database nor secrets.

Reads one document per line as a JSON string, and writes one line with a JSON list of pairs of rule id and official text.
"""

import json
import sys

from siths_portal.lib.processes.memory import limit_memory

MEMORY = 768 * 1024 * 1024
"""An invoice of 5,000 lines needs about 400 MB."""


def main() -> None:
    """Compiles the rules, then validates documents until standard input ends."""
    limit_memory(MEMORY)
    from billing.documents.official.rules import Rules  # after the limit, so that it covers the memory Saxon reserves

    rules = Rules()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(rules.check(json.loads(line).encode())) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
