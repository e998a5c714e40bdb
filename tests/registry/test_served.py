"""A promotion and a rollback reach a running Bento, and no request fails meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shopguide.bundle import load_bundle
from shopguide.files import write_json
from shopguide.packaging.build import build_bento
from shopguide.packaging.process import running
from shopguide.registry import promote_model, rollback
from shopguide.spec import Spec
from tests.serving.load import Load
from tests.tiny import fill_tiny_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.service,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

Decide = Callable[..., Path]


def test_a_running_bento_follows_a_promotion_and_a_rollback(
    spec: Spec, make_bundle: Callable[[float], Path], decide: Decide, tmp_path: Path
) -> None:
    fill_tiny_store(spec, 40)
    first, second = make_bundle(0.1), make_bundle(0.2)
    old, new = (load_bundle(bundle).manifest for bundle in (first, second))
    bento = build_bento(spec, first)
    blessing = {"tag": bento.tag, "blessed": True, "bundle": old.checksum}
    write_json(tmp_path / "blessing.json", blessing)
    promote_model(spec, first, decide(first, None), tmp_path)
    with running(bento, home=Path(spec.home), timeout=120, follow=True) as service:
        load = Load(service.port)
        try:
            load.wait_for_version(old.version)
            promote_model(spec, second, decide(second, first))
            load.wait_for_version(new.version)
            rollback(spec, reason="the page was empty")
            load.wait_for_version(old.version)
        finally:
            load.stop()
    assert load.failures == []
    assert load.degraded[True] == 0
    assert set(load.versions) == {old.version, new.version}
