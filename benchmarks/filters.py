"""How long a page takes for each filter of decisions, tasks, alerts and groups of alerts, on a million rows of each.

    python benchmarks/filters.py [--rows 1000000] [--stores sqlite,postgresql]

Runs `filters_decisions.py`, `filters_tasks.py` and `filters_alerts.py` one after the other; alerts are in SQLite only.
Each prints its table. Ends with 1 where a page of one of them took too long.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run all, and say whether every page came in time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="1000000")
    parser.add_argument("--stores", default="sqlite,postgresql")
    given = parser.parse_args()
    runs = {
        "filters_decisions.py": ["--rows", given.rows, "--stores", given.stores],
        "filters_tasks.py": ["--rows", given.rows, "--stores", given.stores],
        "filters_alerts.py": ["--alerts", given.rows],
    }
    ended = []
    for name, options in runs.items():
        print(f"\n{name}", flush=True)
        ended.append(subprocess.run([sys.executable, str(HERE / name), *options], check=False).returncode)
    return int(any(ended))


if __name__ == "__main__":
    sys.exit(main())
