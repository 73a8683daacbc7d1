"""`client.config`: what the user interfaces ask first (contract: platform API §7.13)."""

from importlib.metadata import version

import msgspec

from airy_ray.model import json_text
from airy_ray.serve.api.endpoint import Endpoint, Nothing
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

_COMPONENTS = {
    "api-admin": ("api-admin",),
    "api-communication": ("api-communication",),
    "sources-chatplugin": ("sources-chatplugin",),
    "sources-facebook": ("sources-facebook-connector", "sources-facebook-events-router"),
    "sources-google": ("sources-google-connector", "sources-google-events-router"),
    "unread-counter": ("unread-counter",),
}
"""The reference's components that this platform does the work of, and their services."""

_COLORS = {
    "tag-green": ("0E764F", "F5FFFB", 3),
    "tag-blue": ("1578D4", "F5FFFB", 1),
    "tag-red": ("E0243A", "FFF7F9", 2),
    "tag-purple": ("730A80", "FEF7FF", 4),
}


async def config(platform: Platform, caller: Caller, _: Nothing) -> Response:
    """Return what runs here, how tags look, and the version."""
    services = {
        service: {"enabled": True, "healthy": True, "component": component}
        for component, members in _COMPONENTS.items()
        for service in members
    }
    colors = {
        name: {
            "default": color,
            "background": background,
            "font": color,
            "position": position,
            "border": color,
        }
        for name, (color, background, position) in _COLORS.items()
    }
    profile = caller.grant.profile
    told = {
        "services": services,
        "user_profile": None if profile is None else msgspec.structs.asdict(profile),
        "tag_config": {"colors": colors},
        "cluster_version": version("airy-ray"),
    }
    return Response(body=json_text.encode(told))


ENDPOINTS = [
    Endpoint("/client.config", config, Nothing, "Tell clients what runs here", may_be_empty=True),
]
