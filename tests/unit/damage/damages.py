"""Damage as disks do it, drawn from a seed: flipped bits, lost and swapped pages, missing ends."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

PAGE = 4_096
_BRANCH, _LEAF = 0x01, 0x02
_TREE_HEADER = 16


@dataclass(frozen=True)
class Damage:
    """One damage, done to one file.

    Attributes:
        target: `log`, `archive`, `state`, `snapshot` or `marks`.
    """

    target: str
    kind: str
    file: Path
    done: str


def flip_bits(content: bytearray, random: Random) -> str:
    """Turn one bit over, or a few."""
    return _flip(content, [random.randrange(len(content)) for _ in range(random.choice([1, 1, 4]))])


def overwrite(content: bytearray, random: Random) -> str:
    """Put noise in the place of some bytes."""
    at, length = random.randrange(len(content)), random.randrange(1, 9_000)
    content[at : at + length] = random.randbytes(len(content[at : at + length]))
    return f"{length} bytes at {at}"


def zero_block(content: bytearray, random: Random) -> str:
    """Lose a block: it reads as zeros."""
    at = random.randrange(len(content)) // PAGE * PAGE
    content[at : at + PAGE] = bytes(len(content[at : at + PAGE]))
    return f"block {at // PAGE}"


def cut(content: bytearray, random: Random) -> str:
    """Lose the end."""
    at = random.randrange(len(content))
    del content[at:]
    return f"from {at}"


def remove(content: bytearray, random: Random) -> str:
    """Lose the file: `damage` deletes one that is empty."""
    content.clear()
    return "all"


def swap_pages(content: bytearray, random: Random) -> str:
    """Write a page where another belongs."""
    first, second = sorted(random.sample(range(2, len(content) // PAGE), 2))
    one, other = slice(first * PAGE, (first + 1) * PAGE), slice(second * PAGE, (second + 1) * PAGE)
    content[one], content[other] = content[other], content[one]
    return f"pages {first} and {second}"


def hurt_tree(content: bytearray, random: Random) -> str:
    """Turn bits over in the header or the pointers of a branch or leaf page."""
    pages = [
        page
        for page in range(2, len(content) // PAGE)
        if struct.unpack_from("<H", content, page * PAGE + 10)[0] in (_BRANCH, _LEAF)
    ]
    branches = [p for p in pages if content[p * PAGE + 10] == _BRANCH]
    page = random.choice(branches if branches and random.random() < 0.5 else pages)
    upper = min(PAGE, _TREE_HEADER + 2 + random.choice([0, 32, 256]))
    return _flip(content, [page * PAGE + random.randrange(upper)])


def hurt_meta(content: bytearray, random: Random) -> str:
    """Turn a bit over in what one of the two meta pages says."""
    return _flip(content, [random.randrange(2) * PAGE + random.randrange(152)])


def hurt_footer(content: bytearray, random: Random) -> str:
    """Turn a bit over near the end of a Parquet file, where it says what lies where."""
    return _flip(content, [len(content) - 1 - random.randrange(min(len(content), 4_000))])


Damaging = Callable[[bytearray, Random], str]
"""Damages the content of a file; returns what was done."""

_LMDB: list[Damaging] = [
    flip_bits,
    flip_bits,
    overwrite,
    zero_block,
    cut,
    swap_pages,
    hurt_tree,
    hurt_tree,
    hurt_meta,
]
_PARQUET: list[Damaging] = [flip_bits, overwrite, zero_block, cut, remove, hurt_footer]
_SMALL: list[Damaging] = [flip_bits, overwrite, cut, remove]

_KINDS: dict[str, list[Damaging]] = {
    "log": _LMDB,
    "archive": _PARQUET,
    "state": _LMDB,
    "snapshot": _LMDB,
    "marks": _SMALL,
}


def damage(partition: Path, archive: Path, random: Random) -> Damage:
    """Damage something of a partition that nobody has open."""
    target = random.choice(["log", "log", "archive", "state", "snapshot", "marks"])
    file = random.choice(sorted(_files(target, partition, archive)))
    kind = random.choice(_KINDS[target])
    content = bytearray(file.read_bytes())
    done = kind(content, random) if content else "nothing: it is empty"
    if content:
        file.write_bytes(content)
    else:
        file.unlink()
    return Damage(target, kind.__name__, file, done)


def _files(target: str, partition: Path, archive: Path) -> list[Path]:
    if target == "archive":
        return list(archive.rglob("*.parquet"))
    if target == "marks":
        marks = ["beacon", "running.json", "owner.lock", "lock.mdb", "snapshot.json"]
        return [path for name in marks for path in partition.rglob(name)]
    pattern = {"log": "log.*", "state": "state.g*", "snapshot": "snapshots/0*"}[target]
    return [path / "data.mdb" for path in partition.glob(pattern)]


def _flip(content: bytearray, places: list[int]) -> str:
    for at in places:
        content[at] ^= 1 << (at * 7 + len(places)) % 8
    return f"bits of bytes {places}"
