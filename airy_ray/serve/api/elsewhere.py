"""Paths that clients know but this platform does not serve, and why (design: §9)."""

_INSTALLED = (
    "not part of this platform: all components are there, and are set up in its configuration"
)
_KAFKA = "not part of this platform: it has no Kafka to administer"
_PATHS = {
    "/components.update": _INSTALLED,
    "/components.delete": _INSTALLED,
    "/components.install": _INSTALLED,
    "/components.uninstall": _INSTALLED,
    "/repositories.list": _INSTALLED,
    "/services": "not part of this platform: client.config tells what runs",
    "/cluster.": "not part of this platform: it is set up in its configuration",
    "/streams.": _KAFKA,
    "/topics": _KAFKA,
    "/schemas.": _KAFKA,
    "/kafka": _KAFKA,
    "/llm.": "not part of this platform: it runs no language models",
    "/llm-consumers.": "not part of this platform: it runs no language models",
}
"""Path to why not; one that ends with a dot stands for all that begin so."""


def reason(path: str) -> str | None:
    """Return why a path that clients know is not served; None if none of them calls it."""
    for known, told in _PATHS.items():
        below = known if known.endswith(".") else f"{known}/"
        if path == known or path.startswith(below):
            return told
    return None
