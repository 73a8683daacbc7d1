"""`/openapi.json`, and `/docs` to read: one page without scripts or anything from elsewhere."""

import json
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

from airy_ray.model import json_text
from airy_ray.serve.http import Response

_HTML = b"text/html; charset=utf-8"
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1a1a1a;background:#fff}
main{max-width:60rem;margin:0 auto;padding:1rem 1.5rem 4rem}
nav{columns:14rem;margin:1rem 0 2rem}nav a{display:block}
h2{margin-top:3rem;border-bottom:1px solid #ddd}h3{margin:2rem 0 .25rem;font-size:1.05rem}
code,pre{font:14px/1.45 ui-monospace,monospace;background:#f5f5f5;border-radius:4px}
code{padding:.1em .3em}pre{padding:.75rem;overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #eee}
details{margin:.5rem 0}summary{cursor:pointer}
a{color:#1578d4;text-decoration:none}a:hover{text-decoration:underline}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}
code,pre{background:#262626}td,th,h2{border-color:#333}}
"""


class Documentation:
    """Serves the description of the API, which is put together when it is first asked for."""

    def __init__(self, description: Callable[[], dict[str, Any]]) -> None:
        self._description = description
        self._pages: dict[str, Response] = {}

    def page(self, path: str) -> Response | None:
        """Return a page of the documentation, None if the path is of something else."""
        if path not in ("/openapi.json", "/docs"):
            return None
        if not self._pages:
            described = self._description()
            page = Response(200, _page(described).encode(), _HTML)
            self._pages = {
                "/openapi.json": Response(body=json_text.encode(described)),
                "/docs": page,
            }
        return self._pages[path]


def _page(described: Mapping[str, Any]) -> str:
    areas: dict[str, list[tuple[str, str, Any]]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            areas.setdefault(operation["tags"][0], []).append((method, path, operation))
    areas["What webhooks are called with"] = [
        ("", kind, methods["post"]) for kind, methods in described["webhooks"].items()
    ]
    index = "".join(
        f'<a href="#{escape(path)}">{escape(path.strip("/"))}</a>'
        for operations in areas.values()
        for _, path, _ in operations
    )
    sections = "".join(
        f"<h2>{escape(area)}</h2>"
        + "".join(
            _section(method, path, operation, described) for method, path, operation in operations
        )
        for area, operations in areas.items()
    )
    title = f"{described['info']['title']} {described['info']['version']}"
    intro = _paragraphs(described["info"]["description"])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><main><h1>{escape(title)}</h1>"
        f'{intro}<p>For programs: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"<nav>{index}</nav>{sections}</main>"
    )


def _section(
    method: str, path: str, operation: Mapping[str, Any], described: Mapping[str, Any]
) -> str:
    rows = "".join(
        f"<tr><td>{escape(status)}<td>{_text(answer['description'])}{_type_of(answer)}"
        for status, answer in operation["responses"].items()
    )
    called = f"{method.upper()} {escape(path)}".strip()
    return (
        f'<h3 id="{escape(path)}"><code>{called}</code> '
        f"{escape(operation['summary'])}</h3>{_paragraphs(operation.get('description', ''))}"
        f"{_fields(operation, described)}<table><tr><th>Answer<th>{rows}</table>"
        f"{''.join(_examples(operation, described))}"
    )


def _fields(operation: Mapping[str, Any], described: Mapping[str, Any]) -> str:
    """Return a table of what a body may say."""
    if "requestBody" not in operation:
        return ""
    content = operation["requestBody"]["content"]
    [(_, media)] = content.items()
    schema = _resolved(media["schema"], described)
    properties = schema.get("properties", {})
    if not properties:
        return "<p>Takes nothing.</p>"
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{' (required)' if name in required else ''}"
        f"<td>{escape(_type(field))}<td>{_text(field.get('description', ''))}{_default(field)}"
        for name, field in properties.items()
    )
    return f"<table><tr><th>Field<th>Type<th>{rows}</table>"


def _examples(operation: Mapping[str, Any], described: Mapping[str, Any]) -> Iterator[str]:
    """Yield examples of the body and of the good answers, folded away."""
    parts = [("a body", operation.get("requestBody", {}))]
    parts += [
        (f"an answer ({status})", answer)
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]
    for told, part in parts:
        for media in part.get("content", {}).values():
            for example in media.get("examples", {}).values():
                value = _example(example, described)["value"]
                text = escape(json.dumps(value, indent=2, ensure_ascii=False), quote=False)
                yield f"<details><summary>Example of {told}</summary><pre>{text}</pre></details>"


def _example(example: Mapping[str, Any], described: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in example:
        return example
    found: Mapping[str, Any] = described["components"]["examples"][_name(example)]
    return found


def _resolved(schema: Mapping[str, Any], described: Mapping[str, Any]) -> Mapping[str, Any]:
    for part in (schema, *schema.get("anyOf", ())):
        reference = part.get("$ref")
        if reference is not None:
            found: Mapping[str, Any] = described["components"]["schemas"][_name(part)]
            return found
    return schema


def _type(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(part) for part in field["anyOf"])
    if "$ref" in field:
        return _name(field)
    if "enum" in field:
        return " | ".join(str(value) for value in field["enum"])
    if "const" in field:
        return str(field["const"])
    kind = field.get("type", "any JSON")
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}"
    return f"{kind} ({field['format']})" if "format" in field else str(kind)


def _type_of(answer: Mapping[str, Any]) -> str:
    schema = answer.get("content", {}).get("application/json", {}).get("schema")
    return "" if schema is None else f" <code>{escape(_type(schema))}</code>"


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    return "" if default in (None, "") else f" Default: <code>{escape(str(default))}</code>."


def _name(schema: Mapping[str, Any]) -> str:
    name: str = schema["$ref"].rpartition("/")[2]
    return name


def _paragraphs(told: str) -> str:
    return "".join(f"<p>{_text(paragraph)}</p>" for paragraph in told.split("\n\n"))


def _text(told: str) -> str:
    """Return a text of a docstring as HTML: only its code is marked."""
    parts = escape(told).split("`")
    return "".join(f"<code>{part}</code>" if odd % 2 else part for odd, part in enumerate(parts))
