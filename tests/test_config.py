"""aie.toml and the environment."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo

import platformdirs
import pytest

from aie.config import DEFAULT_TOML, Config, Retention, find_vault
from aie.errors import ConfigError

BERLIN = {"AIE_TIMEZONE": "Europe/Berlin"}


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "vault"
    folder.mkdir()
    return folder


def write(vault: Path, text: str) -> Path:
    path = vault / "aie.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(vault: Path, text: str, env: dict[str, str] | None = None) -> tuple[str, str, str]:
    """Message, place (without the folder) and next step of the error."""
    write(vault, text)
    with pytest.raises(ConfigError) as caught:
        Config.load(vault, env or {})
    return caught.value.message, caught.value.where.replace(str(vault), "VAULT"), caught.value.hint


# --- finding the vault --------------------------------------------------------------------------------------------


def test_the_vault_is_the_closest_folder_upward_with_an_aie_toml(vault: Path) -> None:
    write(vault, "")
    inner = vault / "Notes" / "2026"
    inner.mkdir(parents=True)
    assert find_vault(inner, {}) == vault
    assert find_vault(vault, {}) == vault


def test_aie_vault_wins_over_where_you_stand(vault: Path, tmp_path: Path) -> None:
    write(vault, "")
    assert find_vault(tmp_path, {"AIE_VAULT": str(vault)}) == vault


def test_without_a_vault_the_next_step_is_aie_init(vault: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_vault(vault, {})
    assert caught.value.as_dict() == {
        "error": "no aie.toml in this folder or any above it",
        "where": str(vault),
        "hint": "go to your vault, or make this folder one: aie init",
    }


def test_an_aie_vault_that_is_none_is_named(vault: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_vault(vault, {"AIE_VAULT": str(vault)})
    assert caught.value.as_dict() == {
        "error": f"AIE_VAULT names {str(vault)!r}, and there is no aie.toml in it",
        "where": "AIE_VAULT",
        "hint": f"set AIE_VAULT to a vault, or make one there: aie init {str(vault)!r}",
    }


# --- what is read -------------------------------------------------------------------------------------------------


def test_without_a_file_everything_has_its_default(vault: Path) -> None:
    mark = hashlib.sha256(str(vault).encode()).hexdigest()[:8]
    assert Config.load(vault, BERLIN) == Config(
        vault=vault,
        timezone=ZoneInfo("Europe/Berlin"),
        state_dir=Path(platformdirs.user_state_dir("aie", appauthor=False)) / f"vault-{mark}",
        workflow_folders=(vault / "workflows",),
        max_runs=64,
        max_event_bytes=1_048_576,
    )


def test_everything_in_the_file_is_read(vault: Path, tmp_path: Path) -> None:
    for name in ("flows", "more"):
        (vault / name).mkdir()
    state = tmp_path.resolve() / "state"
    write(
        vault,
        f"""
        timezone = "America/New_York"
        workflow_folders = ["flows", "more"]
        state_dir = {str(state)!r}
        max_runs = 8
        max_event_bytes = 4096
        [retention]
        days = 30
        audit_days = 3650
        [actions]
        send_email = "gmail"
        [plugins]
        disabled = ["loud"]
        allow = ["vault", "aie-gmail"]
        allow_publishers = ["Example Ltd"]
        files = {{ greet = "plugins/greet.py" }}
        [plugins.vault]
        watch = ["Inbox"]
        [schedules.morning]
        cron = "0 8 * * *"
        """,
    )
    assert Config.load(vault, {}) == Config(
        vault=vault,
        timezone=ZoneInfo("America/New_York"),
        state_dir=state,
        workflow_folders=(vault / "flows", vault / "more"),
        max_runs=8,
        max_event_bytes=4096,
        retention=Retention(days=30, runs=1_000_000, size_mb=5_000, audit_days=3650),
        actions={"send_email": "gmail"},
        disabled=frozenset({"loud"}),
        allow=frozenset({"vault", "aie-gmail"}),
        allow_publishers=frozenset({"Example Ltd"}),
        plugin_files={"greet": vault / "plugins" / "greet.py"},
        tables={"vault": {"watch": ["Inbox"]}, "core": {"schedules": {"morning": {"cron": "0 8 * * *"}}}},
    )


def test_the_environment_wins_over_the_file(vault: Path, tmp_path: Path) -> None:
    write(vault, 'timezone = "UTC"\nmax_runs = 8\nstate_dir = "elsewhere"\n[plugins.vault]\nwatch = ["a"]\nask = 1\n')
    state = tmp_path.resolve() / "state"
    env = {
        **BERLIN,
        "AIE_MAX_RUNS": "3",
        "AIE_STATE_DIR": str(state),
        "AIE_VAULT__WATCH": '["b", "c"]',
        "AIE_CORE__LOGS": "false",
        "AIE_ODOO__SERVER__URL": "https://odoo.example",
        "AIE_ODOO__EMPTY": "",
    }
    config = Config.load(vault, env)
    assert (config.timezone, config.max_runs, config.state_dir) == (ZoneInfo("Europe/Berlin"), 3, state)
    assert config.plugin_table("vault") == {"watch": ["b", "c"], "ask": 1}
    assert config.plugin_table("core") == {"logs": "false"}
    assert config.plugin_table("odoo") == {"server": {"url": "https://odoo.example"}}
    assert config.plugin_table("nobody") == {}


def test_a_plugin_gets_a_copy_of_its_table(vault: Path) -> None:
    write(vault, '[plugins.vault]\nwatch = ["a"]\n')
    config = Config.load(vault, {})
    config.plugin_table("vault")["watch"].append("b")
    assert config.plugin_table("vault") == {"watch": ["a"]}


def test_the_folder_of_an_adopted_vault_is_read_as_well(vault: Path) -> None:
    (vault / "integrations" / "workflows").mkdir(parents=True)
    assert Config.load(vault, {}).workflow_folders == (vault / "workflows", vault / "integrations" / "workflows")


def test_two_vaults_of_one_name_have_two_state_folders(tmp_path: Path) -> None:
    folders = [tmp_path / "a" / "vault", tmp_path / "b" / "vault"]
    for folder in folders:
        folder.mkdir(parents=True)
    states = {Config.load(folder, {}).state_dir for folder in folders}
    assert len(states) == 2
    assert {state.name[:6] for state in states} == {"vault-"}


def test_the_machine_s_time_zone_is_the_default_and_utc_where_it_has_none(
    vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tzlocal.get_localzone", lambda: ZoneInfo("Asia/Tokyo"))
    assert Config.load(vault, {}).timezone == ZoneInfo("Asia/Tokyo")

    def none() -> ZoneInfo:
        raise LookupError("no zone")

    monkeypatch.setattr("tzlocal.get_localzone", none)
    assert Config.load(vault, {}).timezone == ZoneInfo("UTC")


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(vault: Path) -> None:
    (vault / "aie.toml").write_bytes(b"\xef\xbb\xbfmax_runs = 2\r\n")
    assert Config.load(vault, {}).max_runs == 2


def test_the_file_aie_init_writes_is_valid_and_means_what_it_says(vault: Path) -> None:
    write(vault, DEFAULT_TOML)
    config = Config.load(vault, BERLIN)
    assert config.tables == {
        "vault": {"watch": ["Inbox"]},
        "core": {"schedules": {"morning": {"cron": "0 8 * * *"}}, "approvals": {}},
    }
    assert (config.actions, config.disabled, config.warnings) == ({}, frozenset(), ())


def test_every_line_offered_as_a_comment_is_valid_too(vault: Path) -> None:
    lines = [line.removeprefix("# ") if " = " in line else line for line in DEFAULT_TOML.splitlines()]
    (vault / "workflows").mkdir()
    write(vault, "\n".join(lines))
    assert set(tomllib.loads("\n".join(lines))) == {
        *("timezone", "workflow_folders", "state_dir", "engine", "max_runs", "starts_per_minute", "retention"),
        *("actions", "plugins", "schedules", "approvals"),
    }
    assert Config.load(vault, {}).warnings == ()


# --- what is refused ----------------------------------------------------------------------------------------------


def test_what_is_not_toml_is_refused_with_its_line(vault: Path) -> None:
    message, where, hint = refused(vault, 'timezone = "UTC"\nmax_runs = \n')
    assert (message, where) == ("not TOML: Invalid value", "VAULT/aie.toml, line 2, column 12")
    assert hint == "correct that line; texts are written in double quotes, lists in square brackets"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            'timezome = "UTC"',
            (
                "'timezome' is not a setting of aie.toml",
                "VAULT/aie.toml, line 1, timezome",
                "did you mean 'timezone'?",
            ),
        ),
        (
            '# mail\n\n[gmail]\nuser = "me"',
            (
                "'gmail' is not a setting of aie.toml",
                "VAULT/aie.toml, line 3, gmail",
                "the settings of a plugin go into its table: [plugins.gmail]",
            ),
        ),
        (
            "timezone = 1",
            ("timezone is a text, found 1", "VAULT/aie.toml, line 1, timezone", 'write it as timezone = "…"'),
        ),
        (
            'timezone = "Europe/Berlim"',
            (
                "'Europe/Berlim' is not a time zone",
                "VAULT/aie.toml, line 1, timezone",
                "did you mean 'Europe/Berlin'?",
            ),
        ),
        (
            'timezone = "Europe"',
            ("'Europe' is not a time zone", "VAULT/aie.toml, line 1, timezone", "did you mean 'Europe/Rome'?"),
        ),
        (
            'timezone = "../etc"',
            (
                "'../etc' is not a time zone",
                "VAULT/aie.toml, line 1, timezone",
                'name a zone of the IANA list, such as "Europe/Berlin"',
            ),
        ),
        (
            "[retention]\ndays = 0",
            (
                "retention.days is a whole number from 1 to 36500, found 0",
                "VAULT/aie.toml, line 2, retention.days",
                "for example: days = 400",
            ),
        ),
        (
            "[retention]\nmonths = 3",
            (
                "'months' is not a setting of [retention]",
                "VAULT/aie.toml, line 2, retention.months",
                "its settings are days, runs, size_mb, audit_days",
            ),
        ),
        (
            "[retention]\nday = 3",
            ("'day' is not a setting of [retention]", "VAULT/aie.toml, line 2, retention.day", "did you mean 'days'?"),
        ),
        (
            "max_runs = 0",
            (
                "max_runs is a whole number from 1 to 10000, found 0",
                "VAULT/aie.toml, line 1, max_runs",
                "write it as max_runs = 64",
            ),
        ),
        (
            "max_runs = true",
            (
                "max_runs is a whole number from 1 to 10000, found True",
                "VAULT/aie.toml, line 1, max_runs",
                "write it as max_runs = 64",
            ),
        ),
        (
            'workflow_folders = "flows"',
            (
                "workflow_folders is a list of texts, found 'flows'",
                "VAULT/aie.toml, line 1, workflow_folders",
                'write it as workflow_folders = ["…"]',
            ),
        ),
        (
            '[actions]\nsend_email = "gmail.send_email"',
            (
                "actions.send_email is the name of a plugin, found 'gmail.send_email'",
                "VAULT/aie.toml, line 2, actions.send_email",
                "aie plugins list shows the names",
            ),
        ),
        (
            'plugins = "vault"',
            (
                "plugins is a table, found 'vault'",
                "VAULT/aie.toml, line 1, plugins",
                "write it as [plugins] on a line of its own, its settings below",
            ),
        ),
        (
            '[plugins]\ndisable = ["vault"]',
            (
                "plugins.disable is a plugin's table, found a list",
                "VAULT/aie.toml, line 2, plugins.disable",
                "did you mean 'disabled'?",
            ),
        ),
        (
            '[plugins]\ndisabled = ["core"]',
            (
                "the plugin 'core' cannot be turned off",
                "VAULT/aie.toml, line 2, plugins.disabled",
                "take it out of the list: waiting, approvals and schedules come from it",
            ),
        ),
        (
            '[plugins]\nallow = "gmail"',
            (
                "plugins.allow is a list of texts, found 'gmail'",
                "VAULT/aie.toml, line 2, plugins.allow",
                'write it as allow = ["…"]',
            ),
        ),
        (
            '[plugins]\nfiles = ["greet.py"]',
            (
                "plugins.files is a table, found ['greet.py']",
                "VAULT/aie.toml, line 2, plugins.files",
                'write it as files = { greet = "plugins/greet.py" }',
            ),
        ),
        (
            '[plugins.files]\ngreet = "plugins/greet"',
            (
                "plugins.files.greet is the path of a file of Python, found 'plugins/greet'",
                "VAULT/aie.toml, line 2, plugins.files.greet",
                'for example: greet = "plugins/greet.py"',
            ),
        ),
        (
            '[plugins.files]\nallow = "plugins/allow.py"',
            (
                "'allow' cannot be the name of a plugin",
                "VAULT/aie.toml, line 2, plugins.files.allow",
                "a name is a lower-case letter, then lower-case letters, digits and underscores, and not taken",
            ),
        ),
        (
            "[plugins.core]\nlogs = false",
            (
                "the settings of 'core' are not in a table of their own",
                "VAULT/aie.toml, line 1, plugins.core",
                "write them at the top level: [schedules], [scripts], [logs], [approvals]",
            ),
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_place_and_next_step(
    vault: Path, text: str, error: tuple[str, str, str]
) -> None:
    assert refused(vault, text) == error


@pytest.mark.parametrize(
    ("env", "error"),
    [
        (
            {"AIE_TIMEZONE": "Berlin"},
            ("'Berlin' is not a time zone", "AIE_TIMEZONE", "did you mean 'Europe/Berlin'?"),
        ),
        (
            {"AIE_MAX_RUNS": "many"},
            (
                "AIE_MAX_RUNS is a whole number from 1 to 10000, found 'many'",
                "AIE_MAX_RUNS",
                "for example AIE_MAX_RUNS=64",
            ),
        ),
        (
            {"AIE_GMAIL__LABELS": '["secret'},
            (
                "AIE_GMAIL__LABELS starts like JSON and is not at character 2",
                "AIE_GMAIL__LABELS",
                'write lists as ["a", "b"], tables as {"a": 1}',
            ),
        ),
        (
            {"AIE_GMAIL__USER": "me", "AIE_GMAIL__USER__NAME": "me"},
            (
                "AIE_GMAIL__USER__NAME is a setting within one that another variable sets as a whole",
                "AIE_GMAIL__USER__NAME",
                "unset one of the two",
            ),
        ),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(vault: Path, env: dict[str, str], error: tuple[str, str, str]) -> None:
    assert refused(vault, "", env) == error


def test_a_vault_that_is_not_there_is_refused(vault: Path) -> None:
    gone = vault / "gone"
    with pytest.raises(ConfigError) as caught:
        Config.load(gone, {})
    assert caught.value.as_dict() == {
        "error": f"there is no folder {str(gone)!r}",
        "where": str(gone),
        "hint": "aie init makes a vault",
    }


# --- what is warned about -----------------------------------------------------------------------------------------

MOVE = "set state_dir in aie.toml, or AIE_STATE_DIR, to a folder outside it"


@pytest.mark.parametrize(
    ("place", "env", "problem"),
    [
        ("/home/me/OneDrive - Company/state", {}, "lies in 'OneDrive - Company', which is synced to other machines"),
        ("/home/me/Dropbox/state", {}, "lies in 'Dropbox', which is synced to other machines"),
        ("/home/me/Google Drive/state", {}, "lies in 'Google Drive', which is synced to other machines"),
        ("/Users/me/Library/Mobile Documents/s", {}, "lies in 'Mobile Documents', which is synced to other machines"),
        ("/Users/me/iCloud Drive/s", {}, "lies in 'iCloud Drive', which is synced to other machines"),
        ("/mnt/f/state", {"WSL_DISTRO_NAME": "Debian"}, "is on a Windows drive, where locks fail under WSL"),
    ],
)
def test_a_state_folder_in_an_unsafe_place_is_warned_about(
    vault: Path, place: str, env: dict[str, str], problem: str
) -> None:
    config = Config.load(vault, {"AIE_STATE_DIR": place, **env})
    assert config.warnings == (f"the state folder {place!r} {problem}; {MOVE}",)


def test_a_state_folder_in_the_vault_is_warned_about(vault: Path) -> None:
    write(vault, 'state_dir = ".aie"')
    assert Config.load(vault, {}).warnings == (
        f"the state folder {str(vault / '.aie')!r} lies inside the vault; {MOVE}",
    )


@pytest.mark.parametrize("place", ["/mnt/data/state", "/home/me/dropboxes/state", "/home/me/Notes/state"])
def test_an_ordinary_state_folder_is_not_warned_about(vault: Path, place: str) -> None:
    assert Config.load(vault, {"AIE_STATE_DIR": place, "WSL_DISTRO_NAME": "Debian"}).warnings == ()


def test_a_workflow_folder_that_is_not_there_and_a_misspelt_variable_are_warned_about(vault: Path) -> None:
    path = write(vault, 'workflow_folders = ["flows"]')
    assert Config.load(vault, {"AIE_TIMEZONES": "UTC", "AIE_SOMETHING": "1"}).warnings == (
        f"workflow_folders names 'flows', and there is no such folder: make it, or correct the name in {path}",
        "aie does not know AIE_TIMEZONES; did you mean AIE_TIMEZONE?",
    )


# --- naming settings to people ------------------------------------------------------------------------------------


def test_a_setting_is_named_as_it_is_written(vault: Path) -> None:
    config = Config.load(vault, {"AIE_VAULT__WATCH": '["b"]', "AIE_ODOO__SERVER__URL": "x"})
    assert config.key("vault", "watch", 0) == "[plugins.vault] watch[0]"
    assert config.key("core", "schedules", "morning", "cron") == "schedules.morning.cron"
    assert config.from_environment("vault", "watch", 0) == "AIE_VAULT__WATCH"
    assert config.from_environment("odoo", "server", "url") == "AIE_ODOO__SERVER__URL"
    assert config.from_environment("vault", "ask") == ""
