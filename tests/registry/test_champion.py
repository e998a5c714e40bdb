"""Verbs compare with the registry's champion, unless another is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shopguide.bundle import load_bundle
from shopguide.cli._champion import NONE, champion_of
from shopguide.cli.champion import champion
from shopguide.registry import promote_model
from shopguide.spec import Spec, dump_spec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_the_champion_is_looked_up_named_or_left_out(
    spec: Spec,
    make_bundle: Callable[[float], Path],
    decide: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with champion_of(spec, None) as held:
        assert (held.path, held.version, held.registered) == (None, None, True)
    bundle = make_bundle(0.1)
    promote_model(spec, bundle, decide(bundle, None))
    with champion_of(spec, None) as held:
        assert held.version == "1"
        assert held.path is not None
        assert load_bundle(held.path).manifest == load_bundle(bundle).manifest
    with champion_of(spec, NONE) as held:
        assert (held.path, held.registered) == (None, False)
    with champion_of(spec, bundle) as held:
        assert (held.path, held.registered) == (bundle, False)
    dump_spec(spec, tmp_path / "spec.yaml")
    champion(spec=tmp_path / "spec.yaml", out=tmp_path / "copy")
    captured = capsys.readouterr()
    assert f"version 1 → {tmp_path / 'copy'}" in captured.out
    assert captured.err == "champion  version 1 of the registry\n", "no progress bar beside it"
    assert load_bundle(tmp_path / "copy").manifest == load_bundle(bundle).manifest
