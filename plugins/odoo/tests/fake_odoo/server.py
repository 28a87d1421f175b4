"""The server: HTTP, and the shapes of answers and errors of each protocol, as they were captured."""

from __future__ import annotations

import json
import threading
import xmlrpc.client
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.parsers.expat import ExpatError

from fake_odoo import methods
from fake_odoo.database import Database, Row
from fake_odoo.errors import AccessDeniedError, DatabaseMissingError, OdooError, name_of, traceback_of
from fake_odoo.methods import OF_THE_MODEL, REQUIRED, UnknownMethodError, UnknownModelError

PAGE_NOT_FOUND = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"
NO_DATABASE = (
    "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No database is selected and the"
    " requested URL was not found in the server-wide controllers.</p>\n"
)
POSITIONAL = {
    "create": ["vals_list"], "write": ["vals"], "search": ["domain"], "search_read": ["domain"],
    "search_count": ["domain"], "check_access_rights": ["operation"], "fields_get": ["allfields"], "read": ["fields"],
}  # fmt: skip


class Server:
    """One server with one database, on a free port of this machine."""

    def __init__(self, database: Database) -> None:
        self.db = database
        self.calls: list[tuple[str, str]] = []  # (model.method, protocol), in order
        self.before: dict[str, Callable[[], None]] = {}  # run before a call of model.method; may raise
        self.after: dict[str, Callable[[], None]] = {}  # run after a call was carried out, before its answer
        self.lost: set[str] = set()  # model.method that are carried out and then not answered, once
        self.statuses: dict[str, int] = {}  # model.method that a proxy answers instead, once
        self.list_databases = True
        self.buttons = dict(methods.BUTTONS)
        self.general = dict(methods.GENERAL)
        self.lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"server_": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def called(self, name: str) -> int:
        return sum(one == name for one, _ in self.calls)

    def uid_of(self, login: str, secret: str) -> int | bool:
        if secret in self.db.api_keys:
            uid = self.db.api_keys[secret]
            return uid if self.db.rows["res.users"][uid]["login"] == login else False
        uid, password = self.db.passwords.get(login, (0, ""))
        return uid if uid and password == secret else False

    def knows(self, uid: Any, secret: str) -> bool:
        logins = [row["login"] for row in self.db.rows["res.users"].values() if row["id"] == uid]
        return bool(logins) and self.uid_of(logins[0], secret) == uid

    def method(self, proto: str, uid: int, model: str, method: str, ids: Any, named: Row, context: Row) -> Any:
        """One call in a transaction of its own; the name of a call to be lost is left in ``lost_now``."""
        self.calls.append((f"{model}.{method}", proto))
        if hook := self.before.pop(f"{model}.{method}", None):
            hook()
        with self.lock:
            return methods.call(self.db, uid, model, method, ids, named, context, self)

    # --- services, as XML-RPC and JSON-RPC share them -------------------------------------------------------------

    def service(self, service: str, method: str, arguments: list[Any], proto: str) -> Any:
        version = "17.0-20240709" if self.db.version == 17 else f"{self.db.version}.0"
        if (service, method) == ("common", "version"):
            info = [self.db.version, 0, 0, "final", 0, ""]
            serie = f"{self.db.version}.0"
            told = {"server_version": version, "server_version_info": info, "server_serie": serie}
            return told | {"protocol_version": 1}
        if (service, method) in (("common", "authenticate"), ("common", "login")):
            if len(arguments) < 4 and method == "authenticate":
                raise TypeError("exp_authenticate() missing 1 required positional argument: 'user_agent_env'")
            self.check_database(arguments[0])
            return self.uid_of(arguments[1], arguments[2])
        if (service, method) == ("db", "list"):
            if not self.list_databases:
                raise AccessDeniedError("Access Denied")
            return [self.db.name]
        if (service, method) == ("db", "server_version"):
            return version
        if (service, method) == ("object", "execute_kw"):
            return self.execute_kw(proto, *arguments)
        raise Exception(f"Method not found: {method}")

    def execute_kw(
        self, proto: str, database: str, uid: Any, secret: str, model: str, method: str,
        args: list[Any], kwargs: Row | None = None,
    ) -> Any:  # fmt: skip
        self.check_database(database)
        if not self.knows(uid, secret):
            raise AccessDeniedError("Access Denied")
        named = dict(kwargs or {})
        context = named.pop("context", None) or {}
        positional = list(args)
        ids = None if method in OF_THE_MODEL else positional.pop(0)
        named = dict(zip(POSITIONAL.get(method, []), positional, strict=False)) | named
        try:
            return self.method(proto, uid, model, method, ids, named, context)
        except UnknownModelError:
            raise methods.UserError(f"Object {model} doesn't exist") from None
        except UnknownMethodError:
            where = "" if self.db.version >= 19 else f" on the model '{model}'"
            shown = f"{model}.{method}" if self.db.version >= 19 else method
            raise AttributeError(f"The method '{shown}' does not exist{where}") from None

    def check_database(self, name: str) -> None:
        if name != self.db.name:
            raise DatabaseMissingError(
                f'connection to server at "127.0.0.1", port 55432 failed: FATAL:  database "{name}" does not exist'
            )


class Handler(BaseHTTPRequestHandler):
    """Takes requests. Odoo without workers closes every connection after its answer."""

    server_: Server
    server_version = "Werkzeug/2.2.2 Python/3.11.2"
    sys_version = ""

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        version = self.server_.db.version
        if self.path in ("/web/version", "/json/version") and version >= 19:
            self.json(200, {"version_info": [version, 0, 0, "final", 0, ""], "version": f"{version}.0"})
        elif self.path.startswith("/json/2/") and version >= 19:
            self.json2_error("werkzeug.exceptions.NotFound", "Did you mean POST /json/2/<model>/<method>?", 404)
        elif self.path == "/jsonrpc":
            self.send(400, "Invalid JSON data", "text/html; charset=utf-8")
        else:
            self.send(404, PAGE_NOT_FOUND, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/xmlrpc/2/"):
            self.xmlrpc(self.path.removeprefix("/xmlrpc/2/"), body)
        elif self.path == "/jsonrpc":
            self.jsonrpc(body)
        elif self.path.startswith("/json/2/") and self.server_.db.version >= 19:
            self.json2(self.path.removeprefix("/json/2/").split("/"), body)
        else:
            self.send(404, PAGE_NOT_FOUND, "text/html; charset=utf-8")

    # --- XML-RPC --------------------------------------------------------------------------------------------------

    def xmlrpc(self, service: str, body: bytes) -> None:
        name = ""
        try:
            arguments, method = xmlrpc.client.loads(body)
            name = f"{arguments[3]}.{arguments[4]}" if method == "execute_kw" else f"{service}.{method}"
            if self.proxied(name):
                return
            result = self.server_.service(service, str(method), list(arguments), "xmlrpc")
            if self.lose(name):
                return
            try:
                answer = xmlrpc.client.dumps((result,), methodresponse=True)
            except TypeError as error:  # committed, and then this
                answer = xmlrpc.client.dumps(xmlrpc.client.Fault(1, traceback_of(error)))
        except (OdooError, Exception, ExpatError) as error:
            code = error.fault_code if isinstance(error, OdooError) else 1
            text = str(error) if code != 1 else traceback_of(error)
            answer = xmlrpc.client.dumps(xmlrpc.client.Fault(code, text))
        self.send(200, answer, "text/xml; charset=utf-8")

    # --- JSON-RPC -------------------------------------------------------------------------------------------------

    def jsonrpc(self, body: bytes) -> None:
        if "json" not in self.headers.get("Content-Type", ""):
            status = 415 if self.server_.db.version >= 19 else 400
            self.send(status, "<!doctype html>\n<html lang=en>\n", "text/html; charset=utf-8")
            return
        try:
            request = json.loads(body)
        except ValueError:
            self.send(400, "Invalid JSON data", "text/html; charset=utf-8")
            return
        answer: Row = {"jsonrpc": "2.0", "id": request.get("id")}
        try:
            params = request["params"]
            result = self.server_.service(params["service"], params["method"], params["args"], "jsonrpc")
            if result is not None:
                answer["result"] = result
        except Exception as error:
            data = {"name": name_of(error), "debug": traceback_of(error), "message": str(error)}
            data |= {"arguments": [str(error)], "context": {}}
            code = 0 if self.server_.db.version >= 19 else 200
            answer["error"] = {"code": code, "message": "Odoo Server Error", "data": data}
        self.json(200, answer, "application/json")

    # --- JSON-2 ---------------------------------------------------------------------------------------------------

    def json2(self, parts: list[str], body: bytes) -> None:
        database = self.headers.get("X-Odoo-Database", self.server_.db.name)
        if database != self.server_.db.name:
            self.send(404, NO_DATABASE, "text/html; charset=utf-8")
            return
        if "json" not in self.headers.get("Content-Type", ""):
            self.send(415, "<!doctype html>\n<html lang=en>\n", "text/html; charset=utf-8")
            return
        if len(parts) != 2:
            self.json2_error("werkzeug.exceptions.NotFound", "Did you mean POST /json/2/<model>/<method>?", 404)
            return
        name = ".".join(parts)
        if self.proxied(name):
            return
        try:
            self.json2_call(parts[0], parts[1], body, name)
        except OdooError as error:
            self.json2_error(error.name, str(error), error.status, traceback_of(error))
        except Exception as error:
            self.json2_error(name_of(error), str(error), 500, traceback_of(error))

    def json2_call(self, model: str, method: str, body: bytes, name: str) -> None:
        kind, _, key = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not key:
            said = "User not authenticated, use an API Key with a Bearer Authorization header."
            self.json2_error("werkzeug.exceptions.Unauthorized", said, 401)
            return
        if key not in self.server_.db.api_keys:
            self.json2_error("werkzeug.exceptions.Unauthorized", "Invalid apikey", 401)
            return
        try:
            named = json.loads(body or b"{}")
        except ValueError as error:
            self.json2_error("werkzeug.exceptions.BadRequest", f"could not parse the body as json: {error}", 400)
            return
        ids, context = named.pop("ids", None), named.pop("context", None) or {}
        unprocessable = "werkzeug.exceptions.UnprocessableEntity"
        if ids and method in OF_THE_MODEL:
            self.json2_error(unprocessable, f"cannot call {model}.{method} with ids", 422)
            return
        if method in REQUIRED and REQUIRED[method] not in named and model in self.server_.db.fields:
            self.json2_error(unprocessable, f"missing a required argument: '{REQUIRED[method]}'", 422)
            return
        if method == "create" and isinstance(named["vals_list"], dict):
            named["vals_list"] = [named["vals_list"]]
        uid = self.server_.db.api_keys[key]
        try:
            result = self.server_.method("json2", uid, model, method, ids or [], named, context)
        except UnknownModelError:
            self.json2_error("werkzeug.exceptions.NotFound", f"the model '{model}' does not exist", 404)
        except UnknownMethodError:
            self.json2_error("werkzeug.exceptions.NotFound", f"The method '{model}.{method}' does not exist", 404)
        else:
            if not self.lose(name):
                self.json(200, result)

    def json2_error(self, name: str, message: str, status: int, debug: str = "") -> None:
        arguments = [message] if name.startswith("odoo.") else [message, status]
        debug = debug or f"Traceback (most recent call last):\n{name}: {message}\n"
        self.json(status, {"name": name, "message": message, "arguments": arguments, "context": {}, "debug": debug})

    # --- answers, and what happens to them ------------------------------------------------------------------------

    def proxied(self, name: str) -> bool:
        """Whether a proxy answered instead of Odoo."""
        status = self.server_.statuses.pop(name, 0)
        if status:
            self.send(status, "<html>proxy</html>", "text/html", {"Retry-After": "7"} if status in (429, 503) else {})
        return bool(status)

    def lose(self, name: str) -> bool:
        """Whether the answer is lost on the way: the connection ends without one."""
        if hook := self.server_.after.pop(name, None):
            hook()
        if name not in self.server_.lost:
            return False
        self.server_.lost.discard(name)
        self.close_connection = True
        return True

    def json(self, status: int, data: Any, kind: str = "application/json; charset=utf-8") -> None:
        self.send(status, json.dumps(data), kind)

    def send(self, status: int, text: str, kind: str, headers: dict[str, str] | None = None) -> None:
        data = text.encode()
        self.send_response(status)
        for header, value in {"Content-Type": kind, "Connection": "close", **(headers or {})}.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
