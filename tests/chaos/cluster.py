"""A Ray cluster of three nodes on this machine, whose processes can be killed and paused."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil

_STORE_BYTES = 80 << 20  # the least that Ray takes
_WORKERS = 2
_CPUS = 2  # of each worker node, by name only: so many actors may be there, whatever the machine has
_HEALTH = {"health_check_period_ms": 1000, "health_check_timeout_ms": 3000, "health_check_failure_threshold": 4}


class TinyCluster:
    """A head for drivers, and worker nodes for actors, which inherit this process's environment.

    To be used in the main thread, for Ray sets signal handlers with every node.

    Attributes:
        address: for drivers.
    """

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster  # Ray looks at the environment when it is imported

        self._cluster: Any = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE_BYTES,
                "_system_config": _HEALTH,
            },
        )  # fmt: skip
        self.address: str = self._cluster.address
        for _ in range(_WORKERS):
            self._add()

    def __enter__(self) -> TinyCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.shutdown()

    @property
    def nodes(self) -> list[Any]:
        """The worker nodes that were not killed, in the order in which they came."""
        return sorted(self._cluster.worker_nodes, key=raylet_of)

    @property
    def whole(self) -> bool:
        """Whether all the nodes are there."""
        return len(self._cluster.worker_nodes) == _WORKERS

    def actors(self) -> list[psutil.Process]:
        """The processes of stand-in actors on these nodes."""
        return [
            process
            for node in self.nodes
            for process in family(raylet_of(node))
            if "ray::ChaosActor" in _command_of(process)
        ]

    def kill(self, node: Any) -> None:
        """Kills a node's raylet with SIGKILL; its actors die of that."""
        self._cluster.remove_node(node, allow_graceful=False)

    def mend(self) -> None:
        """Adds a node for each that was killed."""
        while not self.whole:
            self._add()

    def replace_dead(self) -> None:
        """Forgets nodes that Ray gave up while they were paused, and adds others."""
        for node in self.nodes:
            if not _is_running(raylet_of(node)):
                self.kill(node)  # what else there is of it
        self.mend()

    def _add(self) -> None:
        self._cluster.add_node(num_cpus=_CPUS, object_store_memory=_STORE_BYTES)


def raylet_of(node: Any) -> int:
    """The process id of a node's raylet."""
    pid: int = node.all_processes["raylet"][0].process.pid
    return pid


def family(pid: int) -> Iterator[psutil.Process]:
    """A process and all below it."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        yield process
        yield from process.children(recursive=True)


def send(signal_: signal.Signals, processes: list[psutil.Process]) -> None:
    """A signal to those that are still there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            os.kill(process.pid, signal_)


def _is_running(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def _command_of(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return " ".join(process.cmdline())
    return ""
