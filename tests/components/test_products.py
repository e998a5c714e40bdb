"""A component is of use by itself: loaded from anywhere, in a pipeline that is not ours."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kfp import components as kfp_components

import components
from pipelines.contracts import contracts
from pipelines.spec_text import spec_text
from shopguide.spec import load_spec
from tests.planted import write_export, write_spec

ROOT = Path(__file__).resolve().parents[2]
COMPILED = sorted((ROOT / "components" / "compiled").glob("*.yaml"))

FOREIGN = '''
"""Somebody else's pipeline, with two of our components and one of their own."""

import sys
from pathlib import Path

from kfp import components, dsl, local

check = components.load_component_from_file("check_spec.yaml")
prepare = components.load_component_from_file("prepare_logs.yaml")


@dsl.component
def count(log: dsl.Input[dsl.Dataset]) -> int:
    import pyarrow.parquet as pq

    return pq.read_metadata(log.path + "/impressions.parquet").num_rows


@dsl.pipeline(name="theirs")
def theirs(spec_text: str) -> int:
    spec = check(spec_text=spec_text, run_id="theirs").outputs["spec"]
    return count(log=prepare(spec=spec).outputs["log"]).output


local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(Path("root").resolve()))
print("rows:", theirs(spec_text=Path(sys.argv[1]).read_text()).output)
'''


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.stem)
def test_a_component_is_loaded_from_a_foreign_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = Path(shutil.copy(path, tmp_path / "some.yaml"))
    monkeypatch.chdir(tmp_path)
    loaded = kfp_components.load_component_from_file(str(copied))
    ours = getattr(components, path.stem).component_spec
    assert loaded.name == ours.name
    assert set(loaded.component_spec.inputs or {}) == set(ours.inputs or {})
    assert set(loaded.component_spec.outputs or {}) == set(ours.outputs or {})


def test_components_work_in_somebody_elses_pipeline(tmp_path: Path) -> None:
    for name in ("check_spec", "prepare_logs"):
        shutil.copy(ROOT / "components" / "compiled" / f"{name}.yaml", tmp_path)
    spec = load_spec(write_spec(tmp_path, write_export(tmp_path / "export.csv")))
    (tmp_path / "spec.json").write_text(spec_text(spec))
    (tmp_path / "theirs.py").write_text(FOREIGN)
    done = subprocess.run(
        [sys.executable, "theirs.py", "spec.json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert int(done.stdout.rpartition("rows: ")[2]) > 1000


def test_the_page_of_contracts_has_every_component_and_argument() -> None:
    page = contracts(ROOT)
    for path in COMPILED:
        spec = getattr(components, path.stem).component_spec
        section = page.partition(f"## {spec.name}\n")[2].partition("\n## ")[0]
        for name in [*(spec.inputs or {}), *(spec.outputs or {})]:
            assert f"| `{name}` |" in section, f"{spec.name}: {name}"
        for lead in ("needs", "again", "fails"):
            assert f"- *{lead}*: " in section, spec.name
