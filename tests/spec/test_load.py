"""A spec is read, overridden and checked; every mistake is named by its path."""

from pathlib import Path

import pytest
import yaml

from shopguide.errors import ShopguideError
from shopguide.spec import check_text, dump_spec, json_schema, load_spec
from shopguide.spec._load import override as set_field


def test_every_example_is_valid() -> None:
    examples = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
    assert examples
    for example in examples:
        assert load_spec(example).name


def test_the_profile_named_on_the_command_line_wins_over_the_file(
    complete_journey_spec: Path,
) -> None:
    quick = load_spec(complete_journey_spec)
    full = load_spec(complete_journey_spec, profile="full")
    assert quick.data.source == full.data.source == "complete_journey"
    assert (quick.data.items, full.data.items) == (100, 300)
    assert quick.data.request_rate.train == pytest.approx(0.1)
    assert full.data.request_rate.train == pytest.approx(1.0)


def test_an_override_wins_over_the_profile(complete_journey_spec: Path) -> None:
    spec = load_spec(complete_journey_spec, profile="full", overrides=["data.items=50"])
    assert spec.data.source == "complete_journey"
    assert spec.data.items == 50


def test_a_dumped_spec_loads_to_an_equal_one(complete_journey_spec: Path, tmp_path: Path) -> None:
    spec = load_spec(complete_journey_spec, profile="full", overrides=["seed=7"])
    dump_spec(spec, tmp_path / "spec.yaml")
    # the profile's values stand in the dump, so its name must not ask for them again
    assert load_spec(tmp_path / "spec.yaml") == spec
    assert check_text((tmp_path / "spec.yaml").read_text(), where="dump") == spec


@pytest.mark.parametrize(
    ("override", "where", "what"),
    [
        ("training.epoch=3", "training.epoch", "unknown field. Did you mean epochs?"),
        ("tasks.click.colour=red", "tasks.click.colour", "unknown field. Allowed are after, event"),
        ("data.items=1", "data.items", "greater than or equal to 2 (found 1)"),
        (
            "data.source=shop",
            "data.source",
            "is 'shop'. Allowed are 'complete_journey', 'event",
        ),
        ("model.architecture=big", "model.architecture", "Allowed are 'single_task', 'shared_bott"),
        ("tasks.click.kind=bynary", "tasks.click.kind", "is 'bynary'. Allowed are 'binary', 'amo"),
        ("tasks.click={event: click}", "tasks.click.kind", "missing. Add it"),
        ("objective.goals.ctr.weight=0.5", "objective", "the goals' weights sum to 1.3, must be 1"),
        ("objective.goals.ctr.task=clik", "objective.goals.ctr.task", "no task 'clik'"),
        ("tasks.cart.after=purchase", "tasks.cart.after", "'purchase' is not a task above it"),
        ("gate.margins.nps=0.1", "gate.margins.nps", "unknown; allowed are ctr, conversion"),
        ("split.valid.start=2017-01-01", "split", "before train ends"),
        ("tasks.cart.negative_rate=0.5", "tasks.cart.negative_rate", "the correction is exact"),
        (
            "tasks.intent={kind: category, classes: {none: click}}",
            "tasks.intent",
            "'none' is a class already",
        ),
        ("tasks.order_value.loss=mse", "tasks.order_value.loss", "Allowed are 'ziln', 'tweedie'"),
        ("split.test.end=2017-01-01", "split.test", "before it starts"),
        (
            "features.views.item.measures.spend.sum=null",
            "features.views.item.measures.spend",
            "one",
        ),
        ("features.views.item.ratios.price_1.per=q_1", "features.views.item", "names 'q_1'"),
        ("seed=.nan", "seed", "finite number"),
        ("split.timezone=Mars/Base", "split.timezone", "no such zone; give an IANA name"),
        ("features.timezone=Mars/Base", "features.timezone", "no such zone"),
        ("data.timezone=Mars/Base", "data.timezone", "no such zone"),
        ("tasks.click.event=clicks", "tasks.click.event", "no kind of event 'clicks' here"),
        ("features.views.item.kind=buy", "features.views.item.kind", "no kind of event 'buy'"),
        ("gate.replicates=1000000000", "gate.replicates", "less than or equal to 1000000"),
    ],
)
def test_a_mistake_is_named_by_its_path(
    complete_journey_spec: Path, tmp_path: Path, override: str, where: str, what: str
) -> None:
    with pytest.raises(ShopguideError) as caught:
        load_spec(complete_journey_spec, overrides=[override])
    typed = override.partition("=")[0]
    places = {
        f"--set {override}": where == typed,
        f"--set {override} ({where}": where.startswith(f"{typed}."),
        f"{complete_journey_spec} {where}": typed.startswith(f"{where}."),
    }
    (place,) = [place for place, right in places.items() if right]
    assert str(caught.value).startswith(place), "what was typed is to blame"
    assert f"--set {override}" in str(caught.value)
    assert what in str(caught.value)
    assert caught.value.exit_code == 2

    document = yaml.safe_load(complete_journey_spec.read_text(encoding="utf-8"))
    set_field(document, typed, yaml.safe_load(override.partition("=")[2]))
    (tmp_path / "spec.yaml").write_text(
        yaml.safe_dump(document | {"profiles": {}}, sort_keys=False)
    )
    with pytest.raises(ShopguideError) as caught:
        load_spec(tmp_path / "spec.yaml")
    assert str(caught.value).startswith(f"{tmp_path / 'spec.yaml'} {where}")
    assert what in str(caught.value)
    assert "spec check" not in str(caught.value)


def test_a_category_is_no_goal(complete_journey_spec: Path) -> None:
    intent = "tasks.intent={kind: category, classes: {buy: purchase}}"
    for override in ("objective.goals.ctr.task=intent", "objective.rank_by=[intent]"):
        with pytest.raises(ShopguideError, match="'intent' is a category") as caught:
            load_spec(complete_journey_spec, overrides=[intent, override])
        assert caught.value.where == f"--set {override}"


def test_all_mistakes_are_reported_at_once(complete_journey_spec: Path) -> None:
    with pytest.raises(ShopguideError) as caught:
        load_spec(complete_journey_spec, overrides=["training.epochs=0", "model.experts=0"])
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("assignment", "what"),
    [
        ("training.epochs", "not of the form a.b.c=value"),
        ("=3", "not of the form a.b.c=value"),
        ("name.first=x", "name is 'complete_journey', not a section"),
        ("seed=[", "the value is not valid YAML"),
        ("split.train.start=2017-02-30", "'2017-02-30' cannot be read: day is out of range"),
    ],
)
def test_a_bad_override_is_explained(
    complete_journey_spec: Path, assignment: str, what: str
) -> None:
    with pytest.raises(ShopguideError, match=what.replace("[", r"\[")):
        load_spec(complete_journey_spec, overrides=[assignment])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"a: [1", "not valid YAML"),
        (b"- 1", "not a mapping of sections"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"", "not a mapping of sections"),
        (b"name: a\nseed: 1\nname: b\n", "line 3, column 1: not valid YAML: the key 'name' stands"),
        (b"seed: !!int ''", "line 1, column 7: not valid YAML: '' cannot be read"),
        (b"a: " + b"[" * 9_000 + b"]" * 9_000, "nests deeper than 40 levels"),
        (b"a: &x\n  b: *x\n", "or refers to itself"),
        (b"profiles: 5", "profiles: is 5, not a mapping"),
    ],
)
def test_an_unreadable_file_is_explained(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(content)
    with pytest.raises(ShopguideError, match=what) as caught:
        load_spec(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_missing_profile_are_explained(
    complete_journey_spec: Path, tmp_path: Path
) -> None:
    with pytest.raises(ShopguideError, match="cannot be read: No such file"):
        load_spec(tmp_path / "none.yaml")
    with pytest.raises(ShopguideError, match="cannot be read"):
        load_spec(tmp_path / "no\0name.yaml")
    with pytest.raises(ShopguideError, match="no profile 'huge'; found quick, full"):
        load_spec(complete_journey_spec, profile="huge")
    plain = complete_journey_spec.parent / "rees46.yaml"
    with pytest.raises(ShopguideError, match="the spec has no profiles"):
        load_spec(plain, profile="quick")


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("name: !!python/object/apply:os.getcwd []")
    with pytest.raises(ShopguideError, match="not valid YAML"):
        load_spec(path)


def test_the_committed_schema_is_the_spec(complete_journey_spec: Path) -> None:
    committed = complete_journey_spec.parent / "spec.schema.json"
    assert committed.read_text(encoding="utf-8") == json_schema()


def test_the_schema_accepts_the_examples(complete_journey_spec: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = yaml.safe_load(complete_journey_spec.read_text(encoding="utf-8"))
    text = yaml.safe_load(json_schema())
    jsonschema.Draft202012Validator(text).validate(_dates_as_text(document))


def _dates_as_text(node: object) -> object:
    """YAML has dates, JSON has not."""
    if isinstance(node, dict):
        return {key: _dates_as_text(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_dates_as_text(value) for value in node]
    return node if isinstance(node, (str, int, float, bool, type(None))) else str(node)


def test_a_sequence_is_a_list_of_the_model_unless_the_spec_says_how(
    complete_journey_spec: Path,
) -> None:
    measure = "features.views.user.measures.seen={sequence: item_id, length: 7}"
    spec = load_spec(complete_journey_spec, overrides=[measure])
    seen = spec.model.lists["user_seen"]
    assert (seen.kind, seen.length, seen.of, seen.encoder) == ("sequence", 7, "item_id", "mean")
    said = "model.lists.user_seen={kind: sequence, length: 5, of: item_id, encoder: din}"
    spec = load_spec(complete_journey_spec, overrides=[measure, said])
    assert (spec.model.lists["user_seen"].length, spec.model.lists["user_seen"].encoder) == (
        5,
        "din",
    )
    with pytest.raises(ShopguideError, match="the features say that it is a sequence"):
        load_spec(complete_journey_spec, overrides=[measure, "model.lists.user_seen.kind=bag"])


@pytest.mark.parametrize(
    "measure", ["{sequence: item_id}", "{last: at, length: 3}", "{sequence: item_id, windows: [1]}"]
)
def test_a_sequence_has_a_length_and_no_windows(complete_journey_spec: Path, measure: str) -> None:
    with pytest.raises(ShopguideError, match=r"sequence (needs a length|take none)|length"):
        load_spec(complete_journey_spec, overrides=[f"features.views.user.measures.seen={measure}"])
