"""The guide's examples, run as they stand in it: three files, three lines, one trained bundle."""

import ast
import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.spec import Spec, check_text, parts
from shopguide.training import train_mtl
from tests.training_sets import sealed

GUIDE = Path(__file__).parents[2] / "docs" / "extending.md"
TABLES = {"ARCHITECTURES": parts.ARCHITECTURES, "HEADS": parts.HEADS,
          "LIST_ENCODERS": parts.LIST_ENCODERS}  # fmt: skip


def blocks() -> list[tuple[str, str]]:
    """Return the guide's blocks of code, each with the place it names in its first line."""
    found = re.findall(r"```python\n# ([^\n]+)\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert len(found) == 6
    return found


@pytest.fixture
def extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, code in blocks():
        if place.startswith("shopguide/spec/parts.py, in "):
            table = TABLES[place.removeprefix("shopguide/spec/parts.py, in ")]
            for name, entry in ast.literal_eval("{" + code + "}").items():
                monkeypatch.setitem(table, name, entry)
            continue
        name = place.removesuffix(".py").replace("/", ".")
        file = tmp_path / f"{name}.py"
        file.write_text(code, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)


def its_spec(spec: Spec) -> Spec:
    document = spec.model_dump(mode="json")
    document["model"] |= {
        "architecture": "scaled_bottom",
        "lists": {"tags": {"kind": "bag", "length": 3, "encoder": "maximum"}},
    }
    document["tasks"]["order_value"]["loss"] = "gamma"
    return check_text(json.dumps(document), where="planted spec")


@pytest.mark.usefixtures("extended")
def test_the_three_examples_train_a_bundle(
    planted_spec: Spec, training_set: Path, tmp_path: Path
) -> None:
    for split in ("train", "valid", "test"):
        table = pq.read_table(training_set / f"{split}.parquet")
        tags = [[value] * (n % 3) for n, value in enumerate(table["category"].to_pylist())]
        pq.write_table(table.append_column("tags", pa.array(tags)), tmp_path / f"{split}.parquet")
    sealed(tmp_path, planted_spec)
    record = train_mtl(its_spec(planted_spec), tmp_path, tmp_path / "model").record
    assert record.parity <= 1e-5
    assert record.epochs[record.best_epoch - 1].valid_loss < 0.95
    table = pq.read_table(tmp_path / "test.parquet")
    predicted = load_bundle(tmp_path / "model", threads=1).predict(table)
    observed = table["order_value"].to_numpy().mean()
    assert np.mean(predicted["order_value"]) == pytest.approx(observed, rel=0.2)


def test_without_their_lines_the_names_are_refused(planted_spec: Spec) -> None:
    with pytest.raises(ShopguideError) as caught:
        its_spec(planted_spec)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all("Allowed are" in line for line in lines)
