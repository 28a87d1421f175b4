"""The table ``[plugins.odoo]`` of ``aie.toml``."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from aie.touches import Touches


def server_address(text: str) -> str:
    """``https://odoo.example.com`` from what a person may write: without a scheme, with a page's path behind it."""
    text = text.strip()
    if not text:
        return ""
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError(f"{text!r} is not the address of a server; write it like https://odoo.example.com")
    path = parts.path.rstrip("/")
    for page in ("/web", "/odoo", "/jsonrpc", "/xmlrpc", "/json"):  # what the browser, or an example, shows
        if path == page or path.startswith(f"{page}/"):
            path = ""
    return f"{parts.scheme}://{parts.netloc}{path}"


class OdooSettings(BaseModel):
    """Which server, and what is watched there. ``aie connect odoo`` fills in the first ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(server_address)] = Field(
        default="", description="the server's address", examples=["https://odoo.example.com"]
    )
    database: str = Field(default="", description="the database on that server")
    user: str = Field(default="", description="the login of the user aie works as")
    api_key: SecretStr | None = Field(
        default=None, description="that user's API key or password; from AIE_ODOO__API_KEY, never from a file"
    )
    company_id: int | None = Field(
        default=None, ge=1, description="the company to work in, where there are several; else the user's own"
    )
    watch: frozenset[Literal["invoices", "expenses"]] = Field(
        default=frozenset({"invoices", "expenses"}), description="what becomes events while aie start runs"
    )
    invoice_created_when: Literal["posted", "draft"] = Field(
        default="posted",
        description="when invoice_created is told: once an invoice is posted, or as soon as there is a draft",
    )
    poll_interval_s: float = Field(default=60, ge=0.1, le=86_400, description="seconds between two looks at the server")
    poll_overlap_s: float = Field(
        default=600,
        ge=0,
        le=86_400,
        description="how far back each look goes again; longer than the longest import that runs on the server",
    )
    timeout_s: float = Field(default=60, ge=0.1, le=600, description="seconds one request may take")
    settle_s: float = Field(
        default=15,
        ge=0,
        le=300,
        description="how long to keep looking for a record whose creation got no answer, before it counts as not made",
    )
    key_field: Literal["invoice_origin", "ref"] = Field(
        default="invoice_origin",
        description="the field of an invoice that carries aie's key (AIE-…); invoice_origin is printed as the source",
    )
    expense_product: str = Field(
        default="EXP_GEN", description="the code of the category for expenses that name none; '' leaves it out"
    )

    @property
    def servers(self) -> Touches:
        """Where Odoo is."""
        return Touches.at(self.url or "your Odoo server")
