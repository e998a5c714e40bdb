"""The service's OpenAPI document, from the schemas that the door checks bodies with."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from serving.schemas import (
    ErrorResponse,
    ExplainRequest,
    ExplainResponse,
    FeedbackRequest,
    FeedbackResponse,
    PredictRequest,
    PredictResponse,
    RankRequest,
    RankResponse,
)

_REFERENCE = "#/components/schemas/{model}"

_ENDPOINTS: dict[str, tuple[str, type[BaseModel], type]] = {
    "/rank": ("Rank a shop's items for a user, best first.", RankRequest, RankResponse),
    "/predict": (
        "Predict the outcomes of rows whose inputs are given.",
        PredictRequest,
        PredictResponse,
    ),
    "/explain": (
        "Say which goals and which inputs an item's score comes from.",
        ExplainRequest,
        ExplainResponse,
    ),
    "/feedback": (
        "Store impressions and events; the 200 says that they are on disk.",
        FeedbackRequest,
        FeedbackResponse,
    ),
}

_REFUSALS = {
    "400": "Not the body that is expected; the path says where.",
    "401": "No key, or a wrong one.",
    "408": "The body did not come in time.",
    "413": "The body is too large.",
    "415": "Not JSON, or compressed.",
    "429": "Too many requests of this client.",
    "503": "The service cannot answer now; ask again.",
}

_TEXTS = {
    "/livez": "The process answers.",
    "/readyz": "The model is loaded.",
    "/healthz": "As /livez.",
    "/metrics": "Metrics for Prometheus.",
}


def openapi(*, title: str, version: str, keyed: bool, inputs: Iterable[str]) -> dict[str, Any]:
    """Return the document.

    Args:
        title: what is served.
        version: of the model.
        keyed: whether a key is asked.
        inputs: of the model, which a row of /predict holds.
    """
    components: dict[str, Any] = {}
    error = {"application/json": {"schema": _schema(ErrorResponse, components)}}
    refusals = {code: {"description": d, "content": error} for code, d in _REFUSALS.items()}
    paths: dict[str, Any] = {}
    for path, (summary, body, answer) in _ENDPOINTS.items():
        asked: dict[str, Any] = {"schema": _schema(body, components)}
        asked["example"] = components[body.__name__].pop("example")
        answered = {"application/json": {"schema": _schema(answer, components)}}
        operation = {
            "operationId": path.removeprefix("/"),
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": asked}},
            "responses": {"200": {"description": summary, "content": answered}, **refusals},
        }
        paths[path] = {"post": operation}
    whole = paths["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    nulls: dict[str, object] = dict.fromkeys([*inputs, "shown_at"])
    whole["rows"] = [
        nulls | {name: row[name] for name in row if name in nulls} for row in whole["rows"]
    ]
    paths["/explain"]["get"] = _explain_by_query(paths["/explain"]["post"])
    for path, summary in _TEXTS.items():
        texts = {"text/plain": {"schema": {"type": "string"}}}
        responses: dict[str, Any] = {"200": {"description": summary, "content": texts}}
        if path == "/metrics":
            responses |= {code: refusals[code] for code in ("401", "429", "503")}
        paths[path] = {
            "get": {
                "operationId": path.removeprefix("/"),
                "summary": summary,
                "responses": responses,
                "security": [] if path != "/metrics" or not keyed else [{"bearer": []}],
            }
        }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components},
    }
    if keyed:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        document["security"] = [{"bearer": []}, {"key": []}]
    return document


def _schema(model: type, components: dict[str, Any]) -> dict[str, str]:
    """Add a model to the components; return a reference to it."""
    is_body = isinstance(model, type) and issubclass(model, BaseModel)
    mode: Literal["validation", "serialization"] = "validation" if is_body else "serialization"
    schema = TypeAdapter(model).json_schema(ref_template=_REFERENCE, mode=mode)
    components |= schema.pop("$defs", {})
    if model is ErrorResponse:
        schema = _ERROR
    components[model.__name__] = schema
    return {"$ref": _REFERENCE.format(model=model.__name__)}


_PROBLEM = {
    "path": {"type": "string", "description": "Where in the request; empty: all of it."},
    "message": {"type": "string"},
}

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["path", "message"],
            "properties": {
                **_PROBLEM,
                "also": {
                    "type": "array",
                    "description": "Further problems of the same request.",
                    "items": {
                        "type": "object",
                        "required": ["path", "message"],
                        "properties": _PROBLEM,
                    },
                },
            },
        }
    },
    "example": {"error": {"path": "top_k", "message": "Input should be greater than 0"}},
}


def _explain_by_query(post: Mapping[str, Any]) -> dict[str, Any]:
    def parameter(name: str, schema: dict[str, Any], **more: object) -> dict[str, Any]:
        return {"name": name, "in": "query", "schema": schema, **more}

    text = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^\x00]*$"}
    return {
        "operationId": "explain_by_query",
        "summary": post["summary"],
        "description": "Also `context.NAME=TEXT` and `weights.TASK=NUMBER`.",
        "parameters": [
            parameter("user_id", text, required=True, example="1946"),
            parameter(
                "item",
                {
                    "type": "array",
                    "items": text,
                    "minItems": 1,
                    "maxItems": 20,
                    "uniqueItems": True,
                },
                required=True,
                style="form",
                explode=True,
                example=["1082185"],
            ),
            parameter("top_features", {"type": "integer", "minimum": 0, "maximum": 500}),
            parameter("at", {"type": "string", "format": "date-time"}),
        ],
        "responses": post["responses"],
    }
