"""`airy-ray openapi`: the API's description, to make clients of or to read."""

import json
from pathlib import Path
from typing import Annotated

import typer

from airy_ray.cli.output import fail


def openapi(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write it to this file.", dir_okay=False),
    ] = None,
) -> None:
    """Print the description of the API (OpenAPI 3.1), as `/openapi.json` serves it.

    Needs no platform that runs, and no data directory.

    Example: airy-ray openapi --output openapi.json
    """
    from airy_ray.serve.api.app import description  # not what other commands want to wait for

    text = json.dumps(description(), indent=2, ensure_ascii=False)
    if output is None:
        print(text)
        return
    try:
        output.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        fail(f"{output}: {error.strerror}")
