"""The tokens of custom sources. Contract: sources §9.

Whoever only reads what sources bring does without this module, and without what it takes.
"""

import jwt

from airy_ray.model import json_text
from airy_ray.model.custom_source import CustomSource, principal_of
from airy_ray.model.ids import format_id


def token_of(source: CustomSource, key: bytes) -> str:
    """Return the token of a source, signed with the key of this installation.

    It is the same each time, so nobody needs to keep it, and good for as long as there is the
    source.
    """
    name = principal_of(source.id)
    told = {"name": name, "data": {"source": source.id}, "roles": None}
    claims = {
        "jti": format_id(source.token_id),
        "sub": name,
        "iat": source.created_at // 1_000,
        "principal": json_text.encode(told).decode(),
    }
    return jwt.encode(claims, key, algorithm="HS256")
