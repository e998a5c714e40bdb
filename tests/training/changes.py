"""Specs that differ from another in a few fields."""

import json

from shopguide.spec import Spec, check_text


def with_training(spec: Spec, **changes: object) -> Spec:
    document = spec.model_dump(mode="json")
    document["training"] |= changes
    return check_text(json.dumps(document), where="changed spec")


def with_model(spec: Spec, **changes: object) -> Spec:
    document = spec.model_dump(mode="json")
    document["model"] |= changes
    return check_text(json.dumps(document), where="changed spec")
