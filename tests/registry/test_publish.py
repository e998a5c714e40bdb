"""Services are told who is champion after the registry, whole or not at all; a cut is mended."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shopguide.bundle import load_bundle
from shopguide.bundle.pointer import Pointer, pointer_file, read_pointer
from shopguide.errors import ShopguideError
from shopguide.registry import champion_bento, fetch_champion, promote_model, rollback
from shopguide.registry import promote as promoting
from shopguide.spec import Spec
from tests.bundles import rewrite
from tests.tiny import tiny_spec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

MakeBundle = Callable[[float], Path]
Decide = Callable[..., Path]


class CutError(Exception):
    """Stands for the power that goes."""


POINTER = """{"schema": 1, "version": "1", "checksum": "c", "bundle": %s, "bento": %s,
"feature_service": "f"}"""


def _cut(*_: object) -> None:
    raise CutError


def _checksum(bundle: Path) -> str:
    return load_bundle(bundle).manifest.checksum


def _pointer(spec: Spec) -> Pointer:
    found = read_pointer(spec.home, spec.name)
    assert found is not None
    return found


def _blessed(bundle: Path, folder: Path, tag: str = "tiny:abc") -> Path:
    folder.mkdir()
    content = {"tag": tag, "blessed": True, "bundle": _checksum(bundle)}
    (folder / "blessing.json").write_text(json.dumps(content))
    return folder


def test_a_promotion_and_a_rollback_tell_services(
    spec: Spec, make_bundle: MakeBundle, decide: Decide, tmp_path: Path
) -> None:
    first, second = make_bundle(0.1), make_bundle(0.2)
    assert read_pointer(spec.home, spec.name) is None
    promote_model(spec, first, decide(first, None), _blessed(first, tmp_path / "bento"))
    told = _pointer(spec)
    assert (told.version, told.checksum, told.bento) == ("1", _checksum(first), "tiny:abc")
    assert told.feature_service == load_bundle(first).manifest.feature_service
    promote_model(spec, second, decide(second, first))
    assert (_pointer(spec).version, _pointer(spec).bento) == ("2", None)
    assert _checksum(Path(spec.home) / _pointer(spec).bundle) == _checksum(second)
    rollback(spec, reason="the page was empty")
    assert _pointer(spec) == told


@pytest.mark.parametrize("step", ["stage_bundle", "_point", "point_services"])
def test_a_promotion_that_is_cut_off_leaves_a_champion_and_is_mended_by_another_try(
    spec: Spec,
    make_bundle: MakeBundle,
    decide: Decide,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    first, second = make_bundle(0.1), make_bundle(0.2)
    promote_model(spec, first, decide(first, None))
    decision = decide(second, first)
    with monkeypatch.context() as patched:
        patched.setattr(promoting, step, _cut)
        with pytest.raises(CutError):
            promote_model(spec, second, decision)
    assert _pointer(spec).checksum == _checksum(first), "services go on with a whole champion"
    fetched = fetch_champion(spec, tmp_path / "champion")
    assert fetched == ("2" if step == "point_services" else "1")
    assert promote_model(spec, second, decision) == "2"
    assert _pointer(spec).checksum == _checksum(second)
    assert fetch_champion(spec, tmp_path / "champion") == "2"


def test_a_bento_that_was_built_anew_is_noted_for_the_champion_of_now(
    spec: Spec, make_bundle: MakeBundle, decide: Decide, tmp_path: Path
) -> None:
    bundle = make_bundle(0.1)
    decision = decide(bundle, None)
    promote_model(spec, bundle, decision, _blessed(bundle, tmp_path / "bento"))
    anew = _blessed(bundle, tmp_path / "anew", "tiny:def")
    assert promote_model(spec, bundle, decision, anew) == "1"
    assert champion_bento(spec) == ("1", "tiny:def")
    assert _pointer(spec).bento == "tiny:def"
    promote_model(spec, bundle, decision)
    assert _pointer(spec).bento == "tiny:def", "a promotion without a Bento takes none away"


def test_who_asks_for_a_champion_makes_no_home(tmp_path: Path) -> None:
    assert champion_bento(tiny_spec(tmp_path / "none")) is None
    assert not (tmp_path / "none").exists()


def test_serving_mends_what_a_promotion_did_not_come_to(
    spec: Spec,
    make_bundle: MakeBundle,
    decide: Decide,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = make_bundle(0.1)
    with monkeypatch.context() as patched:
        patched.setattr(promoting, "point_services", _cut)
        with pytest.raises(CutError):
            promote_model(spec, bundle, decide(bundle, None), _blessed(bundle, tmp_path / "bento"))
    assert read_pointer(spec.home, spec.name) is None
    assert champion_bento(spec) == ("1", "tiny:abc")
    assert _pointer(spec).checksum == _checksum(bundle)


def test_a_champions_bundle_that_was_deleted_or_changed_comes_back_from_the_registry(
    spec: Spec, make_bundle: MakeBundle, decide: Decide
) -> None:
    first, second = make_bundle(0.1), make_bundle(0.2)
    promote_model(spec, first, decide(first, None))
    folder = Path(spec.home) / _pointer(spec).bundle
    promote_model(spec, second, decide(second, first))
    shutil.rmtree(folder)
    rollback(spec, reason="gone")
    assert _checksum(folder) == _checksum(first)
    rewrite(Path(spec.home) / _pointer(spec).bundle, "fusion.json", b"{}")
    rollback(spec, reason="and back", to="2")
    rollback(spec, reason="and again", to="1")
    assert _checksum(folder) == _checksum(first)


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", '{"schema": 2}', '{"schema": 1, "version": 3}', "\x00", "[" * 100_000),
        POINTER % ('"champions/tiny/\\u0000"', "null"),
        POINTER % ('"champions/tiny/a"', "5"),
    ],
)
def test_a_pointer_of_another_form_is_refused(spec: Spec, content: str) -> None:
    path = pointer_file(spec.home, spec.name)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(ShopguideError, match="does not say who is champion"):
        read_pointer(spec.home, spec.name)


@pytest.mark.parametrize("bundle", ["../elsewhere", "/etc", "champions/other/abc"])
def test_a_pointer_leads_nowhere_else(
    spec: Spec, make_bundle: MakeBundle, decide: Decide, bundle: str
) -> None:
    first = make_bundle(0.1)
    promote_model(spec, first, decide(first, None))
    path = pointer_file(spec.home, spec.name)
    path.write_text(json.dumps({**json.loads(path.read_text()), "bundle": bundle}))
    with pytest.raises(ShopguideError, match="outside its folder"):
        read_pointer(spec.home, spec.name)
