"""Positions in the change feeds, as clients carry them (design: §6, "Resume").

`<history>.<partition>.<place>`: in this line of records, all that this partition told before this
place is known. The position of a change is the place behind it.
"""

from collections.abc import Iterable, Mapping

from airy_ray.errors import ProtocolError
from airy_ray.model.ids import PartitionIndex

Places = dict[PartitionIndex, int]
"""From where to read on, by partition."""

_PARTS = 3
_DIGITS_MAX = 20


class Positions:
    """Writes and reads positions of one installation."""

    def __init__(self, history: str, partitions: Iterable[PartitionIndex]) -> None:
        self._history = history
        self._heads = {each: f"{history}.{each}.".encode() for each in partitions}
        self._partitions = {str(each): each for each in self._heads}

    def of(self, partition: PartitionIndex, place: int) -> bytes:
        """Return the position of a place."""
        return b"%b%d" % (self._heads[partition], place)

    def all(self, places: Mapping[PartitionIndex, int]) -> str:
        """Return positions as a header has them."""
        return ",".join(self.of(*each).decode() for each in places.items())

    def places(self, told: str) -> Places | None:
        """Return where a client goes on that has told its positions; None if it cannot.

        It cannot where one is of another history or one is missing.

        Raises:
            ProtocolError: these are no positions.
        """
        places: Places = {}
        for position in told.split(","):
            parts = position.strip().rsplit(".", _PARTS - 1)
            is_one = len(parts) == _PARTS and parts[2].isascii() and parts[2].isdecimal()
            if not is_one or len(parts[2]) > _DIGITS_MAX:
                raise ProtocolError("resume-from has to be positions, separated by commas")
            partition = self._partitions.get(parts[1])
            if parts[0] != self._history or partition is None:
                return None
            places[partition] = int(parts[2])
        return places if len(places) == len(self._heads) else None
