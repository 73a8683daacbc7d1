"""What answers about the platform itself look like: its components, what clients need to know."""

from airy_ray.serve.api import examples
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.shapes import Shape


class Component(Shape):
    """A part of the platform, as the control center shows it; keys as the reference has them."""

    name: str
    displayName: str
    description: str
    descriptionDE: str
    descriptionFR: str
    descriptionES: str
    category: str
    price: str
    availableFor: str | None
    docs: str | None
    source: str | None
    repository: str
    isChannel: str | None
    isApp: str | None
    internalUI: str | None
    configurationValues: str
    installationStatus: str


class Components(Shape):
    """All components, by name."""

    model_config = example(components={"sources-viber": examples.COMPONENT})
    components: dict[str, Component]


class ComponentSettings(Shape):
    """How components are set up, by name; secrets are masked."""

    model_config = example(components={"sources-viber": {"authToken": "4453..."}})
    components: dict[str, dict[str, str]]


class Service(Shape):
    """One service, by its name in the reference."""

    enabled: bool
    healthy: bool
    component: str


class TagColor(Shape):
    """How a tag of one color looks: RGB, hexadecimal."""

    default: str
    background: str
    font: str
    position: int
    border: str


class TagConfig(Shape):
    """How tags look."""

    colors: dict[str, TagColor]


class UserProfile(Shape):
    """A user who is logged in."""

    id: str
    name: str | None
    avatar_url: str | None


class ClientConfig(Shape):
    """What runs here, how tags look, who is logged in, and the version."""

    model_config = example(
        services=examples.SERVICES,
        user_profile=None,
        tag_config={"colors": {"tag-red": examples.TAG_COLOR}},
        cluster_version="0.1.0",
    )
    services: dict[str, Service]
    user_profile: UserProfile | None
    tag_config: TagConfig
    cluster_version: str
