"""What the plugins of this house say they touch."""

from __future__ import annotations

from pathlib import Path

from aie.config import Config
from aie.plugins import Registry
from aie.touches import Touches

TOML = """
[plugins.gmail]
address = "me@example.com"
contact_notes = "People"

[plugins.odoo]
url = "https://odoo.example"

[plugins.calendar.calendars.home]
folder = "Appointments"

[plugins.calendar.calendars.work]
provider = "caldav"
url = "https://dav.example/remote.php/dav"
user = "me"

[plugins.calendar.calendars.holidays]
provider = "ics_url"
"""


def test_every_plugin_says_what_it_touches_with_the_settings_it_has(tmp_path: Path) -> None:
    (tmp_path / "aie.toml").write_text(TOML)
    registry = Registry.load(Config.load(tmp_path, {}))
    plugins = {info.name: registry.plugin(info.name) for info in registry.plugins}
    assert {name: plugin.silent_actions for name, plugin in plugins.items()} == dict.fromkeys(plugins, ())
    assert {name: plugin.touches for name, plugin in plugins.items()} == {
        "core": Touches(folders=(".", "Logs", "Logs/audit"), commands=("the scripts that aie.toml lists",)),
        "calendar": Touches(hosts=("dav.example", "the server of the calendar holidays"), folders=("Appointments",)),
        "gmail": Touches(
            hosts=("imap.gmail.com", "smtp.gmail.com"),
            folders=("the files a workflow attaches", "People", "Attachments"),
        ),
        "linkedin": Touches(
            hosts=("api.linkedin.com", "www.linkedin.com"),
            folders=("the pictures a workflow names", "LinkedIn/Scheduled"),
        ),
        "odoo": Touches(hosts=("odoo.example",), folders=("the receipt a workflow names",)),
        "vault": Touches(folders=(".", "Inbox", "Pending_Approval", "Approved", "Rejected", "Done")),
    }
