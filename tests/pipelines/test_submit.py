"""`python -m pipelines submit`: what is sent, what is refused before anything is sent."""

import json
from pathlib import Path

import pytest
import yaml

from pipelines.compiling import ROOT
from pipelines.kubeflow.package import compiled_file, read_package
from tests.pipelines.conftest import Verb
from tests.pipelines.loopback import Answer, Loopback

COMPILED = ROOT / "pipelines" / "compiled" / "train_and_promote.yaml"
TYPED = {
    "text": "STRING",
    "whole": "NUMBER_INTEGER",
    "ratio": "NUMBER_DOUBLE",
    "flag": "BOOLEAN",
    "names": "LIST",
    "table": "STRUCT",
}


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """A compiled pipeline with a parameter of every type; `text` has a default."""
    document = next(yaml.load_all(COMPILED.read_text(), yaml.CSafeLoader))
    parameters = {name: {"parameterType": kind} for name, kind in TYPED.items()}
    parameters["text"]["defaultValue"] = "x"
    document["root"]["inputDefinitions"] = {"parameters": parameters}
    path = tmp_path / "typed.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


GOOD = [
    *("--param", "whole=3", "--param", "ratio=0.5", "--param", "flag=true"),
    *("--param", 'names=["a"]', "--param", 'table={"a": 1}'),
]


def test_a_run_is_started_with_its_version_experiment_and_parameters(
    loopback: Loopback, verb: Verb
) -> None:
    done = verb("submit", "--host", loopback.host, "--param", "spec_text=name: x", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    (run,) = loopback.runs.values()
    assert told["run_id"] == run["run_id"]
    assert told["url"].endswith(f"/#/runs/details/{run['run_id']}")
    given = run["runtime_config"]["parameters"]
    assert given["spec_text"] == "name: x"
    assert given["run_id"] in run["display_name"]  # unique, though nobody gave one
    (version,) = loopback.versions.values()
    assert version["display_name"] == read_package(COMPILED).label == told["version"]
    (experiment,) = loopback.experiments.values()
    assert (experiment["display_name"], told["uploaded"]) == ("train-and-promote", True)


def test_the_same_file_is_uploaded_once_and_another_one_again(
    loopback: Loopback, verb: Verb, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(COMPILED.read_text().replace("shopguide/train", "registry.example/train"))
    for pipeline in ("train_and_promote", "train-and-promote", str(COMPILED), str(other)):
        done = verb("submit", pipeline, "--host", loopback.host, "--param", "spec_text=x")
        assert done.code == 0, done.err
    assert len(loopback.versions) == 2
    assert (len(loopback.pipelines), len(loopback.experiments), len(loopback.runs)) == (1, 1, 4)


def test_without_cache_no_step_of_the_version_is_cached(loopback: Loopback, verb: Verb) -> None:
    arguments = ("submit", "--host", loopback.host, "--param", "spec_text=x")
    assert verb(*arguments).code == verb(*arguments, "--no-cache").code == 0
    cached, free = loopback.versions.values()
    assert "enableCache" in json.dumps(cached["pipeline_spec"])
    assert "enableCache" not in json.dumps(free["pipeline_spec"])
    assert free["display_name"].endswith("-no-cache")


def test_every_type_arrives_as_it_is(loopback: Loopback, verb: Verb, typed: Path) -> None:
    done = verb("submit", str(typed), "--host", loopback.host, *GOOD)
    assert done.code == 0, done.err
    (run,) = loopback.runs.values()
    assert run["runtime_config"]["parameters"] == {
        "whole": 3,
        "ratio": 0.5,
        "flag": True,
        "names": ["a"],
        "table": {"a": 1},
    }


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("whole=3.5", "--param whole: is not a whole number"),
        ("whole=three", "--param whole: is not a whole number"),
        ("whole=90071992547409920", "--param whole: is not a whole number"),
        ("ratio=NaN", "--param ratio: is not a number"),
        ("flag=yes", "--param flag: is not true or false"),
        ("flag=1", "--param flag: is not true or false"),
        ("names=a,b", "--param names: is not a list. Write a list as JSON"),
        ("table=[1]", "--param table: is not a mapping"),
        (
            "tabel={}",
            "--param tabel: pipeline train-and-promote has no such parameter. Write table",
        ),
        ("whole", "--param whole: has no =. Write NAME=VALUE"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_is_sent(
    loopback: Loopback, verb: Verb, typed: Path, parameter: str, message: str
) -> None:
    done = verb("submit", str(typed), "--host", loopback.host, *GOOD, "--param", parameter)
    assert done.code == 2
    assert message in done.err
    assert loopback.asked == []


def test_a_missing_parameter_and_a_wrong_one_are_told_together(
    loopback: Loopback, verb: Verb, typed: Path
) -> None:
    done = verb("submit", str(typed), "--host", loopback.host, *GOOD[2:], "--param", "ratio=x")
    assert "parameter whole: is missing. Give --param whole=…" in done.err
    assert "--param ratio: is not a number" in done.err
    assert "parameter text" not in done.err
    assert (done.code, loopback.asked) == (2, [])


def test_a_file_of_parameters_is_held_to_the_types_too(
    loopback: Loopback, verb: Verb, typed: Path, tmp_path: Path
) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text(
        "{whole: '3', ratio: 1, flag: true, names: [], table: {at: 2024-01-01}, odd: 1}"
    )
    done = verb("submit", str(typed), "--host", loopback.host, "--params-file", str(file))
    assert done.code == 2
    assert "parameters.yaml, whole: is not a whole number" in done.err
    assert "parameters.yaml, table: is not a mapping" in done.err  # a date is no JSON
    assert "parameters.yaml, odd: pipeline train-and-promote has no such parameter" in done.err
    file.write_text("{whole: 3, ratio: 1, flag: true, names: [], table: {}}")
    arguments = ("--params-file", str(file), "--param", "whole=4")
    assert verb("submit", str(typed), "--host", loopback.host, *arguments).code == 0
    (run,) = loopback.runs.values()
    assert run["runtime_config"]["parameters"]["whole"] == 4  # typed wins


def test_a_spec_file_becomes_the_parameter(
    loopback: Loopback, verb: Verb, complete_journey_spec: Path
) -> None:
    spec = ("--spec", str(complete_journey_spec), "--profile", "quick", "--set", "home=/state")
    done = verb("submit", "--host", loopback.host, *spec)
    assert done.code == 0, done.err
    (run,) = loopback.runs.values()
    text = json.loads(run["runtime_config"]["parameters"]["spec_text"])
    assert (text["home"], text["profile"]) == ("/state", "quick")


def test_a_relative_path_of_a_spec_is_refused(
    loopback: Loopback, verb: Verb, complete_journey_spec: Path
) -> None:
    done = verb("submit", "--host", loopback.host, "--spec", str(complete_journey_spec))
    assert done.code == 2
    assert "home: '.shopguide' is relative, and the steps run in pods" in done.err
    assert loopback.asked == []


def test_what_is_no_compiled_pipeline_is_refused(
    loopback: Loopback, verb: Verb, tmp_path: Path
) -> None:
    text = COMPILED.read_text()
    wrong = {
        "was compiled by kfp-1.8.22": text.replace(
            "sdkVersion: kfp-2.17.0", "sdkVersion: kfp-1.8.22"
        ),
        "is no compiled pipeline: it has no sdkVersion": "apiVersion: argoproj.io/v1alpha1",
        "is no compiled pipeline: Message type": text.replace("schemaVersion: 2.1.0", "schema: 3"),
        "cannot be read": "a: [",
    }
    for message, content in wrong.items():
        path = tmp_path / "wrong.yaml"
        path.write_text(content)
        done = verb("submit", str(path), "--host", loopback.host, "--param", "spec_text=x")
        assert (done.code, message in done.err) == (2, True), done.err
    assert "Name one of train_and_promote, refresh_features" in verb("submit", "nothing").err
    assert loopback.asked == []


@pytest.mark.usefixtures("hurried")
def test_a_run_whose_answer_got_lost_is_not_started_twice(loopback: Loopback, verb: Verb) -> None:
    loopback.planted.append(Answer(502, fits="POST /apis/v2beta1/runs", after=True))
    done = verb("submit", "--host", loopback.host, "--param", "spec_text=x", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["run_id"] in loopback.runs
    assert len(loopback.runs) == 1
    loopback.planted.append(Answer(503, fits="POST /apis/v2beta1/runs"))
    done = verb("submit", "--host", loopback.host, "--param", "spec_text=x")
    assert (done.code, len(loopback.runs)) == (2, 1)
    assert "cannot start a run: it broke (503)" in done.err


@pytest.mark.usefixtures("hurried")
def test_two_that_upload_at_once_share_the_version(loopback: Loopback, verb: Verb) -> None:
    loopback.planted += [
        Answer(
            409, '{"code": 6, "message": "exists"}', fits=f"POST /apis/v2beta1/{what}", after=True
        )
        for what in ("pipelines/upload_version", "pipelines", "experiments")
    ]
    done = verb("submit", "--host", loopback.host, "--param", "spec_text=x", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["uploaded"] is False
    assert len(loopback.versions) == len(loopback.pipelines) == len(loopback.experiments) == 1


def test_a_version_on_a_later_page_is_found(loopback: Loopback, verb: Verb) -> None:
    loopback.page = 2
    for number in range(5):
        loopback.create_experiment({"display_name": f"e{number}"})
    arguments = ("--param", "spec_text=x", "--experiment", "e4")
    assert verb("submit", "--host", loopback.host, *arguments).code == 0
    assert len(loopback.experiments) == 5
    assert verb("submit", "--host", loopback.host, *arguments).code == 0
    done = verb("status", "--host", loopback.host, "--json", "--limit", "3")
    assert len(json.loads(done.out)) == 2


def test_users_have_namespaces(tmp_path: Path, verb: Verb) -> None:
    with Loopback(tmp_path, namespaces=("shop",)) as server:
        arguments = ("submit", "--host", server.host, "--param", "spec_text=x")
        none = verb(*arguments)
        other = verb(*arguments, "--namespace", "bank")
        assert verb(*arguments, "--namespace", "shop").code == 0
        (pipeline,) = server.pipelines.values()
        (experiment,) = server.experiments.values()
    assert (none.code, other.code) == (2, 2)
    assert "a namespace cannot be empty" in none.err
    assert "this account may not in namespace bank (403)" in other.err
    assert pipeline["namespace"] == experiment["namespace"] == "shop"


def test_our_own_names_lead_to_compiled_files() -> None:
    assert compiled_file("train-and-promote") == COMPILED
