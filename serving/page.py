"""The page at `/`: a person tries a user and sees the ranking, the goals and the why."""

import base64
import hashlib
import json
import re
from functools import lru_cache
from html import escape
from pathlib import Path

from starlette.responses import Response

from shopguide.bundle import Bundle

_TEMPLATE = Path(__file__).with_name("templates") / "page.html"
_EXAMPLES = 10  # items


def page(bundle: Bundle, *, keyed: bool) -> Response:
    """Return the page of a model. It loads nothing, and its policy forbids that it could.

    Args:
        bundle: the model.
        keyed: whether the service asks for a key; else the page has no field for one.
    """
    text = _html(
        bundle.spec.title or bundle.manifest.name,
        bundle.manifest.version,
        json.dumps(_examples(bundle)),
        json.dumps({name: task.title for name, task in bundle.spec.tasks.items() if task.title}),
        keyed,
    )
    return Response(text, media_type="text/html; charset=utf-8", headers=_headers(text))


@lru_cache(maxsize=4)
def _html(title: str, version: str, examples: str, titles: str, keyed: bool) -> str:
    text = _TEMPLATE.read_text(encoding="utf-8")
    words = {
        "TITLE": escape(title),
        "VERSION": escape(version),
        "EXAMPLES": escape(examples),
        "TITLES": escape(titles),
        "KEY": "" if keyed else " hidden",
    }
    for name, value in words.items():
        text = text.replace("{{" + name + "}}", value)
    return text


@lru_cache(maxsize=4)
def _headers(text: str) -> dict[str, str]:
    def hashes(tag: str) -> str:
        parts = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(p.encode()).digest()).decode() for p in parts]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    policy = (
        f"default-src 'none'; script-src {hashes('script')}; style-src {hashes('style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _examples(bundle: Bundle) -> list[str]:
    """Return items that training saw often; users are nobody's example."""
    profile = bundle.profile.inputs.get("item_id")
    return list(profile.most_frequent)[:_EXAMPLES] if profile is not None else []
