"""`client.config`: what the user interfaces ask first (contract: platform API §7.13)."""

from importlib.metadata import version

import msgspec

from airy_ray.model import json_text
from airy_ray.serve.api import components, platform_shapes
from airy_ray.serve.api.endpoint import Endpoint, Nothing
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

_VERSION = version("airy-ray")

_COLORS = {
    "tag-green": ("0E764F", "F5FFFB", 3),
    "tag-blue": ("1578D4", "F5FFFB", 1),
    "tag-red": ("E0243A", "FFF7F9", 2),
    "tag-purple": ("730A80", "FEF7FF", 4),
}


async def config(platform: Platform, caller: Caller, _: Nothing) -> Response:
    """Return what runs here, how tags look, and the version."""
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
        "services": await components.services(platform),
        "user_profile": None if profile is None else msgspec.structs.asdict(profile),
        "tag_config": {"colors": colors},
        "cluster_version": _VERSION,
    }
    return Response(body=json_text.encode(told))


ENDPOINTS = [
    Endpoint(
        "/client.config",
        config,
        Nothing,
        "Tell clients what runs here",
        platform_shapes.ClientConfig,
        may_be_empty=True,
    ),
]
