"""Runs a PostgreSQL server on a scratch directory, for as long as a block runs.

Durable as it comes: fsync and synchronous_commit are on. Only loopback, and never as root.
"""

import os
import pwd
import signal
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
START_S = 30
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
}


def as_other_user():
    """Returns what makes a child run as `postgres` if this is root, who may not run a database."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Postgres:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.process = None
        self.port = None

    def __enter__(self):
        self.folder.mkdir()
        user = as_other_user()
        if user:
            os.chown(self.folder, user["user"], user["group"])
        subprocess.run(
            [PROGRAMS / "initdb", "-D", self.folder / "db", "-U", "bench", "--auth=trust",
             "--encoding=UTF8", "--locale=C"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", **user,
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAMS / "postgres", "-D", self.folder / "db", f"--port={self.port}", *settings],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **user,
            )
        deadline = time.monotonic() + START_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError(f"PostgreSQL did not start\n{(self.folder / 'log').read_text()}")
            time.sleep(0.1)
        return self

    def is_ready(self):
        done = subprocess.run(
            [PROGRAMS / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False)
        return done.returncode == 0

    @property
    def database(self):
        return f"host=127.0.0.1 port={self.port} user=bench dbname=postgres"

    def psql(self, query):
        """Returns the one value that a query gives."""
        done = subprocess.run(
            [PROGRAMS / "psql", "-qtAX", "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench",
             "-d", "postgres", "-c", query],
            check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # "Fast shutdown."
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
