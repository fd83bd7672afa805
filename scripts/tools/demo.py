#!/usr/bin/env python3
"""The story of Izin, told by calls to a real server: scripts/demo."""

import csv
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote

from fake_provider import FakeProvider
from server import PROJECT, SENDER, Server, ServerError, build, end_on_signals, put_registry

DATA = PROJECT / "tests/data/demo"
ALLOWANCE = 5
PERSON = "+12125550177"
STRANGER = "+12125550188"
# What each row of the list that is no opt-in has to be told.
CODES = {
    "in the future": "captured_in_future",
    "national, no region": "number_ambiguous",
    "no number at all": "number_invalid",
    "no such country": "number_invalid",
    "no topic": "body_invalid",
    "not a date": "body_invalid",
    "not a number": "number_invalid",
    "one digit too many": "number_invalid",
    "too long": "number_invalid",
    "too short for any country": "number_invalid",
    "unknown region": "body_invalid",
    "unknown statement": "statement_unknown",
    "unknown topic": "topic_unknown",
}
SPRING_SALE = f"template=spring_sale&language=en&sender={SENDER}"


class Story:
    """Prints what happens, and remembers what was not as promised."""

    def __init__(self):
        self.kept, self.broken = 0, []

    def chapter(self, title):
        print(f"\n── {title} " + "─" * max(0, 88 - len(title)), flush=True)

    def say(self, text):
        print(f"   {text}", flush=True)

    def show(self, value):
        for line in json.dumps(value, indent=2, ensure_ascii=False).splitlines():
            self.say(line)

    def promise(self, is_kept, text):
        print(f" {'✓' if is_kept else '✗'} {text}", flush=True)
        if is_kept:
            self.kept += 1
        else:
            self.broken.append(text)

    def answered(self, answer, wanted, text):
        """Promises a status; says what came instead."""
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        if answer.status in wanted:
            self.promise(True, f"{text} → {answer.status}")
        else:
            self.promise(False, f"{text} → {answer.status}, not {wanted}: {answer.body[:300]!r}")
        return answer


def ref(number):
    return quote(number, safe="")


def reason_codes(decision):
    return [reason["code"] for reason in decision.get("reasons", [])]


def opt_in(number, topics, source, **more):
    return {"number": number, "topics": topics, "source": source} | more


def registry(story, client):
    story.chapter("1. The registry: topics, templates, sender, statements")
    for path, answer in put_registry(client):
        story.answered(answer, 201, f"PUT {path}")


def import_list(story, client):
    story.chapter("2. A signup list with three hundred rows, spelled as people spell")
    expected = json.loads((DATA / "expected.json").read_text())
    with open(DATA / "opt-ins.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    people, accepted, refused, wrong = {}, 0, [], []
    began = time.monotonic()
    for line, row in enumerate(rows, start=2):
        answer = client.ask("POST", "/v1/opt-ins", row_body(row),
                            {"Idempotency-Key": f"signup-list-{line}"})
        fault = expected["refused"].get(str(line))
        if answer.status == 201:
            accepted += 1
            contact = answer.json["contact"]
            people.setdefault(contact["id"], []).append((row["number"], contact["number"]))
        wanted = (201, None) if fault is None else (422, CODES[fault])
        if (answer.status, answer.code) != wanted:
            wrong.append((line, row["number"], wanted, answer.status, answer.body[:200]))
        if fault is not None:
            refused.append((line, row["number"], fault, answer.status, answer.code))
    took = time.monotonic() - began
    twice = [spellings for spellings in people.values() if len(spellings) > 1]
    story.say(f"{len(rows)} rows in {took:.2f} s, one call each, every one durable when answered")
    for line, number, fault, status, code in refused:
        story.say(f"line {line:>3}  {number[:34]:<36} {fault:<24} {status} {code}")
    story.say("some people who are on the list twice:")
    for spellings in twice[:4]:
        story.say(f"  {spellings[0][1]:<16} {' = '.join(repr(w) for w, _ in spellings)}")
    story.promise(accepted == expected["accepted"],
                  f"{accepted} rows recorded, {expected['accepted']} expected")
    story.promise(len(people) == expected["people"],
                  f"{len(people)} people from {expected['countries']} countries, "
                  f"{expected['people']} expected")
    story.promise(not wrong, f"each row is recorded, or refused for what is wrong with it {wrong[:3] or ''}")
    repeat_a_request(story, client, rows)
    return [spellings[0][1] for spellings in people.values()], people


def row_body(row):
    source = {"type": row["source"], "reference": row["reference"]}
    source |= {name: row[name] for name in ("entry_point", "url") if row[name]}
    body = opt_in(row["number"], [t for t in row["topics"].split(";") if t], source,
                  captured_at=row["captured_at"])
    return body | {name: row[name] for name in ("region", "statement") if row[name]}


def repeat_a_request(story, client, rows):
    key = {"Idempotency-Key": "signup-list-2"}
    again = story.answered(client.ask("POST", "/v1/opt-ins", row_body(rows[0]), key), 201,
                           "the first row once more with the same Idempotency-Key")
    story.promise(again.headers.get("Idempotent-Replayed") == "true",
                  "the answer is a replay, nothing new was recorded")
    story.answered(client.ask("POST", "/v1/opt-ins", row_body(rows[1]), key), 422,
                   "another row under that key")


def scan_a_code(story, client):
    story.chapter("3. Someone scans the QR code on a poster")
    body = opt_in("(212) 555-0177", ["promotions", "order_updates"],
                  {"type": "qr", "entry_point": "poster-north"}, region="US",
                  statement="signup-poster",
                  evidence={"page": "https://shop.example/o/poster-north", "ticked": "yes"})
    answer = story.answered(client.ask("POST", "/v1/opt-ins", body,
                                       {"Idempotency-Key": "qr-poster-north-1"}),
                            201, "POST /v1/opt-ins")
    story.show(answer.json)
    story.promise(answer.json["contact"]["number"] == PERSON, f"the number is {PERSON}")
    story.promise({"seq", "leaf_hash"} <= answer.json["receipt"].keys(),
                  "there is a receipt with seq and leaf hash")


def ask_questions(story, client):
    story.chapter("4. The CRM asks before it sends")
    yes = story.answered(client.get(f"/v1/eligibility?number={ref(PERSON)}&{SPRING_SALE}"), 200,
                         "may spring_sale go to the person who scanned the code?")
    story.show(yes.json)
    story.promise(yes.json["eligible"] is True, "yes")
    no = story.answered(client.get(f"/v1/eligibility?number={ref(STRANGER)}&{SPRING_SALE}"), 200,
                        "may it go to someone who never agreed?")
    story.show(no.json["reasons"])
    story.promise(no.json["eligible"] is False and "never_asked" in reason_codes(no.json),
                  "no: never_asked")
    story.answered(client.get(f"/v1/eligibility?number=0812&{SPRING_SALE}"), (200, 422),
                   "and to a number that is none?")


def ask_in_batch(story, client, numbers):
    story.chapter("5. A campaign asks about everyone at once, then streams a big audience")
    recipients = [*numbers, STRANGER, "not a number"]
    question = {"recipients": recipients, "template": "spring_sale", "language": "en",
                "sender": SENDER, "detail": "reasons"}
    batch = story.answered(client.ask("POST", "/v1/eligibility", question), 200,
                           f"POST /v1/eligibility with {len(recipients)} recipients")
    totals = batch.json["totals"]
    story.show(totals)
    story.promise(totals["eligible"] + totals["refused"] == len(recipients),
                  "the totals add up to the recipients")
    story.promise(len(batch.json["results"]) == len(recipients), "one result for each recipient")
    eligible = sum(result["eligible"] for result in batch.json["results"])
    story.promise(0 < totals["eligible"] == eligible, "the totals are those of the results")

    many = 50_000
    began = time.monotonic()
    stream = client.stream("/v1/eligibility", audience(numbers, many), "application/x-ndjson")
    story.answered(stream, 200, f"the same as a stream of {many:,} lines")
    lines = [json.loads(line) for line in stream.body.splitlines()]
    decisions, last = [line for line in lines if "eligible" in line], lines[-1]
    story.say(f"{len(decisions):,} decisions in {time.monotonic() - began:.2f} s; the first: "
              f"{json.dumps(decisions[0])[:120]}")
    story.promise(len(decisions) == many, "one line comes back for each line")
    story.say(f"the last line: {json.dumps(last)[:150]}")
    totals = last.get("totals", {})
    story.promise(totals.get("eligible", 0) + totals.get("refused", 0) == many,
                  "the totals in the last line add up to the lines")


def audience(numbers, many):
    """Yields the question, then the audience in chunks: it is never in memory as a whole."""
    question = {"template": "spring_sale", "language": "en", "sender": SENDER, "detail": "reasons"}
    yield json.dumps(question).encode() + b"\n"
    for start in range(0, many, 1000):
        chunk = range(start, min(start + 1000, many))
        yield b"".join(json.dumps({"number": numbers[at % len(numbers)]}).encode() + b"\n"
                       for at in chunk)


def change_identity(story, client):
    story.chapter("6. The number changes hands: nothing is sent until the person agrees again")
    identity = f"/v1/contacts/{ref(PERSON)}/identity"
    story.answered(client.ask("PUT", identity, {"hash": "aG9sZGVyLW9uZQ"}), (200, 201, 204),
                   "WhatsApp shows an identity for the first time")
    story.answered(client.ask("PUT", identity, {"hash": "aG9sZGVyLXR3bw"}), (200, 201, 204),
                   "weeks later it shows another one")
    refused = story.answered(client.ask("POST", "/v1/sends", send()), 409,
                             "POST /v1/sends for spring_sale")
    story.show(refused.json)
    story.promise(refused.code == "send_refused" and
                  "identity_changed" in reason_codes(refused.json),
                  "refused: identity_changed")
    story.answered(client.ask("POST", f"{identity}/confirm",
                              {"hash": "b25lLW5vYm9keS1zYXc", "evidence": {"note": "guess"}}), 409,
                   "confirming a hash that nobody saw")
    again = opt_in("+1 212 555 0177", ["promotions"], {"type": "keyword"}, statement="signup-web")
    story.answered(client.ask("POST", "/v1/opt-ins", again), 201,
                   "the new holder signs up for promotions")
    ticket = story.answered(client.ask("POST", "/v1/sends", send()), 201,
                            "POST /v1/sends once more")
    story.show(ticket.json)
    committed = client.ask("POST", f"/v1/sends/{ticket.json['id']}/commit",
                           {"message_id": "wamid.demo.1"})
    story.answered(committed, (200, 201), "the message went out, the ticket is committed")
    updates = client.ask("POST", "/v1/sends", send(template="order_shipped"))
    story.answered(updates, 409, "order_shipped, which only the old holder agreed to")


def send(**change):
    return {"number": PERSON, "kind": "template", "template": "spring_sale", "language": "en",
            "sender": SENDER} | change


def opt_out(story, client):
    story.chapter("7. STOP")
    body = {"number": PERSON, "source": {"type": "keyword"}, "reason": "STOP"}
    story.answered(client.ask("POST", "/v1/opt-outs", body), 201, "POST /v1/opt-outs")
    refused = story.answered(client.ask("POST", "/v1/sends", send()), 409, "POST /v1/sends")
    story.promise("withdrawn" in reason_codes(refused.json), "refused: withdrawn")
    old = opt_in(PERSON, ["promotions"], {"type": "import", "reference": "old-list"},
                 captured_at="2025-02-01T10:00:00Z")
    story.answered(client.ask("POST", "/v1/opt-ins", old), (201, 409),
                   "an old list still has the person as signed up")
    still = client.get(f"/v1/eligibility?number={ref(PERSON)}&{SPRING_SALE}")
    story.promise(still.json["eligible"] is False and "withdrawn" in reason_codes(still.json),
                  "and brings nobody back: withdrawn")
    history = story.answered(client.get(f"/v1/contacts/{ref(PERSON)}/history"), 200,
                             "the whole history is still there")
    for entry in history.json["entries"]:
        story.say(f"{entry['seq']:>6}  {entry['recorded_at']}  {json.dumps(entry['event'])[:110]}")


def look_up(story, client, provider, numbers):
    story.chapter(f"8. Look-ups cost trust: {ALLOWANCE} to start with, then one per message")
    # Only shapes that are in use somewhere: the fictional ranges of some countries are not.
    numbers = [number for number in numbers if number.startswith(("+1", "+49", "+62"))]
    body = {"numbers": numbers[:ALLOWANCE]}
    first = story.answered(client.ask("POST", "/v1/verifications", body), (200, 201, 202),
                           f"POST /v1/verifications with {ALLOWANCE} numbers")
    story.show(first.json)
    over = story.answered(
        client.ask("POST", "/v1/verifications", {"numbers": numbers[ALLOWANCE:ALLOWANCE + 3]}),
        429, "three more")
    story.show(over.json)
    budget = story.answered(client.get("/v1/verifications/budget"), 200,
                            "GET /v1/verifications/budget")
    story.show(budget.json)
    deadline = time.monotonic() + 10
    while len(provider.asked) < ALLOWANCE and time.monotonic() < deadline:
        time.sleep(0.05)
    story.promise(len(provider.asked) == ALLOWANCE,
                  f"the provider was asked about {len(provider.asked)} numbers, not one more")


def pull_the_plug(story, server):
    story.chapter("9. kill -9 in the middle of writes")
    acknowledged, sent, lock = [], Counter(), threading.Lock()
    stop = threading.Event()

    def write(worker):
        client = server.client(timeout_s=5)
        at = 0
        while not stop.is_set():
            number = f"+62890{worker:02}{at:06}"
            sent[worker] += 1
            try:
                answer = client.ask("POST", "/v1/opt-ins", opt_in(
                    number, ["order_updates"], {"type": "web_form"}),
                    {"Idempotency-Key": f"plug-{worker}-{at}"})
            except (OSError, HTTPException):
                return
            if answer.status == 201:
                with lock:
                    acknowledged.append((number, answer.json["receipt"]["seq"]))
            at += 1

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(16)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    server.kill()
    stop.set()
    for thread in threads:
        thread.join()
    took = server.start()
    story.say(f"killed after {sum(sent.values())} requests, {len(acknowledged)} of them "
              f"acknowledged; ready again after {took:.2f} s")
    client = server.client()
    missing = []
    for number, seq in acknowledged:
        answer = client.get(f"/v1/contacts/{ref(number)}/history")
        if answer.status != 200 or f'"seq":{seq}' not in answer.body.decode().replace(" ", ""):
            missing.append((number[:6] + "…", seq, answer.status))
    story.promise(bool(acknowledged) and not missing,
                  f"all {len(acknowledged)} acknowledged opt-ins are there {missing[:3] or ''}")
    still = client.get(f"/v1/eligibility?number={ref(PERSON)}&{SPRING_SALE}")
    story.promise("withdrawn" in reason_codes(still.json), "the STOP is still in force")
    return len(acknowledged)


def export(story, client, people):
    story.chapter("10. The auditor exports the consents")
    answer = story.answered(client.get("/v1/exports/consents?format=csv"), 200,
                            "GET /v1/exports/consents?format=csv")
    rows = list(csv.reader(answer.body.decode("utf-8-sig").splitlines()))
    for line in answer.body.decode("utf-8-sig").splitlines()[:4]:
        story.say(line[:150])
    story.say(f"… {len(rows) - 1:,} rows")
    story.promise(len(rows) - 1 >= people, f"at least one row for each of {people:,} people")
    story.promise(len({len(row) for row in rows}) == 1, "every row has every column")
    withdrawn = client.get("/v1/exports/consents?format=ndjson&status=withdrawn")
    lines = [json.loads(line) for line in withdrawn.body.splitlines()]
    story.answered(withdrawn, 200, "GET /v1/exports/consents?format=ndjson&status=withdrawn")
    story.promise(0 < len(lines) < 10, f"{len(lines)} withdrawn consents, those of one person")
    ledger = story.answered(client.get("/v1/exports/ledger?format=ndjson"), 200,
                            "GET /v1/exports/ledger?format=ndjson")
    story.say(f"{len(ledger.body.splitlines()):,} entries")


def check(story, server):
    story.chapter("11. The server stops, and the ledger is checked from end to end")
    story.promise(server.stop() == 0, "SIGTERM: the server ended by itself with status 0")
    status, output = server.command("check")
    for line in output.splitlines()[-12:]:
        story.say(line[:150])
    story.promise(status == 0, f"izin check → {status}")


def play(story, binary, scratch):
    with FakeProvider() as provider:
        settings = {
            "IZIN_VERIFY_PROVIDER": "contacts_api",
            "IZIN_VERIFY_URL": provider.url,
            "IZIN_VERIFY_TOKEN": "demo-token",
            "IZIN_VERIFICATION__STARTING_ALLOWANCE": str(ALLOWANCE),
        }
        with Server(binary, Path(scratch) / "data", settings) as server:
            took = server.start()
            story.say(f"izin serve on {server.address}, ready after {took:.2f} s")
            client = server.client()
            registry(story, client)
            numbers, people = import_list(story, client)
            scan_a_code(story, client)
            ask_questions(story, client)
            ask_in_batch(story, client, numbers)
            change_identity(story, client)
            opt_out(story, client)
            look_up(story, client, provider, numbers)
            acknowledged = pull_the_plug(story, server)
            export(story, server.client(), len(people) + 1 + acknowledged)
            check(story, server)


def main():
    end_on_signals()
    story = Story()
    binary = sys.argv[1] if len(sys.argv) > 1 else build()
    with tempfile.TemporaryDirectory(prefix="izin-demo-") as scratch:
        try:
            play(story, binary, scratch)
        except (ServerError, OSError, HTTPException, LookupError, ValueError) as error:
            story.promise(False, f"the story ended early: {type(error).__name__}: {error}")
    print(f"\n{story.kept} promises kept, {len(story.broken)} broken")
    for text in story.broken:
        print(f" ✗ {text}")
    return 1 if story.broken else 0


if __name__ == "__main__":
    sys.exit(main())
