"""The service beside what it is made of: a null Bento, the bare model call, the store's raw read.

    python benchmarks/serving.py --json                    # about five minutes
    python benchmarks/serving.py --soak 30 --json          # minutes at 70 % of its capacity

200 candidates a request, drawn from 1,000 items and 40 users; sqlite and a redis-server of its own.
Rounds of the services follow each other, one service at a time, one worker each; the load comes
from a process of its own (serving_load.py). Each request reads the user's part from the store; the
items' part is kept, as the service does by default. The store's raw read is all cells of a request
in one batch, undecoded. `naive` reads Feast's SDK item by item and scores row by row.

The processor time of an answer is told by part. A service that does what the null one does, calls
the model and does nothing else has the largest throughput that the model allows. With the example
shop's that is less than the target of 0.7, which is told as missed (docs/decisions/0020).

Takes a bundle that `make run` has left (`--bundle`), and makes one if there is none.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from serving_shop import CANDIDATES, fill, requests, variant

from shopguide.bundle import Bundle, load_bundle
from shopguide.bundle.graph import run_encoded
from shopguide.features.layout import entity_keys
from shopguide.features.online import OnlineFeatures
from shopguide.features.online_views import groups
from shopguide.features.redis_reader import fields
from shopguide.features.request_part import Candidates
from shopguide.features.store import online_file
from shopguide.packaging.process import HOST, free_port
from shopguide.spec import Spec

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "runs" / "complete_journey" / "model"
VARIABLE = "SHOPGUIDE_BENCH_REDIS"
OURS = {"sqlite": "serving.service:Ranking", "redis": "serving.service:Ranking"}
PEERS = {
    "null": "benchmarks.serving_peers:Null",
    "naive": "benchmarks.serving_peers:Naive",
}
P99_LIMIT, THROUGHPUT_LIMIT, READ_LIMIT, NAIVE_LIMIT = 1.5, 0.7, 2.0, 5.0
PROCESSOR_LIMIT = 1.0
GROWTH_LIMIT = 0.03
CAPACITY = 0.7
_WARM = 60


@dataclass(frozen=True)
class Service:
    """A service that runs.

    Args:
        startup_seconds: until it was ready.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    startup_seconds: float

    def memory_mb(self) -> float:
        """Return the resident memory of all its processes."""
        return sum(one.memory_info().rss for one in self._processes()) / 1e6

    def cpu_seconds(self) -> float:
        """Return the processor time of all its processes."""
        times = [one.cpu_times() for one in self._processes()]
        return sum(one.user + one.system for one in times)

    def _processes(self) -> list[psutil.Process]:
        leader = psutil.Process(self.process.pid)
        return [leader, *leader.children(recursive=True)]


@dataclass
class Samples:
    """What was measured of one thing, over the rounds."""

    millis: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    generator_share: float = 0.0
    failed: int = 0
    degraded: int = 0

    def summary(self) -> dict[str, float]:
        """Return its figures."""
        found = {f"p{q}_ms": round(float(np.percentile(self.millis, q)), 3) for q in (50, 99)}
        found["cpu_ms"] = round(float(np.median(self.cpu_ms)), 3)
        if self.per_second:
            found["per_second"] = round(float(np.median(self.per_second)), 2)
            found["generator_share"] = round(self.generator_share, 2)
        return found | {"failed": self.failed, "degraded": self.degraded, "calls": len(self.millis)}


def load(service: Service, bodies: Path, **options: float) -> dict[str, Any]:
    """Run the generator against a service."""
    command = [sys.executable, str(ROOT / "benchmarks" / "serving_load.py"), str(service.port)]
    words = [word for key, value in options.items() for word in (f"--{key}", f"{value:g}")]
    done = subprocess.run(
        [*command, str(bodies), *words], capture_output=True, text=True, check=True
    )
    seen: dict[str, Any] = json.loads(done.stdout)
    if seen["failed"]:
        print(f"{service.name}: {seen['errors']}", file=sys.stderr)
    return seen


@contextlib.contextmanager
def running(name: str, target: str, bundle: Bundle) -> Iterator[Service]:
    """Start a service of one worker, and stop it at the end."""
    port, started = free_port(), time.monotonic()
    settings = {
        "SHOPGUIDE_BUNDLE": str(bundle.path),
        "SHOPGUIDE_HOME": bundle.spec.home,
        "SHOPGUIDE_FOLLOW": "0",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "BENTOML_DO_NOT_TRACK": "True",
    }
    command = [sys.executable, "-W", "ignore", "-m", "bentoml", "serve", target, "--host", HOST]
    log = Path(tempfile.gettempdir()) / f"shopguide-bench-{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > started + 180:
                sys.exit(f"{target} did not start: see {log}")
            time.sleep(0.05)
        yield Service(name, port, process, time.monotonic() - started)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=2) as asked:
            asked.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            return b" 200 " in asked.recv(64)
    except OSError:
        return False


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[None]:
    """Run a redis-server that keeps nothing, named by VARIABLE."""
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("there is no redis-server on this machine: install it (Debian: redis-server)")
    port = free_port()
    options = ["--bind", HOST, "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen([program, "--port", str(port), *options], stdout=subprocess.DEVNULL)
    os.environ[VARIABLE] = f"{HOST}:{port},db=0"
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def shops(bundle: Path, folder: Path) -> dict[str, Bundle]:
    """Return the bundle for each store, and fill the stores."""
    spec = load_bundle(bundle).spec
    stores = {"sqlite": {}, "redis": {"type": "redis", "connection_env": VARIABLE}}
    made = {}
    for name, store in stores.items():
        online = spec.features.online_store.model_copy(update=store)
        reading = spec.serving.reading.model_copy(update={"user_cache_seconds": 0.0})
        changed: Spec = spec.model_copy(
            update={
                "home": str(folder / name),
                "features": spec.features.model_copy(update={"online_store": online}),
                "serving": spec.serving.model_copy(update={"reading": reading, "clock": "log_end"}),
            }
        )
        made[name] = variant(bundle, folder / f"bundle_{name}", changed)
        started = time.monotonic()
        entities = fill(made[name])
        print(f"{name}: {entities:,} entities in {time.monotonic() - started:.0f} s", flush=True)
    return made


def raw_read(bundle: Bundle, body: dict[str, Any], store: str) -> Callable[[], object]:
    """Return the one batch that holds every cell of a request, undecoded."""
    spec = bundle.spec
    candidates = Candidates(body["user_id"], body["items"], body["context"].get("place_id"))
    served = OnlineFeatures(spec, spec.home).read(body["user_id"], body["items"], body["context"])
    for name in {key for group in groups(spec) for key in group.keys}:
        if not candidates.knows((name,)):
            candidates.add(name, served.column(name).to_pylist())
    asked = [(g, entity_keys(g.keys, candidates.entities(g.keys)[0])) for g in groups(spec)]
    if store == "sqlite":
        connection = sqlite3.connect(online_file(spec.home))
        queries = [
            (
                f'SELECT entity_key, feature_name, value FROM "{view.table}" '  # noqa: S608
                f"WHERE entity_key IN ({','.join('?' * len(keys))})",
                keys,
            )
            for group, keys in asked
            for view in group.views
        ]
        return lambda: [connection.execute(query, keys).fetchall() for query, keys in queries]
    import redis

    host, _, port = os.environ[VARIABLE].partition(",")[0].rpartition(":")
    client: Any = redis.Redis(host=host, port=int(port))
    project = spec.name.encode()
    commands = [
        (key + project, [one for view in group.views for one in fields(view)])
        for group, keys in asked
        for key in keys
    ]

    def read() -> object:
        with client.pipeline(transaction=False) as pipeline:
            for key, names in commands:
                pipeline.hmget(key, names)
            return pipeline.execute()

    return read


def call(samples: Samples, work: Callable[[int], object], count: int) -> None:
    """Measure calls in this process."""
    used = time.process_time()
    for number in range(count):
        started = time.perf_counter()
        work(number)
        samples.millis.append(1e3 * (time.perf_counter() - started))
    samples.cpu_ms.append(1e3 * (time.process_time() - used) / count)


def in_process(
    made: dict[str, Bundle], bodies: list[dict[str, Any]]
) -> dict[str, Callable[[int], object]]:
    """Return the parts that are measured without a service: by name, a call of a number."""
    sys.path.insert(0, str(ROOT))  # in the folder of this file `serving` is this file
    from serving.ranker import Ranker
    from serving.reading import RequestReader
    from serving.schemas import RankRequest

    bundle = made["sqlite"]
    asked = [RankRequest.model_validate(body) for body in bodies[:20]]
    served = OnlineFeatures(bundle.spec, bundle.spec.home)
    columns = RequestReader(bundle, served).read(asked[0]).columns
    codes, numbers = bundle.preprocessing.encode(columns)
    assert len(codes) == CANDIDATES
    parts: dict[str, Callable[[int], object]] = {
        # as the service calls it: what is alike for all candidates once, where the graph can
        "onnx": lambda _: run_encoded(bundle.session, codes, numbers, alike=True),
        "encode": lambda _: bundle.preprocessing.encode(columns),
    }
    for store, shop in made.items():
        reads = [raw_read(shop, body, store) for body in bodies[:20]]
        parts[f"raw_{store}"] = lambda n, reads=reads: reads[n % len(reads)]()  # type: ignore[misc]
        cold_reading = shop.spec.serving.reading.model_copy(update={"item_cache_seconds": 0.0})
        serving = shop.spec.serving.model_copy(update={"reading": cold_reading})
        cold = OnlineFeatures(shop.spec.model_copy(update={"serving": serving}), shop.spec.home)
        warm = OnlineFeatures(shop.spec, shop.spec.home)
        for name, reader in (("cold", cold), ("warm", warm)):
            parts[f"{name}_{store}"] = lambda n, reader=reader: reader.columns(  # type: ignore[misc]
                *(bodies[n % 20][key] for key in ("user_id", "items", "context"))
            )
        ranker = Ranker(shop, warm)
        parts[f"rank_{store}"] = lambda n, ranker=ranker: ranker.rank(asked[n % 20])  # type: ignore[misc]
        answer = ranker.rank(asked[0])
        parts[f"write_{store}"] = lambda _, answer=answer: answer.json()  # type: ignore[misc]
    return parts


def take(samples: Samples, service: Service, bodies: Path, seconds: float) -> None:
    """Measure a service: answers one at a time, then as many as it can give."""
    one = load(service, bodies, seconds=seconds, connections=1)
    before = service.cpu_seconds()
    many = load(service, bodies, seconds=seconds, connections=4)
    used = service.cpu_seconds() - before
    samples.millis += one["millis"]
    samples.per_second.append(many["per_second"])
    samples.cpu_ms.append(1e3 * used / max(1, len(many["millis"])))
    samples.generator_share = max(samples.generator_share, many["generator_share"])
    samples.failed += one["failed"] + many["failed"]
    samples.degraded += one["degraded"] + many["degraded"]


def measure(
    made: dict[str, Bundle], bodies: Path, options: argparse.Namespace
) -> tuple[dict[str, Samples], dict[str, dict[str, float]]]:
    """Measure services and parts in rounds, one after the other."""
    parts = in_process(made, json.loads(bodies.read_text()))
    samples = {name: Samples() for name in (*parts, "null", "sqlite", "redis", "naive")}
    processes: dict[str, dict[str, float]] = {}
    with contextlib.ExitStack() as stack:
        services = {}
        for name, target in {"null": PEERS["null"], **OURS}.items():
            bundle = made.get(name, made["sqlite"])
            services[name] = stack.enter_context(running(name, target, bundle))
            load(services[name], bodies, seconds=5, connections=2)
        for _ in range(options.rounds):
            for name, work in parts.items():
                call(samples[name], work, options.calls)
            for name, service in services.items():
                take(samples[name], service, bodies, options.seconds)
        for name, service in services.items():
            processes[name] = {
                "memory_mb": round(service.memory_mb(), 1),
                "startup_seconds": round(service.startup_seconds, 2),
            }
    with running("naive", PEERS["naive"], made["sqlite"]) as service:
        load(service, bodies, seconds=1)
        take(samples["naive"], service, bodies, options.seconds)
    return samples, processes


def ratios(found: dict[str, dict[str, float]], store: str) -> dict[str, float]:
    """Return what the targets are about, for one store."""
    ours, null = found[store], found["null"]
    together = [null, found["onnx"], found[f"raw_{store}"]]
    cpu = sum(one["cpu_ms"] for one in together)
    throughput = ours["per_second"] / null["per_second"]
    # of a service that answers as the null one does and calls the model, and does nothing else
    ceiling = null["cpu_ms"] / (null["cpu_ms"] + found["onnx"]["cpu_ms"])
    return {
        "p99_over_parts": round(ours["p99_ms"] / sum(one["p99_ms"] for one in together), 3),
        "p50_over_parts": round(ours["p50_ms"] / sum(one["p50_ms"] for one in together), 3),
        "cpu_over_parts": round(ours["cpu_ms"] / cpu, 3),
        "throughput_over_null": round(throughput, 3),
        "cold_read_over_raw": round(
            found[f"cold_{store}"]["p50_ms"] / found[f"raw_{store}"]["p50_ms"], 3
        ),
        "throughput_ceiling": round(ceiling, 3),
        "throughput_over_ceiling": round(throughput / ceiling, 3),
        "throughput_over_naive": round(ours["per_second"] / found["naive"]["per_second"], 2),
    }


def by_part(found: dict[str, dict[str, float]], store: str) -> dict[str, float]:
    """Return the processor time of an answer, ms, by what it goes to."""
    cpu = {name: one["cpu_ms"] for name, one in found.items()}
    inside = cpu[f"warm_{store}"] + cpu["encode"] + cpu["onnx"]
    parts = {
        "features": cpu[f"warm_{store}"],
        "encode": cpu["encode"],
        "model": cpu["onnx"],
        "rest_of_rank": cpu[f"rank_{store}"] - inside,
        "write": cpu[f"write_{store}"],
        "bento_and_door": cpu[store] - cpu[f"rank_{store}"] - cpu[f"write_{store}"],
        "all": cpu[store],
        "null_service": cpu["null"],
    }
    return {name: round(value, 2) for name, value in parts.items()}


def targets(figures: dict[str, float], found: dict[str, float]) -> dict[str, bool]:
    """Say which targets hold."""
    return {
        "p99": figures["p99_over_parts"] <= P99_LIMIT,
        "throughput": figures["throughput_over_null"] >= THROUGHPUT_LIMIT,
        "processor": figures["cpu_over_parts"] <= PROCESSOR_LIMIT,
        "read": figures["cold_read_over_raw"] <= READ_LIMIT,
        "naive": figures["throughput_over_naive"] >= NAIVE_LIMIT,
        "no_failures": found["failed"] == 0 and found["degraded"] == 0,
    }


def verdict(store: str, figures: dict[str, float], held: dict[str, bool]) -> str:
    """Return a line about the throughput, and which targets are missed."""
    missed = ", ".join(name for name, met in held.items() if not met) or "nothing"
    return (
        f"{store}: {figures['throughput_over_null']:.2f} of the null service's throughput "
        f"(target {THROUGHPUT_LIMIT:g}); null service and model alone would reach "
        f"{figures['throughput_ceiling']:.2f}; the processor takes {figures['cpu_over_parts']:.2f} "
        f"times null service, model and raw read; missed: {missed}"
    )


def compare(made: dict[str, Bundle], bodies: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all, their ratios, and which targets hold."""
    samples, processes = measure(made, bodies, options)
    found = {name: one.summary() for name, one in samples.items()}
    by_store = {store: ratios(found, store) for store in OURS}
    held = {store: targets(by_store[store], found[store]) for store in OURS}
    for store in OURS:
        print(verdict(store, by_store[store], held[store]), flush=True)
    return {
        "figures": {store: found[store] | processes[store] for store in OURS},
        "peers": {name: one for name, one in found.items() if name not in OURS},
        "null_process": processes["null"],
        "cpu_ms_by_part": {store: by_part(found, store) for store in OURS},
        "ratios": by_store,
        "targets": held,
        "met": all(all(one.values()) for one in held.values()),
    }


def soak(bundle: Bundle, bodies: Path, minutes: float) -> dict[str, Any]:
    """Run the service at a part of its capacity; return errors and the growth of its memory."""
    with running("soak", OURS["sqlite"], bundle) as service:
        load(service, bodies, seconds=5, connections=4)
        capacity = load(service, bodies, seconds=10, connections=4)["per_second"]
        seconds, memory, stop = 60 * minutes, [], threading.Event()
        warm = min(_WARM, seconds / 5)

        def watch() -> None:
            while not stop.wait(min(5.0, seconds / 60)):
                memory.append((time.monotonic(), service.memory_mb()))

        started = time.monotonic()
        watcher = threading.Thread(target=watch)
        watcher.start()
        seen = load(service, bodies, seconds=seconds, connections=4, rate=CAPACITY * capacity)
        stop.set()
        watcher.join()
    kept = [size for at, size in memory if at - started >= warm]
    quarter = max(1, len(kept) // 4)
    first, last = np.median(kept[:quarter]), np.median(kept[-quarter:])
    growth = float(last / first - 1)
    return {
        "minutes": minutes,
        "capacity_per_second": round(capacity, 1),
        "asked": len(seen["millis"]),
        "failed": seen["failed"],
        "degraded": seen["degraded"],
        "p50_ms": round(float(np.percentile(seen["millis"], 50)), 2),
        "p99_ms": round(float(np.percentile(seen["millis"], 99)), 2),
        "memory_mb": [round(float(first), 1), round(float(last), 1)],
        "memory_growth": round(growth, 4),
        "met": seen["failed"] == 0 and seen["degraded"] == 0 and growth < GROWTH_LIMIT,
    }


def bundle_of(given: Path, folder: Path) -> Path:
    """Return a bundle; one is made if there is none."""
    if (given / "bundle.json").is_file():
        return given
    print(f"no bundle in {given}: running the quick profile", flush=True)
    spec = str(ROOT / "specs" / "complete_journey.yaml")
    command = [sys.executable, "-m", "pipelines", "run", "--spec", spec]
    command += ["--out", str(folder / "run")]
    done = subprocess.run([*command, "--set", f"home={folder / 'home'}"], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit("the run failed; give a bundle with --bundle")
    return folder / "run" / "model"


def main() -> None:
    """Measure, print, and end with one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--calls", type=int, default=100, help="of each part, a round")
    parser.add_argument(
        "--soak", type=float, help="minutes at 70 %% of capacity, and no comparison"
    )
    parser.add_argument("--json", action="store_true", help="for scripts; the last line is JSON")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="shopguide-bench-") as name:
        folder = Path(name)
        with redis_server(folder):
            made = shops(bundle_of(options.bundle, folder), folder)
            bodies = folder / "bodies.json"
            bodies.write_text(json.dumps(requests(made["sqlite"], 500, seed=1)))
            if options.soak:
                result = soak(made["sqlite"], bodies, options.soak)
            else:
                result = compare(made, bodies, options)
    cores = os.cpu_count()
    machine = {"cores": cores, "load_before": round(before, 2), "python": platform.python_version()}
    print(json.dumps(result | {"candidates": CANDIDATES, "machine": machine}))


if __name__ == "__main__":
    main()
