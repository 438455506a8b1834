"""The OpenAPI 3.1 document, made from the same endpoints and structs that serve."""

from collections.abc import Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from server import __version__
from server.auth import ALLOWED, COOKIE
from server.errors import ProblemBody
from server.web import Endpoint, NoQuery, path_parameters

_REF = "#/components/schemas/{name}"
_PHRASES = {200: "Done", 201: "Made", 202: "Taken", 204: "Done, nothing to say"}
_DESCRIPTION = """\
Incident alerting, check-in and headcount.

Writes repeat safely: the same id and body give the first answer, the same id with another
body 409. Errors are RFC 9457 problems. What a caller may not see is 404.
"""


def document(endpoints: Sequence[Endpoint], public_url: str) -> dict[str, Any]:
    """The whole document as plain JSON values."""
    types = _types(endpoints)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = dict(zip(map(_key, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, by_type, components)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Muster",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _security_schemes()},
    }


def _key(kind: Any) -> str:
    return repr(kind)


def _alternatives(kind: Any) -> list[Any]:
    """The structs of a union; msgspec describes each alone."""
    return list(get_args(kind)) if get_origin(kind) in (Union, UnionType) else [kind]


def _types(endpoints: Sequence[Endpoint]) -> list[Any]:
    found: dict[str, Any] = {_key(ProblemBody): ProblemBody}
    for endpoint in endpoints:
        bodies = [endpoint.body, *endpoint.replies.values()]
        if endpoint.query is not NoQuery:
            bodies.append(endpoint.query)
        for kind in bodies:
            if isinstance(kind, type) or get_args(kind):
                found.update({_key(k): k for k in _alternatives(kind)})
    return list(found.values())


def _schema(kind: Any, by_type: dict[str, Any]) -> dict[str, Any]:
    schemas = [by_type[_key(k)] for k in _alternatives(kind)]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _operation(
    endpoint: Endpoint, by_type: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": _operation_id(endpoint),
        "parameters": _parameters(endpoint, by_type, components),
        "responses": _responses(endpoint, by_type),
    }
    if endpoint.action is None:
        operation["security"] = []
    else:
        operation["security"] = [{"bearer": []}, {"session": [], "csrf": []}]
        operation["description"] = "Roles: " + ", ".join(sorted(ALLOWED[endpoint.action])) + "."
    if endpoint.body is not None:
        schema = _schema(endpoint.body, by_type)
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    words = endpoint.path.removeprefix("/v1").replace("{", "").replace("}", "")
    return endpoint.method.lower() + words.replace("/", "_").replace(".", "_")


def _parameters(
    endpoint: Endpoint, by_type: dict[str, Any], components: dict[str, Any]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in path_parameters(endpoint.path)
    ]
    if endpoint.query is NoQuery:
        return found
    name = by_type[_key(endpoint.query)]["$ref"].rsplit("/", 1)[1]
    schema = components[name]
    for key, value in schema["properties"].items():
        needed = key in schema.get("required", [])
        found.append({"name": key, "in": "query", "required": needed, "schema": value})
    return found


def _responses(endpoint: Endpoint, by_type: dict[str, Any]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": by_type[_key(ProblemBody)]}}
    replies: dict[str, Any] = {
        str(status): _reply(endpoint, status, kind, by_type)
        for status, kind in endpoint.replies.items()
    }
    replies["4XX"] = {"description": "Refused: what to mend is in the body", "content": problem}
    replies["503"] = {
        "description": "Not saved: send it again after Retry-After",
        "headers": {"Retry-After": {"schema": {"type": "integer"}}},
        "content": problem,
    }
    return replies


def _reply(endpoint: Endpoint, status: int, kind: Any, by_type: dict[str, Any]) -> dict[str, Any]:
    reply: dict[str, Any] = {"description": _PHRASES.get(status, "Done")}
    if kind is None:
        return reply
    schema = {"type": "string"} if isinstance(kind, str) else _schema(kind, by_type)
    media = kind if isinstance(kind, str) else endpoint.media
    reply["content"] = {media: {"schema": schema}}
    return reply


def _security_schemes() -> dict[str, Any]:
    return {
        "bearer": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
    }
