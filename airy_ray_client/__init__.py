"""A typed client of airy-ray's HTTP API.

    with Airy("http://127.0.0.1:8000") as airy:
        for conversation in airy.conversations.each():
            airy.messages.send(conversation_id=conversation.id, message={"text": "Hello"})

Arguments, answers and endpoints are made of the API's description (`make clients`).
"""

from airy_ray_client.client import Airy, AsyncAiry
from airy_ray_client.errors import AiryError

__all__ = ["Airy", "AiryError", "AsyncAiry"]
