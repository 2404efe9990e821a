"""Run one command and write what it cost; small, since a child's peak memory starts at its parent's."""

import json
import os
import subprocess
import sys
import threading
from time import monotonic


def main(report: str, limit_s: str, *command: str) -> None:
    """`report` gets exit code, wall and CPU seconds and peak memory (MB) of the whole process."""
    began = monotonic()
    child = subprocess.Popen(command)
    timer = threading.Timer(float(limit_s), child.kill)
    timer.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = monotonic() - began
    timer.cancel()
    cost = {
        "code": os.waitstatus_to_exitcode(status),
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "rss_mb": usage.ru_maxrss / 1024,
    }
    with open(report, "w") as file:  # noqa: PTH123  pathlib alone would double this process
        json.dump(cost, file)


main(*sys.argv[1:])
