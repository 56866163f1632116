"""What the server costs while it has nothing to do.

python -m benchmarks.idle [SECONDS]
"""

import sys
import time

from benchmarks.continuous import owned, report_busy
from benchmarks.engine import engine, packaged, pss_megabytes


def main(seconds: int) -> None:
    with engine() as server:
        packaged("print('once')\n")
        time.sleep(5)
        owners = owned(server)
        memory = sum(pss_megabytes(process) for process in owners)
        print(f"{len(owners)} processes, {memory:.0f} MB PSS")
        report_busy(owners, seconds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
