"""Files of ours that messages link to, given to the platforms that take them before a message."""

import msgspec

from airy_ray.cluster.our_files import OurFiles
from airy_ray.cluster.platform_calls import PlatformCalls, without
from airy_ray.delivery.lanes import Turn
from airy_ray.sources.attached import Files
from airy_ray.sources.sending import Later, Outbound, Refused, Reply, Sending, Uploading


class Attaching:
    """Finds files and gives them away; used in one event loop."""

    def __init__(self, files: OurFiles, calls: PlatformCalls) -> None:
        self._files = files
        self._calls = calls

    async def attached(
        self, turn: Turn, message: Outbound, sending: Sending
    ) -> Outbound | Refused | Later:
        """Return a message with its files, which its platform knows where it has to; or why not.

        A file is given once while it is the message's turn. Nothing is sent by that, so who is
        interrupted begins anew.

        Raises:
            DeliveryError: the platform takes no such file.
            StorageError: the store does not answer.
        """
        links = sending.attached(message.content)
        found = await self._files.at(links) if links else {}
        if not found:
            return message
        message = msgspec.structs.replace(message, files=_known(found, turn))
        if not isinstance(sending, Uploading):
            return message
        for url, call in sending.uploads(message).items():
            reply = await self._calls.made(call, is_deduplicating=True)
            told = sending.uploaded(reply) if isinstance(reply, Reply) else reply
            if not isinstance(told, str):
                return without(message.token, told)
            turn.uploaded[url] = told
        return msgspec.structs.replace(message, files=_known(found, turn))


def _known(files: Files, turn: Turn) -> Files:
    """Return files with what the platform calls those that it was given."""
    return {
        url: msgspec.structs.replace(file, known_as=turn.uploaded.get(url, ""))
        for url, file in files.items()
    }
