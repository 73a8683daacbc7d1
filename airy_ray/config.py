"""All settings: what they mean, their defaults, and where they come from.

Flags win over `AIRY_…` environment variables (`__` for nesting: `AIRY_HTTP__PORT`), these over
`airy.yaml`, that over the defaults below. Read once; a wrong value fails at start and names its
key.
"""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from airy_ray.errors import ConfigError

DEFAULT_FILE = Path("airy.yaml")
_PREFIX = "AIRY_"
_BASE64 = re.compile(r"[A-Za-z0-9+/]")
_MEDIA_STORES = ("file", "s3", "gs", "az", "memory")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Http(_Section):
    """Where the platform listens, and how the world reaches it."""

    host: str = "127.0.0.1"
    """Address to listen on. Another than a loopback address needs a system token."""
    port: int = Field(8000, ge=1, le=65_535)
    public_url: str | None = None
    """What platforms call and sign, such as `https://chat.example.org`."""


class Oidc(_Section):
    """Where people log in: with OpenID Connect, or OAuth 2.0 where a provider has only that.

    `google`, `github`, `facebook` and, with its `issuer_uri`, `okta` are known; of any other
    provider the URIs have to be given.
    """

    provider: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    """Names it in paths, and begins the ids of its users."""
    client_id: str
    client_secret: SecretStr = SecretStr("")
    allowed_email_patterns: str
    """Who may log in: a comma list of addresses, in which `*` stands for anything."""
    login_success_url: str = "/"
    logout_success_url: str = "/"
    scope: str | None = None
    """A comma list. With `openid` in it the provider has to give an ID token."""
    authorization_uri: str | None = None
    token_uri: str | None = None
    user_info_uri: str | None = None
    jwk_set_uri: str | None = None
    """Where the keys are that sign ID tokens."""
    issuer_uri: str | None = None
    """Who has to have issued them."""
    user_name_attribute_name: str | None = None
    """What in the profile identifies a user of a provider without ID tokens; `id` as a rule."""
    client_authentication_method: (
        Literal["client_secret_basic", "client_secret_post", "none"] | None
    ) = None
    authorization_grant_type: Literal["authorization_code"] = "authorization_code"
    user_info_authentication_method: Literal["header", "form", "query"] = "header"

    @field_validator("provider")
    @classmethod
    def _is_no_name_of_ours(cls, provider: str) -> str:
        if provider in ("token", "source-app"):
            raise ValueError("this name is ours")
        return provider

    @field_validator("allowed_email_patterns")
    @classmethod
    def _lets_somebody_in(cls, patterns: str) -> str:
        if not patterns.replace(",", "").strip():
            raise ValueError("expected a pattern, such as *@example.org")
        return patterns


class Security(_Section):
    """Who may call the API."""

    system_token: SecretStr | None = None
    """With it set, the API asks for it, for an API token or for a JWT."""
    oidc: Oidc | None = None
    """With it set, people log in, and the API asks for that or for a token."""
    jwt_secret: SecretStr | None = None
    """Base64 key for JWTs; without it one is made and kept in the data directory."""
    allowed_origins: str = "*"
    """Origins whose pages may call the API: a comma list of patterns; empty for none.

    Who has logged in is only believed on pages of the platform itself and of origins that are named
    here: `*` alone names nobody.
    """

    @field_validator("jwt_secret")
    @classmethod
    def _has_a_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(_BASE64.findall(secret.get_secret_value())) < 2:
            raise ValueError("expected a key in base64")
        return secret


class MetaApp(_Section):
    """An app at Meta, as all of its products have it."""

    app_id: str | None = None
    app_secret: SecretStr | None = None
    """Signs webhooks; without it they are refused."""
    webhook_secret: SecretStr | None = None
    """The verify token of the handshake."""
    allow_legacy_sha1: bool = False
    """Take webhooks that only carry the obsolete SHA-1 signature."""
    graph_version: str = "v25.0"
    api_url: str = "https://graph.facebook.com"


class Backfill(_Section):
    """What is fetched of the messages that were written before a page was connected."""

    conversations: int = Field(default=500, ge=0)
    """How many conversations at most, those last written in first; 0 for none."""
    messages: int = Field(default=100, ge=1)
    """How many messages of each at most, the newest first."""


class Facebook(MetaApp):
    """Messenger and Instagram."""

    human_agent_tag: bool = False
    """Meta lets our app answer for seven days instead of one, where people write."""
    backfill: Backfill = Backfill()
    """Of Messenger."""


class Whatsapp(MetaApp):
    """WhatsApp, through Meta's Cloud API."""


class Google(_Section):
    """Google Business Messages and RCS for Business."""

    partner_key: SecretStr | None = None
    """Signs webhooks; without it they are refused."""
    sa_file: SecretStr | None = None
    """The JSON of a service account's key, with which messages are sent; not the name of a file."""
    is_rcs: bool = False
    """All agents are of RCS for Business; without it those whose id is an address."""
    api_url: str = "https://businessmessages.googleapis.com"
    rcs_api_url: str = "https://rcsbusinessmessaging.googleapis.com"


class Twilio(_Section):
    """SMS and WhatsApp through Twilio."""

    account_sid: str | None = None
    auth_token: SecretStr | None = None
    """Signs webhooks, and lets us call Twilio."""
    api_url: str = "https://api.twilio.com"


class Viber(_Section):
    """A Viber bot."""

    auth_token: SecretStr | None = None
    """Signs webhooks, and lets us call Viber."""
    welcome_message: dict[str, Any] | None = None
    """Answered to who opens a conversation, in Viber's form; sent as the bot."""
    api_url: str = "https://chatapi.viber.com"


class Telegram(_Section):
    """Telegram bots; each brings its token when it is connected."""

    api_url: str = "https://api.telegram.org"


class Sources(_Section):
    """The messaging platforms, by hook."""

    facebook: Facebook = Facebook()
    google: Google = Google()
    whatsapp: Whatsapp = Whatsapp()
    twilio: Twilio = Twilio()
    viber: Viber = Viber()
    telegram: Telegram = Telegram()


class InboundMedia(_Section):
    """Files that contacts send: copies are kept, for their platforms forget them."""

    fetch: bool = True
    """Whether they are fetched. If not, messages link to the platforms', as long as these last."""
    max_bytes: int = Field(100 << 20, ge=1)
    """The largest file fetched."""
    types: tuple[str, ...] = ("image/*", "audio/*", "video/*", "application/*", "text/*")
    """Media types that are kept, with `*` for anything; the bytes tell, not who sends them."""
    allow_private_networks: bool = False
    """Whether files may be fetched from private networks and this machine."""


def _is_web_address(url: str) -> str:
    found = urlsplit(url)
    if found.scheme not in ("http", "https") or not found.hostname:
        raise ValueError("expected an address that begins with http:// or https://")
    return url


WebAddress = Annotated[str, AfterValidator(_is_web_address)]


class _Bot(_Section):
    """A bot that answers contacts."""

    wait_s: float = Field(30, gt=0, le=600)
    """How long it may take to answer; then it has not."""
    at_once: int = Field(8, ge=1, le=256)
    """How many conversations it is asked in at once."""


class Rasa(_Bot):
    """An assistant of Rasa's, over its REST channel."""

    webhook_url: WebAddress
    """Where Rasa is, such as `http://rasa:5005`, without `/webhooks/rest/webhook`."""


class Cognigy(_Bot):
    """A flow of Cognigy's, over a REST endpoint."""

    rest_endpoint_url: WebAddress
    user_id: str = ""
    """Who Cognigy thinks writes; without it each conversation is a user of its own."""


class IbmWatsonAssistant(_Bot):
    """An assistant of IBM Watson's."""

    url: WebAddress
    api_key: SecretStr
    assistant_id: str


class OpenAi(_Bot):
    """A language model behind an API like OpenAI's."""

    url: WebAddress
    """Of the API, such as `https://api.openai.com/v1`, without `/chat/completions`."""
    model: str
    api_key: SecretStr | None = None
    mode: Literal["answer", "suggest"] = "answer"
    """Whether it answers contacts, or proposes answers to who does."""
    instructions: str | None = None
    """What it is told before all that was said."""
    messages_max: int = Field(20, ge=1, le=200)
    """How many of a conversation's last messages it is told."""


class Bots(_Section):
    """Who answers contacts while no person does; without any, nothing of it runs."""

    rasa: Rasa | None = None
    cognigy: Cognigy | None = None
    ibm_watson_assistant: IbmWatsonAssistant | None = None
    openai: OpenAi | None = None


class Media(_Section):
    """Files of messages."""

    inbound: InboundMedia = InboundMedia()

    url: str | None = None
    """A directory or an object store (`s3://bucket/path`, `gs://…`, `az://…`, `file:///…`); without
    it, `media` in the data directory. Nobody else's files belong there: see `retention`."""
    options: dict[str, SecretStr] = {}
    """What the object store needs to know, such as `aws_access_key_id`, `aws_region` or
    `aws_endpoint`; what is not said comes from the environment."""
    public_url: str | None = None
    """Where the store serves its objects; without it Amazon's address for S3, and for other stores
    the platform itself."""
    max_bytes: int = Field(512 << 20, ge=1)
    """The largest file that users and visitors may upload; larger ones get 413."""

    @field_validator("url")
    @classmethod
    def _is_a_store(cls, url: str | None) -> str | None:
        scheme, mark, _ = (url or "").partition("://")
        if mark and scheme not in _MEDIA_STORES:
            raise ValueError(f"expected a directory or one of {', '.join(_MEDIA_STORES)}")
        return url


class Archive(_Section):
    """Sealed ranges of the log."""

    url: str | None = None
    """A directory; without it, `archive` in the data directory."""
    segment_bytes: int = Field(64 << 20, ge=1 << 16)
    """How much of the log one file takes."""
    segment_age_s: float = Field(3_600, gt=0)
    """When what is there is sealed although it is less."""
    tail_records: int = Field(10_000, ge=1)
    """How many archived records each partition's live tail keeps for quick reading."""


class State(_Section):
    """What is made of the log."""

    sync_s: float = Field(10, gt=0)
    """How often it is synced; what is lost with the machine is folded again."""
    snapshot_records: int = Field(1_000_000, ge=1)
    """After how many records it is copied, which bounds how much is folded again."""
    snapshot_age_s: float = Field(3_600, gt=0)


class Replay(_Section):
    """History processed again."""

    on_upgrade: Literal["offer", "run"] = "offer"
    """What to do about rows that an earlier release has made, where this one makes others: say so
    at start, or replay all of history and put that in place, unless too many messages vanish."""


class Changes(_Section):
    """The change feed."""

    keep_hours: float = Field(48, gt=0)


class RetentionRule(_Section):
    """When conversations are forgotten."""

    source: str = "*"
    """Of this source; a rule for a source goes before one for all."""
    after_days: float = Field(gt=0)
    """How long after their newest message."""


class Contacts(_Section):
    """Who is one person."""

    join_same_number: bool = False
    """Merge contacts of WhatsApp and Twilio who have the same phone number, those that are there
    already too; `contacts.unmerge` parts them for good."""


class Limits(_Section):
    """Bounds on what one caller can ask of the platform."""

    body_bytes: int = Field(4 << 20, ge=1_024)
    """The largest body taken; larger ones get 413."""
    append_wait_s: float = Field(2, gt=0)
    """How long a request waits for its record to be on disk before it gets 503."""
    append_queue: int = Field(10_000, ge=1)
    """How many records wait in one process before new ones get 503."""
    command_wait_s: float = Field(10, gt=0)
    """How long a command waits to be applied before it gets 503 and its id."""
    page_size: int = Field(10_000, ge=1)
    """The largest page of messages or conversations; a larger one asked for is cut to it."""
    import_contacts: int = Field(1_000, ge=1)
    """How many contacts one request may bring in."""
    ledger_days: float = Field(30, gt=0)
    audit_days: float = Field(365, gt=0)
    """How long it is kept who had what done."""
    requests_per_minute: int | None = Field(None, ge=1)
    """What one caller may ask of each API process; more gets 429. Without it there is no limit, nor
    is there one for the system token or without authentication. A token can have its own.
    """


class Realtime(_Section):
    """WebSocket connections."""

    queue_bytes: int = Field(1 << 20, ge=1 << 16)
    """How much may wait for one client; one that reads more slowly is closed, and can resume."""
    resume_events: int = Field(10_000, ge=0)
    """How many missed events are sent to who resumes; who missed more reloads instead."""
    frame_bytes: int = Field(65_536, ge=1_024)
    """The largest body that a client may send."""
    connects_per_s: int = Field(100, ge=1)
    """How many WebSockets are let in each second; others get 503 and come again. A storm of them,
    as after a restart, must not hold up those who are in."""
    subscriptions: int = Field(100, ge=1)
    """How many one connection may have."""
    drain_s: float = Field(3, ge=0, le=60)
    """Within what time connections are closed when a process ends, each at another moment."""


class Webhooks(_Section):
    """Calls to others when something happens."""

    allow_private_networks: bool = False
    """Call addresses of private networks and of this machine too, whoever subscribes them.

    Link-local ones and those that tell a cloud's metadata are never called.
    """
    at_once: int = Field(8, ge=1, le=1_000)
    """How many calls to one webhook are on their way at once, each of another conversation."""
    hold_s: float = Field(3_600, ge=0)
    """How long later events of a conversation wait for one that fails; then it steps aside."""


class Serve(_Section):
    """How many processes serve."""

    webhooks_replicas: int = Field(1, ge=1)
    api_replicas: int = Field(1, ge=1)
    realtime_replicas: int = Field(1, ge=1)
    max_connections: int = Field(20_000, ge=1)


def _as_many_as_cores() -> int:
    return min(max(2, len(os.sched_getaffinity(0))), 8)


class Settings(_Section):
    """Everything that can be set."""

    data: Path = Path("data")
    """Where everything is kept."""
    partitions: int = Field(default_factory=_as_many_as_cores, ge=1, le=1_024)
    """Fixed when the data directory is made; by default as many as the machine has cores, 2 to 8.
    Each has a log that is synced by itself: more than cores only make the syncs smaller."""
    http: Http = Http()
    security: Security = Security()
    sources: Sources = Sources()
    bots: Bots = Bots()
    media: Media = Media()
    archive: Archive = Archive()
    state: State = State()
    replay: Replay = Replay()
    changes: Changes = Changes()
    contacts: Contacts = Contacts()
    limits: Limits = Limits()
    realtime: Realtime = Realtime()
    webhooks: Webhooks = Webhooks()
    serve: Serve = Serve()
    retention: tuple[RetentionRule, ...] = ()
    """Which conversations are erased, and when; without rules none is. Files go with them that
    nothing else links to, and by the rule for all sources those that nothing ever linked to."""
    insecure: bool = False
    """Listen on another than a loopback address without a system token."""

    @property
    def archive_directory(self) -> Path:
        """Where sealed ranges of the log go."""
        return Path(self.archive.url) if self.archive.url else self.data / "archive"


def load(
    flags: Mapping[str, Any],
    *,
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings from flags (dotted keys, None for not given), environment and file.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown or its value wrong.
    """
    merged = _from_file(file)
    _merge(merged, _from_environment(environment))
    for key, value in flags.items():
        if value is not None:
            _merge(merged, _nested(key.split("."), value))
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_told(error)) from None
    _check_exposure(settings)
    return settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _from_file(file: Path | None) -> dict[str, Any]:
    path = file or DEFAULT_FILE
    if file is None and not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values")
    return content


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in environment.items():
        if name.startswith(_PREFIX):
            _merge(found, _nested(name.removeprefix(_PREFIX).lower().split("__"), value))
    return found


def _nested(path: list[str], value: Any) -> dict[str, Any]:
    for name in reversed(path):
        value = {name: value}
    nested: dict[str, Any] = value
    return nested


def _merge(onto: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        inner = onto.get(key)
        if isinstance(inner, dict) and isinstance(value, Mapping):
            _merge(inner, value)
        else:
            onto[key] = value


def _told(error: ValidationError) -> str:
    """Return the first mistake in one line: the key, and what was expected; never the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown setting"
    expected = first["msg"].removeprefix("Value error, ")
    return f"{key}: {expected[0].lower()}{expected[1:]}"


def _check_exposure(settings: Settings) -> None:
    if is_loopback(settings.http.host) or settings.insecure:
        return
    if settings.security.system_token is None and settings.security.oidc is None:
        raise ConfigError(
            f"http.host: {settings.http.host} can be reached from other machines, which needs "
            "security.system_token (or --insecure)"
        )
