"""A stand-in for a Kubeflow Pipelines server, on loopback. It is no KFP: it is ours, for tests.

It speaks API v2beta1 as the client needs it, and is stricter than the real one: a body may hold
only what the models of `kfp_server_api` know, of their types; an upload must be a `PipelineSpec` to
the letter; parameters must fit it. A run that it takes is really run, by kfp's local runner.
"""

import base64
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import kfp_server_api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

ROOT = Path(__file__).resolve().parents[2]

Json = dict[str, Any]


@dataclass
class Answer:
    """What the next question that fits gets instead of the truth.

    Args:
        status: of the answer; 0 breaks the connection off.
        body: of the answer.
        headers: of the answer.
        fits: what method and path of the question must hold.
        times: how often.
        after: whether the question is done first, and only its answer is lost.
    """

    status: int
    body: str | bytes = '{"code": 13, "message": "planted"}'
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    fits: str = ""
    times: int = 1
    after: bool = False


class RefusedError(Exception):
    """What the API would refuse: an HTTP status, and words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Loopback:
    """The server; `with Loopback(folder) as server` starts it and stops it.

    Args:
        folder: of its runs.
        token: that it asks for; None asks for none.
        cookie: that it asks for; None asks for none.
        namespaces: of its users; empty: it has no users.
        execute: whether runs are really run; else they stay PENDING, for a test to change.
        certificate: file with key and certificate, for https.
        page: most entries of one answer.
    """

    def __init__(
        self,
        folder: Path,
        *,
        token: str | None = None,
        cookie: str | None = None,
        namespaces: tuple[str, ...] = (),
        execute: bool = False,
        certificate: Path | None = None,
        page: int = 200,
    ) -> None:
        self.folder = folder
        self.token, self.cookie, self.namespaces = token, cookie, namespaces
        self.execute, self.page = execute, page
        self.pipelines: dict[str, Json] = {}
        self.versions: dict[str, Json] = {}
        self.experiments: dict[str, Json] = {}
        self.runs: dict[str, Json] = {}
        self.recurring: dict[str, Json] = {}
        self.planted: list[Answer] = []
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.lock = threading.RLock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
            scheme = "https"
        self.host = f"{scheme}://localhost:{self._http.server_address[1]}"

    def __enter__(self) -> "Loopback":
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def count(self, fits: str) -> int:
        """How many questions held this in "METHOD /path"."""
        return sum(fits in question for question in self.asked)

    # what the API does, one method a question

    def list_of(self, entries: dict[str, Json], name: str, query: dict[str, str]) -> Json:
        found = list(entries.values())
        if "filter" in query:
            wanted = _name_of(query["filter"])
            found = [entry for entry in found if entry["display_name"] == wanted]
        for key in ("experiment_id", "pipeline_id"):
            if query.get(key):
                found = [entry for entry in found if entry[key] == query[key]]
        namespace = query.get("namespace", "")
        if entries is not self.versions and not query.get("experiment_id"):
            self._allow(namespace)
            if self.namespaces:
                found = [entry for entry in found if entry.get("namespace", "") == namespace]
        if query.get("sort_by", "") not in ("", "created_at desc"):
            raise RefusedError(400, f"Cannot sort on field {query['sort_by']}")
        if query.get("sort_by"):
            found.reverse()
        size = min(int(query.get("page_size", 20)), self.page)
        first = int(base64.b64decode(query["page_token"])) if query.get("page_token") else 0
        page: Json = {name: found[first : first + size], "total_size": len(found)}
        if first + size < len(found):
            page["next_page_token"] = base64.b64encode(str(first + size).encode()).decode()
        return page

    def create_pipeline(self, body: Json) -> Json:
        strict(body, "V2beta1Pipeline", {"display_name"}, {"description", "namespace"})
        self._allow(body.get("namespace", ""))
        if any(_same(entry, body) for entry in self.pipelines.values()):
            raise RefusedError(409, "Already exist error: the pipeline exists")
        return _keep(self.pipelines, "pipeline_id", body)

    def upload_version(self, query: dict[str, str], file: bytes) -> Json:
        unknown = set(query) - {"name", "pipelineid", "description"}
        if unknown or not {"name", "pipelineid"} <= set(query):
            raise RefusedError(400, f"Failed to create a pipeline version: {unknown}")
        if query["pipelineid"] not in self.pipelines:
            raise RefusedError(400, "Failed to create a pipeline version")
        documents = list(yaml.load_all(file, yaml.CSafeLoader))
        try:
            json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
            for document in documents[1:]:
                json_format.ParseDict(document, pipeline_spec_pb2.PlatformSpec())
        except json_format.ParseError as error:
            raise RefusedError(400, f"Failed to create a pipeline version: {error}") from None
        version = {
            "pipeline_id": query["pipelineid"],
            "display_name": query["name"],
            "pipeline_spec": documents[0],
        }
        if any(
            (entry["pipeline_id"], entry["display_name"])
            == (version["pipeline_id"], version["display_name"])
            for entry in self.versions.values()
        ):
            raise RefusedError(409, "Failed to create a pipeline version")
        kept = _keep(self.versions, "pipeline_version_id", version)
        (self.folder / f"{kept['pipeline_version_id']}.yaml").write_bytes(file)
        return kept

    def create_experiment(self, body: Json) -> Json:
        strict(body, "V2beta1Experiment", {"display_name"}, {"namespace", "description"})
        self._allow(body.get("namespace", ""))
        if any(_same(entry, body) for entry in self.experiments.values()):
            raise RefusedError(409, "Already exist error: the experiment exists")
        return _keep(self.experiments, "experiment_id", body)

    def create_run(self, body: Json) -> Json:
        strict(
            body,
            "V2beta1Run",
            {"display_name", "experiment_id", "pipeline_version_reference", "runtime_config"},
            {"service_account", "recurring_run_id"},
        )
        version = self._fitting(body)
        run = _keep(self.runs, "run_id", {**body, "state": "PENDING", "run_details": {}})
        run["namespace"] = self.experiments[body["experiment_id"]].get("namespace", "")
        if self.execute:
            folder = self.folder / run["run_id"]
            folder.mkdir()
            parameters = body["runtime_config"].get("parameters", {})
            (folder / "parameters.json").write_text(json.dumps(parameters), encoding="utf-8")
            threading.Thread(target=self._run, args=(run, version, folder), daemon=True).start()
        return run

    def create_recurring(self, body: Json) -> Json:
        needed = {"display_name", "experiment_id", "pipeline_version_reference", "trigger"}
        needed |= {"max_concurrency", "mode", "runtime_config", "no_catchup"}
        strict(body, "V2beta1RecurringRun", needed, {"namespace", "service_account"})
        self._fitting(body)
        if not 1 <= int(body["max_concurrency"]) <= 10:
            raise RefusedError(400, "Max concurrency must be at least 1 and at most 10")
        trigger = body["trigger"]
        if len(trigger) != 1:
            raise RefusedError(400, "one trigger")
        cron = trigger.get("cron_schedule", {}).get("cron")
        if cron is not None and not _robfig(cron):
            raise RefusedError(400, "Schedule cron is not a supported format")
        pause = trigger.get("periodic_schedule", {}).get("interval_second")
        if pause is not None and int(pause) < 1:
            raise RefusedError(400, "Found invalid period schedule interval")
        return _keep(self.recurring, "recurring_run_id", body)

    def fire(self, recurring_run_id: str) -> Json:
        """Start a run as the schedule's time comes; None of its own clock."""
        schedule = self.recurring[recurring_run_id]
        assert schedule["mode"] == "ENABLE"
        names = ("experiment_id", "pipeline_version_reference", "runtime_config")
        body = {name: schedule[name] for name in names}
        name = f"{schedule['display_name']}-{len(self.runs)}"
        return self.create_run({**body, "display_name": name, "recurring_run_id": recurring_run_id})

    def switch(self, recurring_run_id: str, mode: str) -> Json:
        _found(self.recurring, recurring_run_id, "recurring run")["mode"] = mode
        return {}

    def delete_recurring(self, recurring_run_id: str) -> Json:
        _found(self.recurring, recurring_run_id, "recurring run")
        del self.recurring[recurring_run_id]
        for run in self.runs.values():  # as Kubernetes does with what a schedule owns
            if run.get("recurring_run_id") == recurring_run_id and run["state"] == "RUNNING":
                run["state"] = "FAILED"
        return {}

    def log(self, run_id: str, node: str) -> str:
        run = _found(self.runs, run_id, "run")
        file = self.folder / run_id / "output.log"
        pods = {pod for task in run["run_details"].get("task_details", []) for pod in _pods(task)}
        if node not in pods or not file.exists():
            return json.dumps({"error_message": "Failed to read logs", "error_details": node})
        return file.read_text(encoding="utf-8")

    # what stands behind it

    def _allow(self, namespace: str) -> None:
        if not self.namespaces:
            return
        if not namespace:
            raise RefusedError(400, "Invalid input error: a namespace cannot be empty")
        if namespace not in self.namespaces:
            raise RefusedError(403, f"User is not authorized to use namespace {namespace}")

    def _fitting(self, body: Json) -> Json:
        """Hold a run to its version, as the server's own check of inputs does."""
        experiment = _found(self.experiments, body["experiment_id"], "experiment")
        self._allow(experiment.get("namespace", ""))
        reference = body["pipeline_version_reference"]
        version = _found(self.versions, reference["pipeline_version_id"], "pipeline version")
        if version["pipeline_id"] != reference["pipeline_id"]:
            raise RefusedError(400, "the version is of another pipeline")
        asked = version["pipeline_spec"]["root"].get("inputDefinitions", {}).get("parameters", {})
        given = body["runtime_config"].get("parameters", {})
        if set(given) - set(asked):
            raise RefusedError(400, f"parameter(s) not required by pipeline: {set(given)}")
        for name, entry in asked.items():
            if name not in given:
                if not entry.get("isOptional") and "defaultValue" not in entry:
                    raise RefusedError(400, f"parameter {name} is not optional")
            elif not isinstance(given[name], _TYPES[entry["parameterType"]]):
                raise RefusedError(400, f"input parameter {name} requires another type")
        return version

    def _run(self, run: Json, version: Json, folder: Path) -> None:
        command = [sys.executable, str(Path(__file__).with_name("loopback_run.py"))]
        command += [str(self.folder / f"{version['pipeline_version_id']}.yaml"), str(folder)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with (folder / "output.log").open("wb") as log, self.lock:
            process = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True
            )
            self._processes.append(process)
            run["state"] = "RUNNING"
        while True:
            try:
                code = process.wait(0.1)
            except subprocess.TimeoutExpired:
                code = None
            with self.lock:
                run["run_details"] = {"task_details": _tasks(run["run_id"], folder)}
                if code is not None:
                    run["state"] = "SUCCEEDED" if code == 0 else "FAILED"
                    run["finished_at"] = _now()
                    return


def strict(body: Json, model: str, needed: set[str], allowed: set[str]) -> None:
    """Refuse what the real server would, and what a client of ours has no business to send."""
    _typed(body, model, "")
    if not needed <= set(body) <= needed | allowed:
        raise RefusedError(400, f"{model}: {sorted(set(body) ^ needed)}")


def _typed(value: Any, kind: str, where: str) -> None:  # noqa: ANN401 - JSON
    if kind == "object":
        return
    if kind.startswith("dict("):
        for name, entry in value.items():
            _typed(entry, kind[5:-1].partition(", ")[2], f"{where}.{name}")
        return
    if kind in _PLAIN:
        if not isinstance(value, _PLAIN[kind]):
            raise RefusedError(400, f"proto: invalid value for field {where}: {value!r}")
        if kind == "datetime" and datetime.fromisoformat(value).tzinfo is None:
            raise RefusedError(400, f"proto: invalid timestamp {where}: {value!r}")
        return
    model = getattr(kfp_server_api, kind)
    if not model.openapi_types:  # an enumeration
        if value not in model.allowable_values:
            raise RefusedError(400, f"proto: invalid value for enum field {where}: {value!r}")
        return
    names = {json_name: name for name, json_name in model.attribute_map.items()}
    for name, entry in value.items():
        if name not in names:
            raise RefusedError(400, f'proto: unknown field "{name}"')
        _typed(entry, model.openapi_types[names[name]], f"{where}.{name}")


_PLAIN: dict[str, type] = {"str": str, "bool": bool, "int": int, "datetime": str}

_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}


def _tasks(run_id: str, folder: Path) -> list[Json]:
    """The steps so far, from the events that they write."""
    file = folder / "events.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
    tasks: dict[str, Json] = {}
    for event in (json.loads(line) for line in lines if line.endswith("\n")):
        name = event["step"].replace("_", "-")
        key = name + event.get("part", "")
        task = tasks.setdefault(
            key,
            {
                "run_id": run_id,
                "task_id": f"{run_id}-{key}",
                "display_name": name,
                "start_time": _now(),
                "child_tasks": [{"pod_name": f"{key}-pod"}],
            },
        )
        task["state"] = {"start": "RUNNING", "done": "SUCCEEDED"}.get(event["event"], "FAILED")
        if event["event"] != "start":
            task["end_time"] = _now()
        if event.get("error"):
            task["error"] = {"code": 2, "message": event["error"]}
    return list(tasks.values())


def _pods(task: Json) -> list[str]:
    return [child["pod_name"] for child in task.get("child_tasks", [])]


def _keep(entries: dict[str, Json], key: str, body: Json) -> Json:
    number = str(uuid.uuid4())
    entries[number] = {**body, key: number, "created_at": _now()}
    return entries[number]


def _found(entries: dict[str, Json], number: str, what: str) -> Json:
    if number not in entries:
        raise RefusedError(404, f"{what} {number} not found")
    return entries[number]


def _same(entry: Json, body: Json) -> bool:
    keys = ("display_name", "namespace")
    return all(entry.get(key) == body.get(key) for key in keys)


def _name_of(text: str) -> str:
    (predicate,) = json.loads(text)["predicates"]
    _typed(predicate, "V2beta1Predicate", "filter")
    if predicate["operation"] != "EQUALS" or predicate["key"] != "display_name":
        raise RefusedError(400, "Unrecognized filter")
    return str(predicate["string_value"])


def _robfig(cron: str) -> bool:
    """Five or six fields, seconds first, each within its bounds."""
    if re.fullmatch(r"@(yearly|annually|monthly|weekly|daily|hourly)", cron):
        return True
    tops = (59, 59, 23, 31, 12, 6)
    fields = cron.split()
    return len(fields) in (5, 6) and all(
        int(number) <= top
        for field, top in zip(fields, tops, strict=False)
        for number in re.findall(r"\d+", field)
    )


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _routes(server: Loopback) -> list[tuple[str, Callable[..., Any]]]:
    lists = {
        "pipelines": (server.pipelines, "pipelines"),
        "experiments": (server.experiments, "experiments"),
        "runs": (server.runs, "runs"),
        "recurringruns": (server.recurring, "recurringRuns"),
    }

    def listing(entries: dict[str, Json], field: str) -> Callable[..., Json]:
        return lambda query, _: server.list_of(entries, field, query)

    routes: list[tuple[str, Callable[..., Any]]] = [
        (f"GET /{path}", listing(*entry)) for path, entry in lists.items()
    ]
    routes += [
        (
            "GET /pipelines/([^/]+)/versions",
            lambda query, _, one: server.list_of(
                server.versions, "pipeline_versions", query | {"pipeline_id": one}
            ),
        ),
        ("GET /runs/([^/:]+)", lambda _q, _b, one: _found(server.runs, one, "run")),
        ("POST /pipelines/upload_version", lambda q, body: server.upload_version(q, body)),
        ("POST /pipelines", lambda _, body: server.create_pipeline(body)),
        ("POST /experiments", lambda _, body: server.create_experiment(body)),
        ("POST /runs", lambda _, body: server.create_run(body)),
        ("POST /recurringruns", lambda _, body: server.create_recurring(body)),
        ("POST /recurringruns/([^/:]+):enable", lambda _q, _b, x: server.switch(x, "ENABLE")),
        ("POST /recurringruns/([^/:]+):disable", lambda _q, _b, x: server.switch(x, "DISABLE")),
        ("DELETE /recurringruns/([^/:]+)", lambda _q, _b, x: server.delete_recurring(x)),
    ]
    return routes


def _handler(server: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            question = f"{self.command} {self.path}"
            with server.lock:
                server.asked.append(question)
                server.headers.append(dict(self.headers))
                planted = next((p for p in server.planted if p.fits in question and p.times), None)
                if planted is not None:
                    planted.times -= 1
                    if planted.after:
                        self._do(raw)
                    if planted.status == 0:
                        self.close_connection = True
                        return
                    self._send(planted.status, planted.body, planted.headers)
                    return
                status, body, kind = self._do(raw)
                self._send(status, body, {"Content-Type": kind})

        def _do(self, raw: bytes) -> tuple[int, str, str]:
            path = urlsplit(self.path).path
            try:
                self._known()
                log = re.fullmatch("/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log", path)
                if log:
                    return 200, server.log(unquote(log[1]), unquote(log[2])), "text/plain"
                return 200, json.dumps(self._result(path, raw)), "application/json"
            except RefusedError as error:
                if "upload" in path:
                    words = {"error_message": str(error), "error_details": str(error)}
                else:
                    words = {"code": 3, "message": f"Failed: {error}", "details": []}
                return error.status, json.dumps(words), "application/json"

        def _known(self) -> None:
            asked = {
                "Authorization": server.token and f"Bearer {server.token}",
                "Cookie": server.cookie,
            }
            if any(value and self.headers.get(name) != value for name, value in asked.items()):
                raise RefusedError(401, "Request header error: there is no user identity")

        def _result(self, path: str, raw: bytes) -> Any:  # noqa: ANN401 - JSON
            query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            kind = self.headers.get("Content-Type", "")
            body: Any = None
            if kind.startswith("multipart/form-data"):
                body = _file(kind, raw)
            elif raw:
                body = json.loads(raw)
            for pattern, method in _routes(server):
                found = re.fullmatch(
                    pattern.replace(" ", " /apis/v2beta1", 1), f"{self.command} {path}"
                )
                if found:
                    return method(query, body, *map(unquote, found.groups()))
            raise RefusedError(404, "Not Found")

        def _send(self, status: int, body: str | bytes, headers: dict[str, str]) -> None:
            data = body.encode() if isinstance(body, str) else body
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


def _file(kind: str, raw: bytes) -> bytes:
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw)
    (part,) = message.iter_parts()
    if part.get_param("name", header="content-disposition") != "uploadfile":
        raise RefusedError(400, "Failed to read pipeline from file")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content
