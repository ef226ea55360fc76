"""A Ray cluster, and a PostgreSQL server, as processes of this machine that a test may kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
RAY = Path(sys.executable).parent / "ray"
# Start-up took 32 to 172 s on two shared cores.
START_SECONDS = 300
_OBJECT_STORE_BYTES = 100_000_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    """Environment of the nodes: this checkout, one thread, no telemetry, deaths noticed in seconds."""
    given = {k: v for k, v in os.environ.items() if not k.startswith("HTRISK_")}
    return given | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DISABLE_IMPORT_WARNING": "1",
        "RAY_health_check_initial_delay_ms": "2000",
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_failure_threshold": "10",
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
        **more,
    }


def descendants(pid: int) -> list[int]:
    """A process and all below it, by /proc; the parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for known in found:
        found += children.get(known, [])
    return found


def kill_all(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def kill_group(leader: int) -> None:
    """Whatever is left of a group of processes that was started here."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


@dataclass
class LocalCluster:
    """A head without CPUs and workers of one CPU, each a tree of processes."""

    folder: Path
    port: int
    dashboard_port: int
    env: Mapping[str, str]
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{self.dashboard_port}"

    def start(self, *arguments: str) -> None:
        """Start a node and wait for it; Ray gives up after 30 s, which a busy machine may take."""
        number = len(self.nodes)
        self.nodes.append(self._begun(number, *arguments))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.nodes[number].poll() is not None:
                # What it had begun lives on without it, and holds the port.
                kill_group(self.nodes[number].pid)
                self.nodes[number] = self._begun(number, *arguments)
            if self.alive() >= len(self.nodes):
                return
            time.sleep(1)
        raise TimeoutError(f"Node {number} was not there after {START_SECONDS} s: {self.folder}")

    def _begun(self, number: int, *arguments: str) -> subprocess.Popen[bytes]:
        command = [
            str(RAY), "start", "--block", "--disable-usage-stats",
            "--object-store-memory", str(_OBJECT_STORE_BYTES), *arguments,
        ]  # fmt: skip
        with (self.folder / f"node_{number}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.env),
                cwd="/",
                start_new_session=True,
            )

    def restart(self, number: int) -> None:
        """Start a worker in the place of one that was killed."""
        gone = self.nodes.pop(number)
        assert gone.poll() is not None
        self.start("--address", self.address, "--num-cpus", "1")

    def kill_node(self, number: int) -> list[int]:
        """SIGKILL a node's raylet, its workers and agents by their ids; return these."""
        pids = descendants(self.nodes[number].pid)
        kill_all(pids)
        self.nodes[number].wait()
        return pids

    def alive(self) -> int:
        """Nodes that the head knows to be alive, asked from outside."""
        done = subprocess.run(
            [sys.executable, "-c", _COUNT, self.address],
            capture_output=True, text=True, env=environment(), timeout=120,
        )  # fmt: skip
        return int(done.stdout.split()[-1]) if done.returncode == 0 else 0


_COUNT = """
import sys
from ray._raylet import GcsClient
client = GcsClient(address=sys.argv[1])
print(sum(node.state == 0 for node in client.get_all_node_info().values()))
"""


@contextmanager
def local_cluster(folder: Path, n_workers: int = 2, **more: str) -> Iterator[LocalCluster]:
    """Start a head and workers; end every process of theirs by its id."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = LocalCluster(folder, free_port(), free_port(), environment(**more))
    try:
        cluster.start(
            "--head", "--port", str(cluster.port), "--num-cpus", "0",
            # Ray's sockets have paths of 107 characters at most.
            "--temp-dir", f"/tmp/htrisk_ray_{os.getpid()}_{cluster.port}",
            "--dashboard-port", str(cluster.dashboard_port),
        )  # fmt: skip
        for _ in range(n_workers):
            cluster.start("--address", cluster.address, "--num-cpus", "1")
        yield cluster
    finally:
        for node in reversed(cluster.nodes):
            kill_all(descendants(node.pid))
            kill_group(node.pid)
            node.wait()


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Debian's PostgreSQL with a database of its own; gives its URL. It does not run as root."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    folder.mkdir(parents=True, exist_ok=True)
    data, port = folder / "data", free_port()
    as_root = os.geteuid() == 0
    if as_root:
        # pytest's folders are for their owner only.
        data = Path(f"/tmp/htrisk_postgres_{os.getpid()}_{port}")
        data.mkdir()
        subprocess.run(["chown", "postgres", str(data)], check=True)

    def run(command: str) -> None:
        line = (
            ["su", "postgres", "-s", "/bin/sh", "-c", command] if as_root else ["sh", "-c", command]
        )
        subprocess.run(line, check=True, capture_output=True, timeout=START_SECONDS, cwd="/")

    run(f"{programs}/initdb -D {data} -A trust -U dagster --no-sync")
    options = f"-p {port} -k {data} -c listen_addresses=127.0.0.1 -c fsync=off"
    run(f"{programs}/pg_ctl -D {data} -w -t {START_SECONDS} -l {data}/log -o '{options}' start")
    try:
        run(f"{programs}/createdb -h 127.0.0.1 -p {port} -U dagster dagster")
        yield f"postgresql+psycopg2://dagster@127.0.0.1:{port}/dagster"
    finally:
        run(f"{programs}/pg_ctl -D {data} -m immediate stop")
        if as_root:
            subprocess.run(["rm", "-rf", str(data)], check=True)
