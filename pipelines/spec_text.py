"""A spec as a pipeline parameter: text that no runner changes on its way."""

import json

from shopguide.spec import Spec


def spec_text(spec: Spec) -> str:
    r"""Write a spec as JSON (which is YAML) that survives kfp's own substitutions.

    kfp replaces `{{$…}}` everywhere, and its local runner replaces the word for the interpreter,
    inside parameters too. Both can only stand inside a JSON string, where `\u` escapes hide them.

    Args:
        spec: checked spec; relative paths in it are the caller's business.
    """
    text = json.dumps(spec.model_dump(mode="json"), indent=1)
    return text.replace("{{", "{\\u007b").replace("python3", "python\\u0033")
