"""Ray clusters of several nodes on this machine, on addresses that nothing outside it can reach."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.2"
"""Ray takes 127.0.0.1 for the machine's outer address, which this is not."""

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "10",  # how often a driver asks a head that does not answer at once
    "RAY_worker_niceness": "0",  # by its default of 15, other tests would leave workers no time to start
    "RAY_worker_register_timeout_seconds": "300",  # a loaded machine needs more than the default of 60
}


class Cluster:
    """One head node, and others that come and go, each with two CPUs unless it is to have none."""

    def __init__(self, inside: Any) -> None:
        self._inside = inside
        self.address: str = inside.address

    def add(self, **environment: str) -> Any:
        """Another node, whose processes have these variables; returns once the cluster knows it."""
        return self._inside.add_node(
            num_cpus=2, node_ip_address=LOOPBACK, object_store_memory=80_000_000, env_vars=environment
        )

    def lose_head(self) -> None:
        """Kill the head node with everything on it, and so what the others and every driver report to."""
        self._inside.head_node.kill_all_processes(check_alive=False, allow_graceful=False)

    def processes(self) -> set[int]:
        """The numbers of all processes of Ray's own, without those of workers."""
        nodes = self._inside.list_all_nodes()
        return {one.process.pid for node in nodes for kind in node.all_processes.values() for one in kind}

    def remove(self, node: Any) -> None:
        """Kill a node with everything on it."""
        self._inside.remove_node(node, allow_graceful=False)


@contextmanager
def cluster(cpus: int = 2) -> Iterator[Cluster]:
    """A cluster with its head node; the folder that its processes write into is removed with it."""
    from ray.cluster_utils import Cluster as RayCluster

    os.environ.update(_SETTINGS)
    Path("/tmp/ray").mkdir(exist_ok=True)  # noqa: S108  where it writes its address, whatever folder it is given
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    head = {
        "num_cpus": cpus, "node_ip_address": LOOPBACK, "include_dashboard": False, "temp_dir": folder,
        "object_store_memory": 80_000_000,
    }  # fmt: skip
    inside = RayCluster(initialize_head=True, head_node_args=head)
    try:
        yield Cluster(inside)
    finally:
        inside.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def head(token: str | None = None) -> Iterator[str]:
    """The address of a cluster of one node that `ray start` has made, which wants this token."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    of_token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {"RAY_AUTH_MODE": "disabled"}
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", f"--port={port}"),
        *(f"--node-ip-address={LOOPBACK}", "--num-cpus=1", "--include-dashboard=false", f"--temp-dir={folder}"),
        "--object-store-memory=80000000",
    ]
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(command, env={**kept, **_SETTINGS, **of_token}, stdout=said, stderr=said)
    try:
        end = time.monotonic() + 200
        while b"Ray runtime started" not in (folder / "said.txt").read_bytes():
            assert process.poll() is None, (folder / "said.txt").read_text()
            assert time.monotonic() < end, "it never started"
            time.sleep(0.1)
        yield f"{LOOPBACK}:{port}"
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
