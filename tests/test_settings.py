"""The environment: read once, everything wrong with it said at once, nothing secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import SETTINGS, Settings, SettingsError

GOOD = {
    "DATABASE_URL": "sqlite:////var/gateway.sqlite",
    "SECRET_KEY": "s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t",
    "PUBLIC_URL": "https://example.org/",
    "KEYS_DIR": "/var/keys",
    "HOOK_SECRETS": "a-hook-secret-of-24-letters, another-hook-secret-0123456",
    "AT_USERNAME": "sandbox",
    "AT_API_KEY": "an-api-key",
    "USSD_CODES": "*384*2430#, *384*2431#",
}


def problems(**changes: str | None) -> list[str]:
    """What is said of the good settings with these changes; None leaves one out."""
    env = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    try:
        Settings.from_env(env)
    except SettingsError as error:
        return error.problems
    return []


def test_complete_settings_are_read_with_their_defaults() -> None:
    made = Settings.from_env(GOOD)
    assert made.public_url == "https://example.org"
    assert made.hook_secrets == ("a-hook-secret-of-24-letters", "another-hook-secret-0123456")
    assert made.ussd_codes == {"*384*2430#", "*384*2431#"}
    assert (made.port, made.ussd_charset, str(made.local_zone)) == (8000, "gsm7", "Africa/Lubumbashi")
    assert (made.redis_url, made.at_sender_id, made.at_url, made.demo) == (None, None, None, False)
    assert (made.flows_dir / "start.yaml").exists()
    assert made.locales_dir.is_dir()


def test_everything_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env({})
    assert all(line in str(error.value) for line in error.value.problems)
    needed = [one.name for one in SETTINGS if one.default is None and not one.optional]
    assert [problem.split()[0] for problem in error.value.problems if "is missing" in problem] == needed


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = problems(
        DATABASE_URL="mysql://host/db",
        SECRET_KEY="short",
        PORT="70000",
        PUBLIC_URL="example.org",
        HOOK_SECRETS="short",
        USSD_CODES=" , ",
        USSD_CHARSET="utf8",
        LOCAL_ZONE="Africa/Nowhere",
        AT_URL="ftp://example.org",
        KEYS_DIR=" ",
    )
    assert {problem.split()[0].rstrip(":") for problem in found} == {
        "DATABASE_URL",
        "SECRET_KEY",
        "PORT",
        "PUBLIC_URL",
        "HOOK_SECRETS",
        "USSD_CODES",
        "USSD_CHARSET",
        "LOCAL_ZONE",
        "AT_URL",
        "KEYS_DIR",
    }


WRONG = [
    ("PORT", ["0", "-1", "65536", "8000.0", "８０００", "²", "9" * 5000, "port", "80 00"]),
    (
        "PUBLIC_URL",
        ["example.org", "//example.org", "https://", "https://[example", "https://:80", "ftp://example.org"],
    ),
    (
        "LOCAL_ZONE",
        ["Africa", "africa/nowhere", "../zone", "/etc/localtime", "x" * 4000, "Africa/Lubumbashi "[:7]],
    ),
    (
        "HOOK_SECRETS",
        [",", "short", "a" * 201, "a-hook-secret-of-24-letters,short", "with/slash-and-24-letters-x"],
    ),
    ("USSD_CODES", [",", " , , "]),
    ("PROXIES", ["-1", "x", "10", "1.0", "٣"]),
    ("SECRET_KEY", ["k" * 31]),
    ("USSD_CHARSET", ["GSM7", "latin1"]),
    ("DATABASE_URL", ["mysql://h/d", "sqlite://", "postgresql+psycopg2://h/d", "gateway.sqlite"]),
]


@pytest.mark.parametrize(("name", "values"), WRONG, ids=lambda part: part if isinstance(part, str) else "")
def test_a_malformed_value_is_one_problem_of_its_own(name: str, values: list[str]) -> None:
    for value in values:
        found = problems(**{name: value})
        assert len(found) == 1, (name, value, found)
        assert found[0].startswith(name)


@given(
    name=st.sampled_from([one.name for one in SETTINGS]),
    value=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40),
)
def test_whatever_a_variable_holds_it_is_read_or_said(name: str, value: str) -> None:
    problems(**{name: value})


def test_no_problem_repeats_a_secret() -> None:
    found = problems(
        SECRET_KEY="hunter2", HOOK_SECRETS="hunter2", DATABASE_URL="mysql://u:hunter2@h/d", AT_API_KEY="hunter2"
    )
    assert len(found) == 3
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_is_one(scheme: str) -> None:
    made = Settings.from_env({**GOOD, "DATABASE_URL": f"{scheme}://u:p@h:5432/d?sslmode=require"})
    assert made.database_url == "postgresql+psycopg://u:p@h:5432/d?sslmode=require"


def test_values_lose_the_spaces_around_them_and_an_empty_one_is_missing() -> None:
    assert Settings.from_env({**GOOD, "AT_USERNAME": "  sandbox\n"}).at_username == "sandbox"
    assert problems(AT_USERNAME="   ") == [
        "AT_USERNAME is missing: the account at Africa's Talking (`sandbox` for their sandbox)"
    ]
    assert Settings.from_env({**GOOD, "PORT": ""}).port == 8000


# Secrets from files


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(GOOD["SECRET_KEY"] + "\n")
    env = {name: value for name, value in GOOD.items() if name != "SECRET_KEY"}
    made = Settings.from_env({**env, "SECRET_KEY_FILE": str(tmp_path / "secret")})
    assert made.secret_key == GOOD["SECRET_KEY"]


def test_a_secret_and_its_file_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("another-secret-another-secret-xx")
    assert problems(SECRET_KEY_FILE=str(tmp_path / "secret")) == [
        "SECRET_KEY and SECRET_KEY_FILE are both set; keep one"
    ]


def test_a_file_that_is_not_there_not_readable_or_no_text_is_said_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"hunter2\xff\xfe")
    (tmp_path / "empty").write_text("\n")
    for path, said in (
        (tmp_path / "nowhere", "cannot be read: No such file"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "binary", "is not a text file"),
    ):
        found = problems(SECRET_KEY=None, SECRET_KEY_FILE=str(path))
        assert len([line for line in found if said in line]) == 1, found
        assert "hunter2" not in "".join(found)
    assert [line.split(":")[0] for line in problems(SECRET_KEY=None, SECRET_KEY_FILE=str(tmp_path / "empty"))] == [
        "SECRET_KEY is missing"
    ]


@pytest.mark.parametrize("mirror", ["/var/keys", "/var/keys/", "/var/keys/mirror", "/var", "/"])
def test_a_mirror_within_the_directory_or_around_it_is_refused(mirror: str) -> None:
    assert problems(KEYS_MIRROR=mirror) == [
        "KEYS_MIRROR must be another directory than KEYS_DIR, on another disk or host"
    ]


def test_a_mirror_may_be_missing() -> None:
    assert Settings.from_env(GOOD).keys_mirror is None
    assert Settings.from_env({**GOOD, "KEYS_MIRROR": " /mnt/mirror "}).keys_mirror == Path("/mnt/mirror")


def test_only_secrets_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("9000")
    assert Settings.from_env({**GOOD, "PORT_FILE": str(tmp_path / "port")}).port == 8000


def test_no_secret_shows_in_a_repr() -> None:
    env = {**GOOD, "REDIS_URL": "redis://:hunter2@h", "DATABASE_URL": "postgresql://u:hunter2@h/d"}
    shown = repr(Settings.from_env(env))
    for secret in ("hunter2", GOOD["SECRET_KEY"], "a-hook-secret", GOOD["AT_API_KEY"]):
        assert secret not in shown


def test_every_secret_is_marked_as_one() -> None:
    assert {one.name for one in SETTINGS if one.secret} == {
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "HOOK_SECRETS",
        "AT_API_KEY",
    }
    assert all(one.meaning for one in SETTINGS)


def test_the_environment_of_the_process_is_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in SETTINGS:
        monkeypatch.delenv(one.name, raising=False)
        monkeypatch.delenv(f"{one.name}_FILE", raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    assert Settings.read() == Settings.from_env(GOOD)
