"""The table ``[plugins.parcels]`` of ``aie.toml``."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")):
        return text.rstrip("/")
    raise ValueError("write an address that begins with https://, because the token is sent to it")


class ParcelsSettings(BaseModel):
    """How Parcels is reached, and how often it is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_address)] = Field(
        default="https://parcels.example/api", description="where its API is; another one for tests"
    )
    interval_s: float = Field(default=60, ge=1, le=86_400, description="seconds between two looks for what is new")
    timeout_s: float = Field(default=30, gt=0, le=300, description="seconds Parcels has to answer one request")
    # A secret is never taken from aie.toml: it is here so that the variable AIE_PARCELS__TOKEN is known.
    token: SecretStr | None = Field(
        default=None, description="a token from elsewhere; usually aie connect parcels stores one"
    )
