"""Ask a service that runs beside this script whether it is what was promoted; print JSON.

`deploy/ci/service.sh smoke` runs it inside the service's container, which has no network:
Python and pyarrow are the image's own. Exit 1: the answer is no.

An answer that does without the feature store is degraded. That is told, and with `--features` it
is a no: then the container has a store.
"""

import http.client
import importlib.util
import json
import os
import shutil
import sys
import time
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq

PORT = int(os.environ.get("BENTOML_PORT", "3000"))
BUNDLE = Path("/bento/src/bundle")
SECONDS = 120  # to be ready in
LARGEST_DIFFERENCE = 1e-5  # of a prediction, relative to 1 + its size
GOLDEN_ROWS = 50


def ask(method: str, path: str, body: object = None) -> tuple[int, str]:
    """Ask the service; return the status and the text of its answer."""
    headers = {"Content-Type": "application/json"}
    if "SHOPGUIDE_API_KEY" in os.environ:
        headers["Authorization"] = f"Bearer {os.environ['SHOPGUIDE_API_KEY']}"
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def wait() -> float:
    """Wait until the service is ready; return the seconds since the container was started."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if ask("GET", "/readyz")[0] == http.client.OK:
                return seconds_since_start()
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"the service was not ready within {SECONDS} s; see the container's log")


def seconds_since_start() -> float:
    """Return the age of the container's first process."""
    fields = Path("/proc/1/stat").read_text().rpartition(")")[2].split()
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def memory_mb() -> float:
    """Return the resident memory of every process of the container but this one."""
    pages = 0
    for statm in Path("/proc").glob("[0-9]*/statm"):
        if statm.parent.name != str(os.getpid()):
            pages += int(statm.read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def ranking(*, features: bool) -> tuple[list[str], bool | None]:
    """Rank for a user and items that nobody knows; return what is wrong, and whether degraded."""
    items = ["smoke-1", "smoke-2", "smoke-3"]
    status, text = ask("POST", "/rank", {"user_id": "smoke", "items": items})
    if status != http.client.OK:
        return [f"/rank answers {status}: {text[:300]}"], None
    answer = json.loads(text)
    wrong = []
    if sorted(item["item_id"] for item in answer["items"]) != items:
        wrong.append(f"/rank does not return every candidate once: {text[:300]}")
    version = json.loads((BUNDLE / "bundle.json").read_text())["version"]
    served = answer["model_version"]
    if served != version:
        wrong.append(f"/rank serves {served}, the Bento holds {version}")
    degraded = bool(answer["degraded"])
    if features and degraded:
        wrong.append("/rank is degraded: it did without the feature store; see the container's log")
    return wrong, degraded


def golden() -> tuple[list[str], float]:
    """Send the bundle's golden rows; return what is wrong, and the largest difference."""
    inputs = [entry["name"] for entry in json.loads((BUNDLE / "bundle.json").read_text())["inputs"]]
    table = pq.read_table(BUNDLE / "golden.parquet").slice(0, GOLDEN_ROWS)
    rows = table.select([n for n in [*inputs, "shown_at"] if n in table.column_names]).to_pylist()
    status, text = ask(
        "POST", "/predict", {"rows": [{n: plain(row[n]) for n in row} for row in rows]}
    )
    if status != http.client.OK:
        return [f"/predict answers {status}: {text[:300]}"], float("nan")
    largest = 0.0
    for row, predicted in enumerate(json.loads(text)["predictions"]):
        for task, value in predicted.items():
            expected = float(table.column(f"prediction_{task}")[row].as_py())
            largest = max(largest, abs(value - expected) / (1 + abs(expected)))
    wrong = [f"/predict differs by {largest:.2g} from what the gate saw"]
    return (wrong if largest > LARGEST_DIFFERENCE else []), largest


def plain(value: object) -> object:
    """Return a cell as JSON has it."""
    return value.isoformat() if isinstance(value, datetime) else value


def housing() -> list[str]:
    """Return what a container in production must not be, have, or be able to do."""
    wrong = []
    if os.getuid() == 0:
        wrong.append("it runs as root")
    wrong += [f"it has {name}" for name in ("gcc", "cc", "pip") if shutil.which(name)]
    wrong += [f"it has {name}" for name in ("torch", "mlflow") if importlib.util.find_spec(name)]
    if os.access("/bento", os.W_OK) or os.access("/opt/shopguide", os.W_OK):
        wrong.append("it can write over its own program")
    return wrong


def main() -> None:
    """Print the findings; exit 1 if something is wrong."""
    seconds = wait()
    differences, largest = golden()
    faults, degraded = ranking(features="--features" in sys.argv[1:])
    wrong = [*faults, *differences, *housing()]
    if ask("GET", "/metrics")[0] != http.client.OK:
        wrong.append("/metrics does not answer")
    figures = {"startup_seconds": round(seconds, 2), "memory_mb": round(memory_mb(), 1)}
    found = {"wrong": wrong, "degraded": degraded, "largest_difference": largest}
    print(json.dumps(found | figures))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
