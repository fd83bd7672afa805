"""Starts, asks, kills and stops one Izin server on a scratch directory.

For the scripts beside it; Python's standard library only. Everything stays on 127.0.0.1.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
START_S = 60
STOP_S = 30


class ServerError(Exception):
    """The server did not do what a process must do."""


def build():
    """Builds the release binary and returns where it is."""
    done = subprocess.run(
        ["cargo", "build", "--release", "--locked", "--bin", "izin",
         "--message-format=json-render-diagnostics"],
        cwd=PROJECT, stdout=subprocess.PIPE, check=True, text=True,
    )
    artifacts = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    binaries = [a["executable"] for a in artifacts if a.get("executable")]
    if not binaries:
        raise ServerError("cargo built no binary")
    return binaries[-1]


class Answer:
    """One HTTP answer, read to its end."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The problem code, if this is a problem."""
        if self.headers.get("Content-Type", "").startswith("application/problem+json"):
            return self.json.get("code")
        return None


class Client:
    """One connection, kept open. Not for two threads at once."""

    def __init__(self, address, key, timeout_s=30):
        self.address, self.key, self.timeout_s = address, key, timeout_s
        self.connection = None

    def ask(self, method, path, body=None, headers=None):
        """Sends one request and returns its answer. `body` is JSON, or bytes as they are."""
        headers = {"Authorization": f"Bearer {self.key}"} | (headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body, ensure_ascii=False).encode()
            headers.setdefault("Content-Type", "application/json")
        self.open()
        try:
            self.connection.request(method, path, body, headers)
            reply = self.connection.getresponse()
            answer = Answer(reply.status, reply.headers, reply.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if reply.will_close:
            self.close()
        return answer

    def get(self, path):
        return self.ask("GET", path)

    def stream(self, path, chunks, content_type):
        """Posts a body of unknown length while reading the answer, as both may be endless."""
        self.open()
        self.connection.putrequest("POST", path)
        for name, value in (("Authorization", f"Bearer {self.key}"),
                            ("Content-Type", content_type), ("Transfer-Encoding", "chunked")):
            self.connection.putheader(name, value)
        self.connection.endheaders()
        sender = threading.Thread(target=self.send_chunks, args=(chunks,), daemon=True)
        sender.start()
        reply = self.connection.getresponse()
        answer = Answer(reply.status, reply.headers, reply.read())
        self.close()
        sender.join(self.timeout_s)
        return answer

    def send_chunks(self, chunks):
        sock = self.connection.sock
        try:
            for chunk in chunks:
                sock.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            sock.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # The server answered early and closed; its answer says why.

    def open(self):
        if self.connection is None:
            host, port = self.address.rsplit(":", 1)
            self.connection = http.client.HTTPConnection(host, int(port), timeout=self.timeout_s)

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Server:
    """One server process. Use it as a context manager: it never outlives the block."""

    def __init__(self, binary, data, settings=None, under=()):
        self.binary, self.data, self.under = binary, Path(data), list(under)
        # Settings of whoever runs the script must not reach the server.
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("IZIN_")}
        self.env |= {"IZIN_DATA_DIR": str(self.data), "IZIN_LISTEN": "127.0.0.1:0"}
        self.env |= settings or {}
        self.log = self.data.parent / f"{self.data.name}.log"
        self.process = None
        self.address = None
        self.key = None

    def start(self):
        """Starts the process, waits until it is ready, and returns how long that took in seconds."""
        address_file = self.data / "listen.addr"
        address_file.unlink(missing_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.under, str(self.binary), "serve"], env=self.env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        while time.monotonic() - began < START_S:
            if self.process.poll() is not None:
                raise ServerError(f"the server ended with {self.process.returncode}\n{self.tail()}")
            if self.is_ready(address_file):
                return time.monotonic() - began
            time.sleep(0.01)
        raise ServerError(f"the server was not ready after {START_S} s\n{self.tail()}")

    def is_ready(self, address_file):
        try:
            self.address = address_file.read_text().strip()
            self.key = (self.data / "admin.key").read_text().strip()
            if ":" not in self.address or not self.key:
                return False
            client = self.client(timeout_s=2)
            status = client.get("/readyz").status
            client.close()
            return status == 200
        except (OSError, http.client.HTTPException):
            return False

    def client(self, timeout_s=30):
        return Client(self.address, self.key, timeout_s)

    def kill(self):
        """kill -9: no warning, no flush."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self):
        """Asks the server to end, and returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise ServerError(f"the server did not end within {STOP_S} s\n{self.tail()}") from error
        self.process = None
        return status

    def command(self, *arguments):
        """Runs another command of the binary on the same data, and returns (status, output)."""
        done = subprocess.run(
            [str(self.binary), *arguments], env=self.env, text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
        )
        return done.returncode, done.stdout

    def memory_kib(self, field="VmRSS"):
        """Returns a size from the kernel's view of the process."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
        raise ServerError(f"the kernel gives no {field}")

    def tail(self, lines=15):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def end_on_signals():
    """Lets SIGTERM and SIGHUP unwind like an error, so that context managers clean up."""
    def unwind(number, _):
        sys.exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, unwind)


def put_registry(client):
    """Puts the smallest registry that decisions need; returns the answers in order."""
    topics = {
        "promotions": ("Offers and news", "marketing"),
        "order_updates": ("Order updates", "utility"),
        "appointments": ("Appointments", "utility"),
    }
    calls = [(f"/v1/topics/{topic}", {"name": name, "category": category})
             for topic, (name, category) in topics.items()]
    calls += [
        ("/v1/portfolios/main", {"name": "Example Shop", "messaging_limit": None}),
        (f"/v1/senders/{SENDER}", {"portfolio": "main", "number": "+12025550199",
                                   "status": "CONNECTED", "quality": "GREEN"}),
        ("/v1/templates/spring_sale/en", {"topic": "promotions", "category": "marketing",
                                          "status": "APPROVED"}),
        ("/v1/templates/order_shipped/en", {"topic": "order_updates", "category": "utility",
                                            "status": "APPROVED"}),
    ]
    for statement, place in STATEMENTS.items():
        calls.append((f"/v1/statements/{statement}", {
            "business_name": "Example Shop",
            "texts": {
                "en": f"Example Shop may message me on WhatsApp ({place}). I can stop any time.",
                "id": f"Example Shop boleh mengirimi saya pesan WhatsApp ({place}).",
            },
            "topics": list(topics),
        }))
    return [(path, client.ask("PUT", path, body)) for path, body in calls]


SENDER = "100000000000001"
STATEMENTS = {
    "signup-web": "web site",
    "signup-checkout": "checkout",
    "signup-poster": "poster",
    "signup-paper": "paper form",
}
