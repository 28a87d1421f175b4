"""The table ``[plugins.linkedin]`` of ``aie.toml``."""

from __future__ import annotations

import re
from datetime import time
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from aie.errors import ParameterError
from aie.paths import path_parts
from aie.touches import Touches
from aie_linkedin.urns import organization_urn


def _folder(text: str) -> str:
    try:
        return "/".join(path_parts(text))
    except ParameterError as error:
        raise ValueError(f"{error}; {error.hint}") from None


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname or "")):
        return text.rstrip("/")
    raise ValueError("write an address that begins with https://, because the token is sent to it")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _version(text: str) -> str:
    if text == "auto" or re.fullmatch(r"20\d\d(0[1-9]|1[0-2])", text):
        return text
    raise ValueError("write 'auto', or a version of LinkedIn's API as year and month, such as '202609'")


def _time(text: str) -> str:
    try:
        return time.fromisoformat(text).strftime("%H:%M")
    except ValueError:
        raise ValueError("write a time of day such as '09:00'") from None


Folder = Annotated[str, AfterValidator(_folder)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]


class LinkedinSettings(BaseModel):
    """How LinkedIn is reached, which pages are read, and where scheduled posts wait as notes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    access_token: SecretStr | None = Field(
        default=None, description="a token from elsewhere; usually aie connect linkedin stores one"
    )
    api_version: Annotated[str, AfterValidator(_version)] = Field(
        default="auto", description="the API version; auto takes one that LinkedIn still serves", examples=["202609"]
    )
    organizations: list[Annotated[str, AfterValidator(organization_urn)]] = Field(
        default=[],
        description="company pages whose posts become linkedin_post events, if LinkedIn lets the app read them",
        examples=[["2414183"]],
    )
    organization_interval_s: float = Field(
        default=900, ge=1, le=86_400, description="seconds between two looks at those pages"
    )
    scheduled_folder: Folder = Field(
        default="LinkedIn/Scheduled", description="notes with a date here become drafts when that has come"
    )
    scheduled_time: Annotated[str, AfterValidator(_time)] = Field(
        default="09:00", description="the time of day for notes whose date has none"
    )
    scan_interval_s: float = Field(default=10, ge=0.2, le=3600, description="seconds between two looks at those notes")
    late_days: int = Field(
        default=7, ge=0, le=365, description="notes whose date is longer ago than this are left alone"
    )
    redirect_port: int = Field(
        default=8765,
        ge=1,
        le=65_535,
        description="port of the redirect address http://localhost:PORT/callback that the app has registered",
    )
    timeout_s: float = Field(default=30, gt=0, le=300, description="seconds LinkedIn has to answer one request")
    picture_wait_s: float = Field(
        default=3, ge=0, le=60, description="seconds between uploading pictures and publishing them"
    )
    look_again_after_s: float = Field(
        default=5, ge=0, le=60, description="seconds before the same post is sent once more when an answer was lost"
    )
    api_url: BaseUrl = Field(default="https://api.linkedin.com", description="LinkedIn's API; another one for tests")
    oauth_url: BaseUrl = Field(
        default="https://www.linkedin.com/oauth/v2", description="where access is given; another one for tests"
    )

    @property
    def servers(self) -> Touches:
        """Where LinkedIn is."""
        return Touches.at(self.api_url, self.oauth_url)
