"""Settings: environment only, prefix MUSTER_. docs/settings.md describes each; a test compares.

Nothing here can weaken a guarantee: there is no setting to skip a commit, a check or a policy.
"""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting with its default. Times in seconds."""

    model_config = SettingsConfigDict(env_prefix="MUSTER_", extra="ignore", frozen=True)

    database_url: str | None = Field(
        None, description="PostgreSQL 18 address. Unset: an embedded server under DATA_DIR."
    )
    data_dir: Path = Field(
        Path("data"), description="Where the embedded server and the secret key are kept."
    )
    secret_key: SecretStr | None = Field(
        None, description="Key for stored device secrets. Unset: made once in DATA_DIR."
    )
    public_url: str = Field(
        "http://127.0.0.1:8000", description="The address phones and consoles use."
    )
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        pattern=r"^[0-9a-fA-F.:/, ]+$",
        description="Addresses and networks of your own proxies, whose word on the caller counts.",
    )
    pool_size: int = Field(20, ge=4, le=500, description="Database connections a process.")
    fcm_credentials: Path | None = Field(
        None, description="Firebase service-account file. Unset: no FCM push."
    )
    fcm_url: str = Field(
        "https://fcm.googleapis.com/v1/projects", description="Base address of the FCM v1 API."
    )
    fcm_connections: int = Field(
        100, ge=1, le=1000, description="Most simultaneous connections to FCM."
    )
    fcm_per_s: int = Field(
        8000, ge=1, le=10_000, description="Most messages a second to FCM, of all workers."
    )
    fcm_web_config: str | None = Field(
        None, description="Firebase web configuration (JSON) handed to phones."
    )
    vapid_private_key: SecretStr | None = Field(
        None, description="Web Push private key, base64url. Unset: made once in DATA_DIR."
    )
    vapid_contact: str | None = Field(
        None, description="mailto: or https: address for push services. Unset: PUBLIC_URL."
    )
    webpush_hosts: str = Field(
        "fcm.googleapis.com,updates.push.services.mozilla.com,*.push.services.mozilla.com,"
        "web.push.apple.com,*.push.apple.com,*.notify.windows.com,ntfy.sh",
        description="Push services that may be spoken to.",
    )
    sms_routes: SecretStr | None = Field(
        None, description="Ways for texts: a JSON list of routes, secrets included."
    )
    sms_url: str | None = Field(
        None, description="The short form for one Kannel: the address of its sendsms."
    )
    sms_username: str | None = Field(None, description="The sendsms user of that Kannel.")
    sms_password: SecretStr | None = Field(None, description="Its password.")
    sms_sender: str | None = Field(None, description="The number texts of that Kannel come from.")
    satellite_routes: SecretStr | None = Field(
        None, description="Providers of satellite messengers: a JSON list, secrets included."
    )
    smtp_url: SecretStr | None = Field(
        None, description="The mail relay: smtp://user:password@host:port or smtps://. Unset: none."
    )
    smtp_from: str | None = Field(None, description="The address e-mail comes from.")
    duty_urls: SecretStr | None = Field(
        None, description="The duty desk's own channels: apprise addresses with commas."
    )
    languages: str = Field(
        "en,fr,es,ar,ru,zh", description="Languages offered, the first is the default."
    )
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token for /metrics from anywhere but loopback."
    )
    log_format: str = Field("json", pattern="^(json|console)$", description="json or console.")
