from airy_ray.clock import Millis
from airy_ray.model.contact import Contact, Identity
from airy_ray.model.conversation import default_name
from airy_ray.model.ids import contact_id
from airy_ray.projections import keys
from tests import builders
from tests.builders import conversation_described, message_received, message_sent
from tests.fakes import MemoryView, folded

ADA = builders.conversation_id("ada")


def contact(view: MemoryView) -> Contact:
    found = view.contacts.get(contact_id(ADA))
    assert found is not None
    return found


def named(name: str, at: int = builders.NOW) -> MemoryView:
    """Return a view in which Ada's conversation names her after it began."""
    described = conversation_described({"contact.display_name": f'"{name}"'.encode()}, at=at)
    return folded(message_received(sent_at=10), described)


def test_a_conversation_brings_its_contact_into_being() -> None:
    view = folded(message_received(sent_at=10))

    assert contact(view) == Contact(
        contact_id(ADA), default_name("facebook", ADA), created_at=Millis(10)
    )
    assert view.contact_of.get(ADA) == contact_id(ADA)
    assert view.identities.under(b"") == [
        (keys.identity(contact_id(ADA), ADA), Identity("facebook", "ada"))
    ]


def test_a_conversation_that_we_begin_has_a_contact_too() -> None:
    assert contact(folded(message_sent())).is_named is False


def test_more_messages_make_no_more_contacts() -> None:
    view = folded(message_received("a"), message_received("b"), message_sent())

    assert len(view.contacts.under(b"")) == 1


def test_a_contact_gets_the_name_that_its_conversation_has_from_the_start() -> None:
    described = conversation_described({"contact.display_name": b'"Ada"'})
    view = folded(described, message_received())

    assert (contact(view).display_name, contact(view).is_named) == ("Ada", True)


def test_a_contact_gets_the_name_that_its_conversation_has_later() -> None:
    found = contact(named("Ada", at=77))

    assert (found.display_name, found.is_named, found.updated_at) == ("Ada", True, 77)


def test_a_real_name_is_never_overwritten() -> None:
    view = folded(
        conversation_described({"contact.display_name": b'"Countess"'}), onto=named("Ada")
    )

    assert contact(view).display_name == "Ada"


def test_contacts_are_listed_by_the_name_they_have_now() -> None:
    view = folded(message_received(contact="zoe"), onto=named("Ada"))
    listed = [key.rpartition(b"\0")[0] for key, _ in view.contacts_by_name.under(b"")]

    assert len(listed) == 2
    assert listed[0] == b"Ada"
