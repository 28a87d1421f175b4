"""A LinkedIn to test against: over real HTTP, as strict as the documentation and other projects' bug reports say.

It keeps what it *understood*, so a test reads what people would see, not what was sent.
``python plugins/linkedin/tests/linkedin_server.py`` runs one to play with.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

RESERVED = frozenset(r"\|{}@[]()<>#*_~")
REQUIRED = ("author", "commentary", "visibility", "distribution", "lifecycleState")
TEMPLATE = re.compile(r"\{hashtag\|\\?[#＃]\|((?:\\.|[^\\{}|@\[\]()<>#*_~])+)\}", re.DOTALL)
MENTION = re.compile(r"@\[((?:\\.|[^\\\]])+)\]\(urn:li:(?:person|organization):[\w-]+\)", re.DOTALL)
TOKEN = "the-token-of-the-owner"
CLIENT = ("the-client-id", "the-client-secret")
MEMBER = "urn:li:person:a1B2c3D4e5"
PAGE = "urn:li:organization:2414183"
SCOPES = ("openid", "profile", "email", "w_member_social")
REFUSALS = {
    "revoked": (65601, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user"),
    "fresh": (65601, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user"),
    "expired": (65602, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired"),
    "unknown": (65600, "INVALID_ACCESS_TOKEN", "Invalid access token"),
}


def understood(commentary: str) -> tuple[str, list[str], list[str]]:
    """The text LinkedIn publishes for little text, its hashtags and its mentions: all before what it cannot parse."""
    text, tags, names, at = "", [], [], 0
    while at < len(commentary):
        char = commentary[at]
        if char == "\\" and commentary[at + 1 : at + 2] in RESERVED and at + 1 < len(commentary):
            text, at = text + commentary[at + 1], at + 2
        elif found := TEMPLATE.match(commentary, at):
            tags.append(unescaped(found[1]))
            text, at = f"{text}#{tags[-1]}", found.end()
        elif found := MENTION.match(commentary, at):
            names.append(unescaped(found[1]))
            text, at = text + names[-1], found.end()
        elif found := re.compile(r"#([^\W_]+)").match(commentary, at):
            tags.append(found[1])
            text, at = text + found[0], found.end()
        elif char in RESERVED:
            break
        else:
            text, at = text + char, at + 1
    return text, tags, names


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


@dataclass
class Post:
    """One that was published. ``text`` is what people see."""

    urn: str
    text: str
    hashtags: list[str]
    mentions: list[str]
    author: str
    visibility: str
    commentary: str
    content: dict[str, Any]
    made_ms: int


@dataclass
class LinkedinServer:
    """``faults`` are taken one by one by requests that change something; see :meth:`Handler.fault`."""

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)  # "POST /rest/posts 202609"
    active: set[str] = field(default_factory=lambda: {"202607", "202609"})
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    tokens: dict[str, str] = field(default_factory=lambda: {TOKEN: "active"})
    fresh_until: float = 0.0
    granted: tuple[str, ...] | None = None  # what the consent page gives; None: what was asked for
    redirect: str = "http://localhost:8765/callback"
    codes: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    not_ready: int = 0  # so many times the pictures are still being processed
    let_go: threading.Event = field(default_factory=threading.Event)
    lock: Any = field(default_factory=threading.RLock)

    @property
    def texts(self) -> list[str]:
        return [post.text for post in self.posts]

    @property
    def settings(self) -> dict[str, Any]:
        """What the plugin's settings are, to use this server."""
        return {"api_url": self.url, "oauth_url": f"{self.url}/oauth/v2", "picture_wait_s": 0, "look_again_after_s": 0}

    @property
    def toml(self) -> str:
        lines = (f"{name} = {json.dumps(value)}" for name, value in self.settings.items())
        return "[plugins.linkedin]\n" + "\n".join(lines) + "\n"

    def publish(self, author: str, commentary: str, **more: Any) -> Post:
        text, tags, names = understood(commentary)
        number = 7141138937766391808 + len(self.posts) + len(self.deleted)
        post = Post(
            f"urn:li:share:{number}", text, tags, names, author, more.get("visibility", "PUBLIC"), commentary,
            more.get("content") or {}, int(time.time() * 1000),
        )  # fmt: skip
        self.posts.append(post)
        return post


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    linkedin: LinkedinServer

    def do_GET(self) -> None:
        self.serve()

    def do_POST(self) -> None:
        self.serve()

    def do_PUT(self) -> None:
        self.serve()

    def do_DELETE(self) -> None:
        self.serve()

    def serve(self) -> None:
        held = False
        with self.linkedin.lock:
            try:
                self.route()
            except AnswerError as answer:
                self.reply(answer.status, answer.data, answer.headers)
            except CutOffError:
                self.close_connection = True
            except HeldError:
                held = True
        if held:
            self.linkedin.let_go.wait(30)
            self.close_connection = True

    def route(self) -> None:
        address = urlsplit(self.path)
        path, self.query = address.path, {name: values[0] for name, values in parse_qs(address.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        version = self.headers.get("LinkedIn-Version", "")
        self.linkedin.requests.append(f"{self.command} {unquote(path)} {version}".strip())
        if path.startswith("/oauth/v2/"):
            self.oauth(path)
        self.check_token()
        if path == "/v2/userinfo":
            self.need("openid", "userinfo.GET")
            raise AnswerError(200, {"sub": MEMBER.rpartition(":")[2], "name": "Ada Brown", "email": "ada@example.com"})
        if path.startswith("/upload/"):
            self.take_picture(path)
        if path.startswith("/rest/"):
            self.check_version(version)
            self.rest(path)
        raise AnswerError(404, {"status": 404, "message": f"No virtual resource found at {path}"})

    # --- the gate ----------------------------------------------------------------------------------------------

    def check_token(self) -> None:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        state = self.linkedin.tokens.get(token, "unknown") if kind == "Bearer" else "unknown"
        if state == "fresh" and time.monotonic() >= self.linkedin.fresh_until:
            state = "active"
        if state != "active":
            number, code, message = REFUSALS[state]
            raise AnswerError(401, {"status": 401, "serviceErrorCode": number, "code": code, "message": message})

    def check_version(self, version: str) -> None:
        if not version:
            raise AnswerError(400, {"status": 400, "code": "VERSION_MISSING", "message": "A version must be present."})
        if version not in self.linkedin.active:
            message = f"Requested version {version} is not active"
            raise AnswerError(426, {"status": 426, "code": "NONEXISTENT_VERSION", "message": message})
        if self.headers.get("X-Restli-Protocol-Version") != "2.0.0":
            raise AnswerError(400, {"status": 400, "message": "Invalid X-RestLi-Protocol-Version"})

    def need(self, scope: str, what: str) -> None:
        if scope not in self.linkedin.scopes:
            message = f"Not enough permissions to access: {what}"
            raise AnswerError(
                403, {"status": 403, "serviceErrorCode": 100, "code": "ACCESS_DENIED", "message": message}
            )

    def fault(self, *names: str) -> str:
        """The next fault, if it is one of these: '500' and '429' before anything happens, 'after' for 500 after it
        happened, 'cut' for an answer that is lost after it happened, 'hold' for one that comes only after ``let_go``,
        'unnamed' for one that names no post; 'cancelled' for a person who does not agree."""
        if self.linkedin.faults and self.linkedin.faults[0] in names:
            return self.linkedin.faults.pop(0)
        return ""

    # --- the resources -----------------------------------------------------------------------------------------

    def rest(self, path: str) -> None:
        parts = [unquote(part) for part in path.split("/")[2:]]
        match self.command, parts:
            case "POST", ["posts"]:
                self.create_post()
            case "GET", ["posts"]:
                self.find_posts()
            case "DELETE", ["posts", urn]:
                self.delete_post(urn)
            case "POST", ["images"] if self.query.get("action") == "initializeUpload":
                self.begin_upload()
            case "POST", ["socialActions", urn, "comments"]:
                self.create_comment(urn)
            case "GET", ["socialActions", urn, "comments"]:
                self.need("r_member_social", "socialActions.GET")
                found = [one for one in self.linkedin.comments if one["object"] == urn]
                raise AnswerError(200, {"elements": found})

    def create_post(self) -> None:
        data = json.loads(self.body)
        missing = [name for name in REQUIRED if name not in data]
        if missing:
            lines = "\n".join(
                f"ERROR :: /{name} :: field is required but not found and has no default" for name in missing
            )
            raise AnswerError(422, {"status": 422, "message": f"{lines}\n"})
        self.need("w_organization_social" if ":organization:" in data["author"] else "w_member_social", "posts.CREATE")
        if self.fault("429"):
            raise AnswerError(
                429, {"status": 429, "serviceErrorCode": 101, "message": "Resource level throttle limit reached"}
            )
        if self.fault("500"):
            raise AnswerError(500, {"status": 500, "message": "Internal Server Error"})
        self.check_content(data.get("content") or {})
        text = understood(data["commentary"])[0]
        same = [post for post in self.linkedin.posts if (post.author, post.text) == (data["author"], text)]
        if same:
            raise AnswerError(422, duplicate_of(same[0].urn))
        post = self.linkedin.publish(
            data["author"], data["commentary"], visibility=data["visibility"], content=data.get("content")
        )
        if self.fault("after"):
            raise AnswerError(500, {"status": 500, "message": "Internal Server Error"})
        if self.fault("cut"):
            raise CutOffError
        if self.fault("hold"):
            raise HeldError
        raise AnswerError(201, None, {} if self.fault("unnamed") else {"x-restli-id": post.urn})

    def check_content(self, content: dict[str, Any]) -> None:
        images = [content["media"]] if "media" in content else content.get("multiImage", {}).get("images", [])
        for image in images:
            if image["id"] not in self.linkedin.pictures:
                raise AnswerError(400, {"status": 400, "message": f"{image['id']} has no picture"})
        if images and self.linkedin.not_ready:
            self.linkedin.not_ready -= 1
            raise AnswerError(400, {"status": 400, "message": f"Media asset {images[0]['id']} is still processing"})
        if "article" in content and not content["article"].get("title"):
            raise AnswerError(422, {"status": 422, "message": "ERROR :: /content/article/title :: field is required"})

    def find_posts(self) -> None:
        self.need("r_organization_social", "posts.FINDER-author")
        if self.headers.get("X-RestLi-Method") != "FINDER" or self.query.get("q") != "author":
            raise AnswerError(400, {"status": 400, "message": "not a finder"})
        elements = [
            {
                "id": post.urn, "author": post.author, "commentary": post.commentary, "visibility": post.visibility,
                "lifecycleState": "PUBLISHED", "publishedAt": post.made_ms, "createdAt": post.made_ms,
            }
            for post in reversed(self.linkedin.posts) if post.author == self.query["author"]
        ]  # fmt: skip
        raise AnswerError(200, {"elements": elements, "paging": {"start": 0, "count": 50}})

    def delete_post(self, urn: str) -> None:
        if self.fault("500"):
            raise AnswerError(500, {"status": 500, "message": "Internal Server Error"})
        if any(post.urn == urn for post in self.linkedin.posts):
            self.linkedin.posts = [post for post in self.linkedin.posts if post.urn != urn]
            self.linkedin.deleted.append(urn)
        raise AnswerError(204, None)

    def begin_upload(self) -> None:
        self.need("w_member_social", "images.initializeUpload")
        urn = f"urn:li:image:C4E10AQ{uuid.uuid4().hex[:12]}"
        value = {"uploadUrl": f"{self.linkedin.url}/upload/{urn}", "image": urn, "uploadUrlExpiresAt": 0}
        assert "owner" in json.loads(self.body)["initializeUploadRequest"]
        raise AnswerError(200, {"value": value})

    def take_picture(self, path: str) -> None:
        if "Content-Length" not in self.headers or not self.body:
            raise AnswerError(411, {"status": 411, "message": "the picture comes in one piece"})
        self.linkedin.pictures[unquote(path.rpartition("/")[2])] = self.body
        raise AnswerError(201, None)

    def create_comment(self, urn: str) -> None:
        self.need("w_member_social", "socialActions.comments.CREATE")
        data = json.loads(self.body)
        if self.fault("500"):
            raise AnswerError(500, {"status": 500, "message": "Internal Server Error"})
        comment_urn = f"urn:li:comment:({urn},{6000000000000000000 + len(self.linkedin.comments)})"
        self.linkedin.comments.append({**data, "commentUrn": comment_urn})
        if self.fault("after"):
            raise AnswerError(500, {"status": 500, "message": "Internal Server Error"})
        raise AnswerError(201, {"commentUrn": comment_urn}, {"x-restli-id": comment_urn})

    # --- consent -----------------------------------------------------------------------------------------------

    def oauth(self, path: str) -> None:
        form = {name: values[0] for name, values in parse_qs(self.body.decode()).items()}
        match path.rpartition("/")[2]:
            case "authorization":
                self.consent()
            case "accessToken":
                self.give_token(form)
            case "introspectToken":
                self.check_client(form)
                state = self.linkedin.tokens.get(form["token"])
                ends = int(time.time()) + 20 * 86_400
                active = state in ("active", "fresh")
                more = {"scope": ",".join(sorted(self.linkedin.scopes)), "expires_at": ends} if active else {}
                raise AnswerError(200, {"active": active, "status": state or "unknown", **more})

    def consent(self) -> None:
        if self.query.get("redirect_uri") != self.linkedin.redirect:
            raise AnswerError(400, {"message": "The redirect_uri does not match the registered value"})
        asked = self.query["scope"].split()
        missing = [scope for scope in asked if scope not in self.linkedin.scopes]
        back = {"state": self.query["state"]}
        if self.fault("cancelled"):
            back |= {"error": "user_cancelled_authorize", "error_description": "The user cancelled the authorization"}
        elif missing:
            back |= {
                "error": "unauthorized_scope_error",
                "error_description": f'Scope "{missing[0]}" is not authorized for your application',
            }
        else:
            code = uuid.uuid4().hex
            self.linkedin.codes.add(code)
            back["code"] = code
        raise AnswerError(302, None, {"Location": f"{self.linkedin.redirect}?{urlencode(back)}"})

    def check_client(self, form: dict[str, str]) -> None:
        if (form.get("client_id"), form.get("client_secret")) != CLIENT:
            raise AnswerError(401, {"error": "invalid_client", "error_description": "Client authentication failed"})

    def give_token(self, form: dict[str, str]) -> None:
        self.check_client(form)
        if form.get("code") not in self.linkedin.codes or form.get("redirect_uri") != self.linkedin.redirect:
            raise AnswerError(400, {"error": "invalid_request", "error_description": "Unable to retrieve access token"})
        self.linkedin.codes.discard(form["code"])
        token = f"token-{uuid.uuid4().hex}"
        self.linkedin.tokens[token] = "fresh" if self.linkedin.fresh_until else "active"
        scope = ",".join(self.linkedin.granted or sorted(self.linkedin.scopes))
        raise AnswerError(200, {"access_token": token, "expires_in": 5_184_000, "scope": scope, "token_type": "Bearer"})

    # --- the wire ----------------------------------------------------------------------------------------------

    def reply(self, status: int, data: object, headers: dict[str, str]) -> None:
        text = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        pass


class AnswerError(Exception):
    def __init__(self, status: int, data: object, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.data, self.headers = status, data, headers or {}


class CutOffError(Exception):
    """The connection ends without an answer."""


class HeldError(Exception):
    """No answer comes until a test lets go."""


def duplicate_of(urn: str) -> dict[str, Any]:
    return {
        "errorDetailType": "com.linkedin.common.error.BadRequest",
        "message": f"Duplicate post is detected. Content is a duplicate of {urn}",
        "errorDetails": {
            "inputErrors": [{"description": "Duplicate post is detected", "input": {}, "code": "DUPLICATE_POST"}]
        },
        "status": 422,
    }


@contextmanager
def serving(port: int = 0) -> Iterator[LinkedinServer]:
    """The server, on a port of its own, until the end of the block."""
    state = LinkedinServer()
    handler = type("BoundHandler", (Handler,), {"linkedin": state})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    with serving() as shown:
        print(shown.toml)
        print(f"The token is {TOKEN}. Ctrl-C stops it.")
        threading.Event().wait()
