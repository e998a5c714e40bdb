"""Move the champion: only to a bundle that the gate promoted against the champion of now."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shopguide.bundle import load_bundle
from shopguide.errors import ShopguideError
from shopguide.gate import Decision, read_decision
from shopguide.registry.client import CHAMPION, FORMER, exclusive, open_client
from shopguide.registry.publish import point_services, stage_bundle
from shopguide.registry.runs import (
    begin_run,
    decision_metrics,
    decision_tags,
    finish_run,
    log_run,
    record_refusal,
)
from shopguide.registry.versions import BUNDLE, Version, champion, get_version, version_of
from shopguide.spec import Spec

if TYPE_CHECKING:
    from mlflow import MlflowClient

_log = logging.getLogger(__name__)


class NotPromotedError(ShopguideError):
    """The decision does not allow this promotion: the answer is no (exit code 1)."""

    exit_code = 1


class ChampionMovedError(NotPromotedError):
    """Another promotion came first."""


def promote_model(
    spec: Spec, bundle: str | Path, decision: str | Path, bento: str | Path | None = None
) -> str:
    """Register a bundle and move the alias `champion` to it.

    Doing it again, or again after it was cut off, ends in the same state: a bundle has one version.
    Services are told last: until then they go on with the champion of before.

    Args:
        spec: reads `registry`, `home` and `name`.
        bundle: the bundle that the decision is about.
        decision: decision.json or its directory.
        bento: directory with blessing.json, from packaging; None promotes without a Bento.

    Returns:
        Version of the champion.

    Raises:
        NotPromotedError: the verdict is not `promote`, the decision is about another bundle, or the
            champion is no longer the one that the bundle was compared with, or the Bento was not
            blessed.
        ShopguideError: the bundle or the decision cannot be read.
    """
    content = read_decision(decision)
    manifest = load_bundle(bundle).manifest
    if manifest.name != spec.name:
        raise ShopguideError(
            str(bundle),
            f"is a bundle of {manifest.name!r}, the spec is of {spec.name!r}",
            "Give the spec that it was trained with",
        )
    checksum = manifest.checksum
    _refuse_unless_decided(content, checksum, decision)
    client = open_client(spec)
    tag = _bento_tag(bento, checksum)
    try:
        return _promoted(client, spec, Path(bundle), content, tag)
    except ChampionMovedError:  # its look at the former champion counts, should that one return
        record_refusal(spec, bundle, decision, reason="registry")
        raise


def _promoted(
    client: "MlflowClient", spec: Spec, bundle: Path, content: Decision, tag: str | None
) -> str:
    checksum = content.challenger.checksum
    with exclusive(spec):
        now = champion(client, spec)
        if now is not None and now.checksum == checksum:
            _log.info("version %s is the champion already", now.version)
            now = _with_bento(client, spec, now, tag)
            stage_bundle(spec, now, bundle)
            point_services(spec, now)  # a run that was cut off may not have come to it
            return now.version
        _refuse_if_champion_moved(content, now)
        version = _register(client, spec, bundle, content, checksum)
        version = _with_bento(client, spec, version, tag)
        stage_bundle(spec, version, bundle)
        _point(client, spec, version, now)
        point_services(spec, version)
    _log.info("version %s is the champion, before it %s", version.version, now and now.version)
    return version.version


def rollback(spec: Spec, *, reason: str, to: str | None = None) -> str:
    """Return to a former champion.

    Args:
        spec: reads `registry`, `home` and `name`.
        reason: why, for the history.
        to: version to return to; None: the one before the present champion.

    Returns:
        Version of the champion.

    Raises:
        ShopguideError: there is no such version, or it never was a champion.
    """
    client = open_client(spec)
    with exclusive(spec):
        now = champion(client, spec)
        target = champion(client, spec, FORMER) if to is None else _version(client, spec, to)
        if target is None:
            raise ShopguideError(
                f"registry, model {spec.name}",
                "there is no former champion",
                "Name a version with --to; `shopguide history` lists them",
            )
        if now is not None and now.version == target.version:
            raise ShopguideError(
                f"registry, model {spec.name}",
                f"version {target.version} is the champion already",
                "Name another version with --to",
            )
        stage_bundle(spec, target)
        _point(client, spec, target, now)
        point_services(spec, target)
        before = "none" if now is None else now.version
        log_run(
            client,
            spec,
            "rollback",
            tags={
                "version": target.version,
                "reasons": reason,
                "from": before,
                "checksum": target.checksum,
            },
        )
    return target.version


def _version(client: "MlflowClient", spec: Spec, number: str) -> Version:
    known = {str(v.version) for v in client.search_model_versions(f"name = '{spec.name}'")}
    if number not in known:
        raise ShopguideError(
            f"--to {number}",
            f"no such version; there are {', '.join(sorted(known, key=int)) or 'none'}",
            "Name one of these",
        )
    return get_version(client, spec, number)


def _refuse_unless_decided(content: Decision, checksum: str, decision: str | Path) -> None:
    if not content.promote:
        raise NotPromotedError(
            str(decision),
            f"the verdict is {content.verdict!r}",
            "Only a bundle that the gate promotes can become champion",
        )
    if content.challenger.checksum != checksum:
        raise NotPromotedError(
            str(decision),
            f"it is about the bundle {content.challenger.checksum[:12]}, not about {checksum[:12]}",
            "Let the gate decide on this bundle",
        )


def _refuse_if_champion_moved(content: Decision, now: Version | None) -> None:
    expected = None if content.champion is None else content.champion.checksum
    found = None if now is None else now.checksum
    if expected != found:
        raise ChampionMovedError(
            "registry",
            f"the bundle was compared with {_called(expected)}, "
            f"but the champion is {_called(found)} now",
            "Let the gate decide against the present champion",
        )


def _called(checksum: str | None) -> str:
    return "no bundle" if checksum is None else f"the bundle {checksum[:12]}"


def _register(
    client: "MlflowClient", spec: Spec, bundle: Path, content: Decision, checksum: str
) -> Version:
    """Return the version that holds the bundle; what was cut off is taken up where it was."""
    known = version_of(client, spec, checksum)
    if known is None:
        run = begin_run(client, spec, "promoted", f"promoted {checksum}")
        known = _log_version(client, spec, run, bundle, content)
    run_id = str(client.get_model_version(spec.name, known.version).run_id)
    if "kind" not in client.get_run(run_id).data.tags:
        client.set_tag(run_id, "version", known.version)
        finish_run(client, run_id, "promoted")
    return known


def _log_version(
    client: "MlflowClient",
    spec: Spec,
    run: Any,  # noqa: ANN401 - MLflow's Run
    bundle: Path,
    content: Decision,
) -> Version:
    run_id = str(run.info.run_id)
    client.log_artifacts(run_id, str(bundle), BUNDLE)
    client.log_dict(run_id, content.to_json(), "decision/decision.json")
    for key, value in decision_tags(content).items():
        client.set_tag(run_id, key, value)
    for key, number in decision_metrics(content).items():
        client.log_metric(run_id, key, number)
    registered = client.create_model_version(
        spec.name,
        source=f"{run.info.artifact_uri}/{BUNDLE}",
        run_id=run_id,
        tags={"checksum": content.challenger.checksum},
    )
    return get_version(client, spec, str(registered.version))


def _point(client: "MlflowClient", spec: Spec, version: Version, now: Version | None) -> None:
    """Move the aliases; the champion last, so that a cut leaves the old one serving."""
    if now is not None:
        client.set_registered_model_alias(spec.name, FORMER, now.version)
    client.set_registered_model_alias(spec.name, CHAMPION, version.version)


def _with_bento(client: "MlflowClient", spec: Spec, version: Version, tag: str | None) -> Version:
    """Note the Bento that serves a version; without one, the version keeps what it has."""
    if tag is None or tag == version.bento:
        return version
    client.set_model_version_tag(spec.name, version.version, "bento", tag)
    return replace(version, bento=tag)


def _bento_tag(bento: str | Path | None, checksum: str) -> str | None:
    """Return the tag of a Bento that was blessed with this very bundle in it."""
    if bento is None:
        return None
    path = Path(bento) / "blessing.json"
    if not path.is_file():
        raise ShopguideError(str(path), "no such file", "Give what `shopguide package` wrote")
    try:
        blessing = json.loads(path.read_bytes())
        tag, blessed, bundle = str(blessing["tag"]), blessing["blessed"], blessing["bundle"]
    except (ValueError, KeyError, TypeError):
        raise ShopguideError(
            str(path), "is not readable", "Run `shopguide package` again"
        ) from None
    if bundle != checksum:
        raise ShopguideError(
            str(path), "is about another bundle", "Run `shopguide package` on this one"
        )
    if blessed is not True:
        reasons = "; ".join(map(str, blessing.get("reasons", [])))
        raise NotPromotedError(
            str(path), f"the Bento was not blessed: {reasons}", "Mend it and package it again"
        )
    return tag
