"""Who links to files of ours: anything that is kept, in any partition."""

from pathlib import Path

import pytest

from airy_ray.errors import RebuildingError
from airy_ray.model.commands import ContactFields, CreateContact, CreateSource
from airy_ray.model.ids import format_id
from airy_ray.model.media_links import files_in
from airy_ray.partition import links
from airy_ray.partition.links import linked
from airy_ray.storage import child
from tests import builders
from tests.erasing import shared
from tests.log_builders import append, owned, settle, spec

LINKED = "0b7e9a52-6f1d-8c3e-9a44-5d2f8e1c7b90.png"
PICTURE = "11111111-6f1d-8c3e-9a44-5d2f8e1c7b90"
SIGN = "33333333-6f1d-8c3e-9a44-5d2f8e1c7b90.svg"
UNLINKED = "22222222-6f1d-8c3e-9a44-5d2f8e1c7b90.pdf"


def test_files_that_rows_link_to_are_told_once(tmp_path: Path) -> None:
    own = spec(tmp_path)
    picture = CreateContact(
        id=format_id(builders.command_id()),
        fields=ContactFields(avatar_url=f"https://cdn.example.org/{PICTURE}"),
    )
    source = CreateSource(
        id=format_id(builders.command_id("source")),
        source_id="mail",
        image_url=f"https://cdn.example.org/media/{SIGN}",
    )
    message = builders.record(
        shared(1, "ada").body.replace(b"text 1", f"see /media/{LINKED}".encode()),
        routes=(builders.route("ada"),),
    )
    with owned(own) as partition:
        append(
            own.directory,
            [message, builders.command_record(picture), builders.command_record(source)],
        )
        settle(partition)
        names = [LINKED.removesuffix(".png"), LINKED, PICTURE, SIGN, UNLINKED]
        found = list(child.results(linked, [own, spec(tmp_path / "nothing")], names))

    assert sorted(found) == sorted([LINKED, PICTURE, SIGN])


def test_what_is_not_folded_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = spec(tmp_path)
    monkeypatch.setattr(links, "_CATCH_UP_S", 0.1)
    with owned(own) as partition:
        append(own.directory, [shared(1, "ada")])
        settle(partition)
        append(own.directory, [shared(2, "ada")])
        with pytest.raises(RebuildingError):
            list(linked([own], [LINKED]))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f'{{"url":"https:\\/\\/a.example\\/media\\/{LINKED}"}}', {LINKED}),
        (f"https://a.example/media/{LINKED}?x=1, https://b.example/{PICTURE}", {LINKED, PICTURE}),
        (f'{{"id":"{PICTURE}"}}', set()),
        ("nothing", set()),
    ],
)
def test_links_in_a_text_are_found_wherever_files_are_served(text: str, names: set[str]) -> None:
    assert files_in(text.encode()) == names
