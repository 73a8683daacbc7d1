"""What the process that delivers is there for; plain values, handed on by processes."""

import msgspec

from airy_ray.cluster.backfill_spec import BackfillSpec
from airy_ray.cluster.bots import AnyBot
from airy_ray.cluster.fetching_spec import FetchingSpec
from airy_ray.cluster.media.store_spec import StoreSpec
from airy_ray.cluster.sendings import Sendings
from airy_ray.cluster.webhook_spec import CallingSpec


class Duties(msgspec.Struct, array_like=True, frozen=True):
    """Messages are sent always; the rest is done where it is wished.

    Attributes:
        joins_numbers: whether contacts with the same phone number are merged.
        fetching: how files of contacts' messages are fetched; None if they stay where they are.
        bots: who is asked what to answer to contacts.
        calling: how webhooks are called; None if they are not.
        files: where files of ours are that messages may link to; None if there are none.
        backfilling: how much of the past of pages is fetched; None if nothing is.
    """

    sendings: Sendings = msgspec.field(default_factory=dict)
    joins_numbers: bool = False
    fetching: FetchingSpec | None = None
    bots: list[AnyBot] = []
    calling: CallingSpec | None = None
    files: StoreSpec | None = None
    backfilling: BackfillSpec | None = None
