#!/usr/bin/env python3
"""Kills a server under load and counts what was acknowledged and is gone: scripts/crash.

Acknowledgements are noted in this process, outside of the server. After each kill the server must
start by itself, and each acknowledged opt-in must be there under its number with its seq. Some of
all earlier rounds are asked for again in each round, all of them after the last one.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote

from server import Server, ServerError, build, end_on_signals, put_registry

LOAD_S = (0.15, 1.2)
OLDER_PER_ROUND = 500
READERS = 8


class Load:
    """Clients that record opt-ins until the connection breaks."""

    def __init__(self, server, clients, round_number):
        self.server, self.round = server, round_number
        self.acknowledged = [[] for _ in range(clients)]
        self.refused = []
        self.threads = [threading.Thread(target=self.write, args=(worker,))
                        for worker in range(clients)]

    def write(self, worker):
        client = self.server.client(timeout_s=5)
        for at in range(10_000):
            # 0890 is handed out to no operator: round, client and count make each number new.
            number = f"+62890{self.round:02}{worker:02}{at:04}"
            body = {"number": number, "topics": ["order_updates"],
                    "source": {"type": "web_form", "reference": number[-8:]}}
            try:
                answer = client.ask("POST", "/v1/opt-ins", body)
            except (OSError, HTTPException):
                return
            if answer.status == 201:
                self.acknowledged[worker].append((number, answer.json["receipt"]["seq"]))
            elif answer.status != 503:  # A full queue is allowed to say so.
                self.refused.append((answer.status, answer.code))
                return

    def run_until_killed(self, seconds):
        for thread in self.threads:
            thread.start()
        time.sleep(seconds)
        self.server.kill()
        for thread in self.threads:
            thread.join()
        return [one for worker in self.acknowledged for one in worker]


def missing(server, records):
    """Returns those records that the server does not have any more."""
    lost, lock = [], threading.Lock()

    def read(share):
        client = server.client(timeout_s=30)
        for number, seq in share:
            answer = client.get(f"/v1/contacts/{quote(number, safe='')}/history")
            is_there = answer.status == 200 and seq in seqs(answer.json)
            if not is_there:
                with lock:
                    lost.append((number, seq))

    threads = [threading.Thread(target=read, args=(records[at::READERS],))
               for at in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return lost


def seqs(value):
    """Returns every number under `seq`, however deep."""
    if isinstance(value, list):
        return set().union(*(seqs(item) for item in value))
    if isinstance(value, dict):
        own = {value["seq"]} if isinstance(value.get("seq"), int) else set()
        return own.union(*(seqs(item) for item in value.values()))
    return set()


def crash(server, arguments, rng):
    server.start()
    for path, answer in put_registry(server.client()):
        if answer.status not in (200, 201):
            raise ServerError(f"PUT {path}: {answer.status} {answer.body[:200]!r}")
    records, lost, starts = [], [], []
    for round_number in range(arguments.rounds):
        load = Load(server, arguments.clients, round_number % 100)
        fresh = load.run_until_killed(rng.uniform(*LOAD_S))
        if load.refused:
            raise ServerError(f"an opt-in was refused: {load.refused[0]}")
        starts.append(server.start())
        older = rng.sample(records, min(OLDER_PER_ROUND, len(records)))
        gone = missing(server, fresh + older)
        records += fresh
        lost += gone
        print(f"round {round_number + 1:>3}: {len(fresh):>6} acknowledged, ready after "
              f"{starts[-1]:.2f} s, {len(gone)} lost", flush=True)
    lost += missing(server, records)
    stopped = server.stop()
    status, output = server.command("check")
    print(output.rstrip())
    print(f"\nslowest start {max(starts):.2f} s, SIGTERM → {stopped}, izin check → {status}")
    print(f"rounds {arguments.rounds}, acknowledged {len(records)}, lost {len(set(lost))}")
    return 0 if records and not lost and stopped == 0 and status == 0 else 1


def main():
    end_on_signals()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--clients", type=int, default=48)
    parser.add_argument("--binary")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    if not (1 <= arguments.rounds <= 100 and 1 <= arguments.clients <= 100):
        parser.error("1 to 100 rounds and 1 to 100 clients: their numbers have two digits each")
    print(f"seed {arguments.seed}, {arguments.clients} clients")
    binary = arguments.binary or build()
    with tempfile.TemporaryDirectory(prefix="izin-crash-") as scratch:
        with Server(binary, Path(scratch) / "data") as server:
            try:
                return crash(server, arguments, random.Random(arguments.seed))
            except ServerError as error:
                print(f"failed: {error}", file=sys.stderr)
                return 1


if __name__ == "__main__":
    sys.exit(main())
