"""The settings for commands that work within a vault and outside of any."""

from __future__ import annotations

import os
from pathlib import Path

from aie.config import Config, find_vault
from aie.errors import ConfigError


def config_anywhere(vault: Path | None) -> Config:
    """The settings of the vault given or around us; all defaults where there is no vault."""
    if vault is None:
        try:
            vault = find_vault(Path.cwd(), os.environ)
        except ConfigError:
            if os.environ.get("AIE_VAULT"):
                raise
            vault = Path.cwd()
    return Config.load(vault, os.environ)
