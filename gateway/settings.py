"""The environment, read once. Nothing else in the product looks at it.

`Settings.from_env` takes a mapping, so a test needs no patching. It reports everything that is missing or
malformed at once, and takes a secret from `NAME` or from the file that `NAME_FILE` names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ROOT = Path(__file__).resolve().parent.parent
"""Where `flows/` and `locales/` lie: the checkout itself."""


class SettingsError(Exception):
    """The environment does not describe an installation; `problems` lists all that is wrong, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(["The settings are not complete:", *(f"  - {line}" for line in problems)]))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable of the environment, as README.md documents it."""

    name: str
    meaning: str
    default: str | None = None
    secret: bool = False
    optional: bool = False


SETTINGS = (
    Setting("DATABASE_URL", "PostgreSQL, or a SQLite file (`sqlite:////path/gateway.sqlite`)", secret=True),
    Setting(
        "REDIS_URL",
        "Redis or Valkey; without it everything still happens, a little later",
        secret=True,
        optional=True,
    ),
    Setting("SECRET_KEY", "signs the forms of the pages; 32 characters or more", secret=True),
    Setting("PORT", "where the web process listens", default="8000"),
    Setting("PUBLIC_URL", "the address people open, `https://…`"),
    Setting("KEYS_DIR", "the key directory, outside the database and its backups"),
    Setting(
        "KEYS_MIRROR",
        "its mirror on another disk or host, in no versioned backup; without it a lost disk loses every report",
        optional=True,
    ),
    Setting(
        "HOOK_SECRETS",
        "secret parts of the hooks' addresses, by comma, the newest first; 24 characters or "
        "more of letters, digits, `-` and `_`",
        secret=True,
    ),
    Setting("AT_USERNAME", "the account at Africa's Talking (`sandbox` for their sandbox)"),
    Setting("AT_API_KEY", "its key", secret=True),
    Setting("AT_SENDER_ID", "the sender that case workers see, as registered", optional=True),
    Setting("AT_URL", "another address for the SMS service, such as the simulator's", optional=True),
    Setting("USSD_CODES", "the service codes that are ours, by comma (`*384*2430#`)"),
    Setting("USSD_CHARSET", "`gsm7`, or `ascii` where a network garbles accents", default="gsm7"),
    Setting("LOCAL_ZONE", "the zone of days and hours", default="Africa/Lubumbashi"),
    Setting(
        "PROXIES",
        "how many reverse proxies stand in front; the address of whoever signs in is taken from their header",
        default="0",
    ),
    Setting(
        "DEMO",
        "`1` is set by `python3 -m gateway` for its own processes; a process refuses a database of the other kind",
        optional=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    secret_key: str = field(repr=False)
    port: int
    public_url: str
    keys_dir: Path
    keys_mirror: Path | None
    hook_secrets: tuple[str, ...] = field(repr=False)
    at_username: str
    at_api_key: str = field(repr=False)
    at_sender_id: str | None
    at_url: str | None
    ussd_codes: frozenset[str]
    ussd_charset: str
    local_zone: ZoneInfo
    proxies: int
    demo: bool

    @property
    def flows_dir(self) -> Path:
        return ROOT / "flows"

    @property
    def locales_dir(self) -> Path:
        return ROOT / "locales"

    @classmethod
    def read(cls) -> Self:
        """Settings from the environment of this process. Raises SettingsError."""
        return cls.from_env(os.environ)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Settings from a mapping such as `os.environ`. Raises SettingsError with every problem found."""
        reader = _Reader(env)
        values = {setting.name: reader.read(setting) for setting in SETTINGS}
        parsed = cls(
            database_url=reader.database(values["DATABASE_URL"]),
            redis_url=values["REDIS_URL"] or None,
            secret_key=reader.long_enough("SECRET_KEY", values["SECRET_KEY"]),
            port=reader.port(values["PORT"]),
            public_url=reader.address("PUBLIC_URL", values["PUBLIC_URL"]),
            keys_dir=Path(values["KEYS_DIR"]),
            keys_mirror=reader.mirror(values["KEYS_MIRROR"], values["KEYS_DIR"]),
            hook_secrets=reader.hook_secrets(values["HOOK_SECRETS"]),
            at_username=values["AT_USERNAME"],
            at_api_key=values["AT_API_KEY"],
            at_sender_id=values["AT_SENDER_ID"] or None,
            at_url=reader.address("AT_URL", values["AT_URL"]) or None,
            ussd_codes=reader.codes(values["USSD_CODES"]),
            ussd_charset=reader.one_of("USSD_CHARSET", values["USSD_CHARSET"], ("gsm7", "ascii")),
            local_zone=reader.zone(values["LOCAL_ZONE"]),
            proxies=reader.proxies(values["PROXIES"]),
            demo=values["DEMO"] == "1",
        )
        if reader.problems:
            raise SettingsError(reader.problems)
        return parsed


class _Reader:
    """Reads and checks values, and collects what is wrong instead of stopping at the first."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.problems: list[str] = []

    def read(self, setting: Setting) -> str:
        value = self.env.get(setting.name, "").strip()
        path = self.env.get(f"{setting.name}_FILE", "").strip() if setting.secret else ""
        if value and path:
            self.problems.append(f"{setting.name} and {setting.name}_FILE are both set; keep one")
        if not value and path:
            try:
                value = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                self.problems.append(f"{setting.name}_FILE cannot be read: {error.strerror}")
                return ""
            except ValueError:  # the error would quote the secret
                self.problems.append(f"{setting.name}_FILE is not a text file")
                return ""
        if not value and setting.default is not None:
            return setting.default
        if not value and not setting.optional:
            self.problems.append(f"{setting.name} is missing: {setting.meaning}")
        return value

    def database(self, url: str) -> str:
        """One spelling for each driver; platforms still hand out `postgres://`, which SQLAlchemy refuses."""
        for scheme in ("postgres://", "postgresql://"):
            if url.startswith(scheme):
                return "postgresql+psycopg://" + url.removeprefix(scheme)
        if url and not url.startswith(("postgresql+psycopg://", "sqlite:///")):
            self.problems.append("DATABASE_URL must begin with postgresql:// or sqlite:///")
        return url

    def long_enough(self, name: str, value: str) -> str:
        if value and len(value) < 32:
            self.problems.append(f"{name} is too short: 32 characters or more")
        return value

    def port(self, value: str) -> int:
        if re.fullmatch(r"[0-9]{1,5}", value) and 0 < int(value) < 65536:
            return int(value)
        self.problems.append("PORT must be a number from 1 to 65535")
        return 0

    def proxies(self, value: str) -> int:
        if re.fullmatch(r"[0-9]", value):
            return int(value)
        self.problems.append("PROXIES must be a number from 0 to 9")
        return 0

    def address(self, name: str, value: str) -> str:
        try:
            parts = urlsplit(value)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            fits = False
        if value and not fits:
            self.problems.append(f"{name} must be an address such as https://example.org")
        return value.rstrip("/")

    def hook_secrets(self, value: str) -> tuple[str, ...]:
        secrets = tuple(part.strip() for part in value.split(",") if part.strip())
        if any(not re.fullmatch(r"[A-Za-z0-9_-]{24,200}", secret) for secret in secrets) or (
            value and not secrets
        ):
            self.problems.append("HOOK_SECRETS: each is 24 to 200 letters, digits, - and _")
        return secrets

    def codes(self, value: str) -> frozenset[str]:
        codes = frozenset(code.strip() for code in value.split(",") if code.strip())
        if value and not codes:
            self.problems.append("USSD_CODES holds no code: no call would be answered")
        return codes

    def mirror(self, value: str, keys_dir: str) -> Path | None:
        if not value:
            return None
        there, here = Path(value).absolute(), Path(keys_dir).absolute()
        if here.is_relative_to(there) or there.is_relative_to(here):
            self.problems.append("KEYS_MIRROR must be another directory than KEYS_DIR, on another disk or host")
        return Path(value)

    def one_of(self, name: str, value: str, allowed: tuple[str, ...]) -> str:
        if value not in allowed:
            self.problems.append(f"{name} must be one of {', '.join(allowed)}")
        return value

    def zone(self, value: str) -> ZoneInfo:
        try:
            return ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is no zone
            self.problems.append("LOCAL_ZONE is not the name of a time zone")
            return ZoneInfo("UTC")
