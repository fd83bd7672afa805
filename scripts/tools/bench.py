#!/usr/bin/env python3
"""Measures Izin against its peers: scripts/bench.

Both sides of a pair run in turns (A B A B …) with the same load generator on the same cores, and
what counts is the median of the pairwise ratios; absolute figures are those of one machine.
"""

import argparse
import hashlib
import hmac
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from postgres import Postgres
from server import PROJECT, SENDER, Server, ServerError, build, end_on_signals, put_registry

TOOLS = Path(__file__).resolve().parent
CLIENTS = 64
OVERLAP = 4 * CLIENTS
BATCH = 10_000
LOAD_S_MAX = 1200
NEVER_LOADED = 50_000_000
APP_SECRET = "app-secret-of-the-measurement"
# People that statuses are about, and how many bodies one run may use up at most.
PEOPLE = 10_000
WEBHOOKS = {1: 150_000, 1_000: 500}


class Run:
    """What wrk said of one run."""

    def __init__(self, text):
        self.text = text
        self.requests = int(re.search(r"(\d+) requests in", text)[1])
        self.per_second = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
        self.p99_ms = float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]]
        # wrk prints these lines only when there is something to say.
        self.faults = re.findall(r"(?:Non-2xx|Socket errors).*", text)


def wrk(address, path, seconds, key, script=None, arguments=(), connections=CLIENTS, core=None):
    command = ["taskset", "-c", str(core)] if core is not None else []
    command += ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency",
                "-H", f"Authorization: Bearer {key}"]
    command += ["-s", str(TOOLS / script)] if script else []
    command += [f"http://{address}{path}"]
    command += ["--", *map(str, arguments)] if arguments else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                          timeout=seconds + 60)
    run = Run(done.stdout)
    if run.faults:
        raise ServerError(f"wrk on {path.split('?')[0]}: {run.faults}")
    return run


class Peer:
    """A peer server, for as long as a block runs."""

    def __init__(self, *arguments):
        self.arguments = arguments
        self.process = None
        self.address = None

    def __enter__(self):
        self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.__exit__()
            raise ServerError(f"{self.arguments[1]} did not start")
        self.address = line.split()[-1]
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def build_peers():
    manifest = PROJECT / "benches/peers/Cargo.toml"
    done = subprocess.run(
        ["cargo", "build", "--release", "--locked", "--manifest-path", str(manifest),
         "--message-format=json-render-diagnostics"],
        cwd=PROJECT, stdout=subprocess.PIPE, check=True, text=True)
    artifacts = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [a["executable"] for a in artifacts if a.get("executable")][-1]


def in_turns(pairs, one, other):
    """Runs both in turns; returns the ratios and the runs. A first pair warms up and is not kept."""
    kept = []
    for pair in range(pairs + 1):
        # Who goes first changes, so that neither always follows the other.
        runs = (one(), other()) if pair % 2 else tuple(reversed((other(), one())))
        if pair:
            kept.append(runs)
            print(f"  pair {pair}: {runs[0].per_second:>9,.0f}/s  against "
                  f"{runs[1].per_second:>9,.0f}/s  = {runs[0].per_second / runs[1].per_second:.2f}",
                  flush=True)
    return kept


def report(name, kept, target):
    ratios = sorted(ours.per_second / theirs.per_second for ours, theirs in kept)
    ours, theirs = (statistics.median(run.per_second for run in side) for side in zip(*kept))
    p99_ours, p99_theirs = (statistics.median(run.p99_ms for run in side) for side in zip(*kept))
    return (f"{name}: {statistics.median(ratios):.2f} (of {len(ratios)} pairs {ratios[0]:.2f} to "
            f"{ratios[-1]:.2f}; to reach {target}); {ours:,.0f}/s against {theirs:,.0f}/s, "
            f"p99 {p99_ours:.2f} ms against {p99_theirs:.2f} ms")


def new_server(binary, scratch, name, **more):
    return Server(binary, Path(scratch) / name, **more)


def expect_registry(client):
    for path, answer in put_registry(client):
        if answer.status not in (200, 201):
            raise ServerError(f"PUT {path}: {answer.status} {answer.body[:200]!r}")


def eligibility(options, binary, peers, scratch):
    """One question against a handler that answers the same bytes without thinking."""
    with new_server(binary, scratch, "eligibility") as server:
        server.start()
        client = server.client()
        expect_registry(client)
        number = "+12125550177"
        body = {"number": number, "topics": ["promotions"], "source": {"type": "web_form"}}
        client.ask("POST", "/v1/opt-ins", body)
        path = (f"/v1/eligibility?number={quote(number, safe='')}&template=spring_sale"
                f"&language=en&sender={SENDER}")
        answer = client.get(path)
        if answer.status != 200 or answer.json["eligible"] is not True:
            raise ServerError(f"GET /v1/eligibility: {answer.status} {answer.body[:200]!r}")
        constant = Path(scratch) / "answer.json"
        constant.write_bytes(answer.body)
        with Peer(peers, "bare", str(constant)) as bare:
            kept = in_turns(
                options.pairs,
                lambda: wrk(server.address, path, options.seconds, server.key),
                lambda: wrk(bare.address, path, options.seconds, server.key),
            )
    return [report(f"GET /v1/eligibility / bare actix-web, {len(answer.body)} bytes", kept, "0.7")]


def durable(options, binary, peers, scratch):
    """Opt-ins that are on disk when answered, against one INSERT per request."""
    used = [0]

    def run(address, key):
        result = wrk(address, "/v1/opt-ins", options.seconds, key, "opt_ins.lua", [used[0]])
        # Requests that were under way at the end may have been recorded as well.
        used[0] += result.requests + 10 * CLIENTS
        return result

    receipt = Path(scratch) / "receipt.json"
    with new_server(binary, scratch, "durable") as server, \
            Postgres(Path(scratch) / "postgres") as postgres, \
            Peer(peers, "insert", postgres.database) as insert:
        server.start()
        client = server.client()
        expect_registry(client)
        opt_in = {"number": "+12025550177", "topics": ["promotions"], "source": {"type": "web_form"}}
        receipt.write_bytes(client.ask("POST", "/v1/opt-ins", opt_in).body)
        synchronous = postgres.psql("SHOW synchronous_commit") + postgres.psql("SHOW fsync")
        if synchronous != "onon":
            raise ServerError("PostgreSQL does not commit synchronously")
        kept = in_turns(
            options.pairs,
            lambda: run(server.address, server.key),
            lambda: run(insert.address, "none"),
        )
        with Peer(peers, "bare", str(receipt), "--reads") as bare:
            most = in_turns(
                options.pairs,
                lambda: run(bare.address, "none"),
                lambda: run(insert.address, "none"),
            )
        rows = int(postgres.psql("SELECT count(*) FROM opt_ins"))
        if rows < sum(theirs.requests for _, theirs in kept + most):
            raise ServerError(f"PostgreSQL has {rows} rows, fewer than it acknowledged")
        if server.stop() != 0 or server.command("check")[0] != 0:
            raise ServerError("the ledger is not sound after the load")
    return [
        report(f"durable opt-ins / INSERT on PostgreSQL 15, {CLIENTS} clients", kept, "5"),
        report("  a handler that reads the opt-in and keeps nothing / the same INSERT", most,
               "nothing: no server on this stack could go beyond it"),
    ]


def webhook_file(scratch, name, statuses, first, began):
    """Writes signed webhooks of so many statuses; each status is later than all before it."""
    path = Path(scratch) / f"webhooks-{name}.tsv"
    with open(path, "w", encoding="ascii") as file:
        for webhook in range(WEBHOOKS[statuses]):
            changes = []
            for place in range(statuses):
                event = first + webhook * statuses + place
                person = f"62890{event % PEOPLE:08}"
                changes.append({"field": "messages", "value": {
                    "messaging_product": "whatsapp",
                    "metadata": {"display_phone_number": "12025550199",
                                 "phone_number_id": SENDER},
                    "statuses": [{"id": f"wamid.HBgLbench{event:012}", "status": "delivered",
                                  "timestamp": str(began + event // PEOPLE),
                                  "recipient_id": person}]}})
            body = json.dumps({"object": "whatsapp_business_account",
                               "entry": [{"id": "900100200300401", "changes": changes}]},
                              separators=(",", ":"))
            digest = hmac.new(APP_SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
            file.write(f"sha256={digest}\t{body}\n")
    return path


def webhooks(options, binary, peers, scratch):
    """Signed statuses that are on disk when answered, against a handler that reads the bytes."""
    lines = []
    answer = Path(scratch) / "heard.json"
    answer.write_text('{"outcome":"recorded"}')
    settings = {"IZIN_WHATSAPP_APP_SECRET": APP_SECRET}
    for statuses, connections in ((1, CLIENTS), (1_000, 4)):
        # The moments of all events lie in the past, the earliest first.
        began, used = int(time.time()) - 30 * 86_400, [0]
        with new_server(binary, scratch, f"webhooks-{statuses}", settings=settings) as server, \
                Peer(peers, "bare", str(answer), "--reads") as bare:
            server.start()
            expect_registry(server.client())
            load_contacts(server, PEOPLE)

            def run(address, *more, statuses=statuses, connections=connections, used=used,
                    began=began):
                path = webhook_file(scratch, "next", statuses, used[0], began)
                used[0] += WEBHOOKS[statuses] * statuses
                return wrk(address, "/webhooks/whatsapp", options.seconds, "none", "webhooks.lua",
                           [path, *more], connections=connections)

            def durable_run(server=server, run=run, statuses=statuses):
                before = last_seq(server)
                result = run(server.address)
                made = last_seq(server) - before
                # A connection that met the end of the file has asked for something else.
                if made < (result.requests - 2 * CLIENTS) * statuses:
                    raise ServerError(f"{made:,} entries after {result.requests:,} webhooks")
                return result

            kept = in_turns(options.pairs, durable_run,
                            lambda run=run, bare=bare: run(bare.address, "again"))
            if server.stop() != 0 or server.command("check")[0] != 0:
                raise ServerError("the ledger is not sound after the load")
        rates = sorted(ours.per_second * statuses for ours, _ in kept)
        lines.append(report(f"signed webhooks of {statuses:,} / bare handler, {connections} "
                            "clients", kept, "no figure set"))
        lines.append(f"  {statistics.median(rates):,.0f} events/s on disk ({rates[0]:,.0f} to "
                     f"{rates[-1]:,.0f})")
    return lines


def last_seq(server):
    for line in server.client().get("/metrics").body.decode().splitlines():
        if line.startswith("izin_ledger_seq "):
            return int(line.split()[1])
    raise ServerError("/metrics does not show the last entry")


def load_contacts(server, contacts):
    began, done = time.monotonic(), 0
    while done < contacts + OVERLAP:
        if time.monotonic() - began > LOAD_S_MAX:
            raise ServerError(f"only {done:,} contacts after {LOAD_S_MAX} s")
        # The numbers must have no gaps, so each run goes back over those that were under way when
        # the last one ended; to record someone twice makes no second contact.
        start = max(0, done - OVERLAP)
        run = wrk(server.address, "/v1/opt-ins", 10, server.key, "opt_ins.lua", [start])
        done = start + run.requests
        print(f"  {done:>9,} contacts, {run.per_second:,.0f}/s", flush=True)
    return done - OVERLAP, time.monotonic() - began


def batch_file(scratch, contacts, detail):
    """Writes bodies that ask about contacts in random order, a tenth of them unknown."""
    rng = random.Random(7)
    path = Path(scratch) / f"batches-{detail}.ndjson"
    with open(path, "w", encoding="ascii") as file:
        for _ in range(8):
            places = [rng.randrange(contacts) + (NEVER_LOADED if rng.random() < 0.1 else 0)
                      for _ in range(BATCH)]
            numbers = [f"+62890{place:08}" for place in places]
            json.dump({"recipients": numbers, "template": "order_shipped", "language": "en",
                       "sender": SENDER, "detail": detail}, file, separators=(",", ":"))
            file.write("\n")
    return path


def batch(options, binary, _, scratch):
    """Decisions per second on one core, and memory, with many contacts loaded."""
    lines = []
    with new_server(binary, scratch, "batch") as server:
        server.start()
        expect_registry(server.client())
        contacts, took = load_contacts(server, options.contacts)
        lines.append(f"{contacts:,} contacts loaded in {took:,.0f} s, one call each, by "
                     f"{CLIENTS} clients; resident {server.memory_kib() / 1024:,.0f} MiB then")
        server.stop()
    with new_server(binary, scratch, "batch", under=["taskset", "-c", "0"]) as server:
        took = server.start()
        lines.append(f"started again with {contacts:,} contacts on one core in {took:.2f} s; "
                     f"resident {server.memory_kib() / 1024:,.0f} MiB")
        check_batch(server, scratch, contacts)
        for detail in ("totals", "reasons", "full"):
            bodies = batch_file(scratch, contacts, detail)
            runs = [wrk(server.address, "/v1/eligibility", options.seconds, server.key,
                        "batches.lua", [bodies], connections=2, core=1)
                    for _ in range(options.pairs + 1)][1:]
            rates = sorted(run.per_second * BATCH for run in runs)
            lines.append(
                f"POST /v1/eligibility, {BATCH:,} recipients, detail {detail}, one core: "
                f"{statistics.median(rates):,.0f} decisions/s ({rates[0]:,.0f} to {rates[-1]:,.0f}"
                f"; to reach 300,000), p99 {statistics.median(r.p99_ms for r in runs):.0f} ms")
        lines.append(f"resident after that {server.memory_kib() / 1024:,.0f} MiB, "
                     f"at most {server.memory_kib('VmHWM') / 1024:,.0f} MiB")
    return lines


def check_batch(server, scratch, contacts):
    """One batch is read and counted before any is timed."""
    body = json.loads(batch_file(scratch, contacts, "totals").read_text().splitlines()[0])
    answer = server.client().ask("POST", "/v1/eligibility", body)
    totals = answer.json["totals"] if answer.status == 200 else {}
    known = sum(int(number[-8:]) < NEVER_LOADED for number in body["recipients"])
    if totals.get("eligible") != known or totals.get("refused") != BATCH - known:
        raise ServerError(f"{known} of {BATCH} should be eligible: {answer.body[:300]!r}")


MEASUREMENTS = {"eligibility": eligibility, "durable": durable, "batch": batch,
                "webhooks": webhooks}


def main():
    end_on_signals()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[*MEASUREMENTS, []], help="default: all")
    parser.add_argument("--pairs", type=int, default=7, help="pairs that count (default 7)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run (default 5)")
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--scratch", help="where the data goes (default: a temporary directory)")
    parser.add_argument("--binary", help="use this Izin instead of building one")
    options = parser.parse_args()
    binary, peers = options.binary or build(), build_peers()
    lines = []
    with tempfile.TemporaryDirectory(prefix="izin-bench-", dir=options.scratch) as scratch:
        Path(scratch).chmod(0o755)  # PostgreSQL's user must get through to its own folder.
        for name in options.what or MEASUREMENTS:
            print(f"\n{name}: {MEASUREMENTS[name].__doc__}", flush=True)
            try:
                lines += MEASUREMENTS[name](options, binary, peers, scratch)
            except ServerError as error:
                print(f"failed: {error}", file=sys.stderr)
                return 1
    print("\n" + "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
