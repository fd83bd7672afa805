#!/usr/bin/env python3
"""Writes tests/data/demo/opt-ins.csv and expected.json: a signup list as businesses really have them.

The same bytes come out every time. No number belongs to anyone: where a regulator keeps numbers
for fiction or documentation they are used, elsewhere the subscriber part is a block that is not
handed out (000 0...), which libphonenumber still calls possible.

Sources of the reserved ranges: NANPA (NPA 555-0100 to 0199), Ofcom (07700 900000 to 900999),
ACMA (0491 570 and following), Arcep (06 39 98 xx xx), Bundesnetzagentur (030 23125 xxx),
PTS (070-174 06 05 to 06 99), ComReg (020 91x xxxx). Indonesian numbers use 0890, which no operator has.
"""

import csv
import json
import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROWS_GOOD = 285
TWICE = 14

FULL_WIDTH = str.maketrans("0123456789+-() ", "０１２３４５６７８９＋－（）　")
ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


class Country:
    """A country: how people there write a number, and where its synthetic numbers come from."""

    def __init__(self, region, code, trunk, idd, groups, subscriber):
        # `idd` is None where dialling abroad needs a carrier's digits as well.
        self.region, self.code, self.trunk, self.idd = region, code, trunk, idd
        self.groups, self.subscriber = groups, subscriber

    def number(self, at):
        """Returns the national significant number, grouped as people group it."""
        digits = self.subscriber(at)
        parts, rest = [], digits
        for size in self.groups:
            parts.append(rest[:size])
            rest = rest[size:]
        assert not rest, (self.region, digits)
        return parts


def nanp(*areas):
    return lambda at: f"{areas[at % len(areas)]}55501{at % 100:02}"


AU = ["491570006", "491570156", "491570157", "491570158", "491570159", "491570110", "491570313",
      "491570737", "491571266", "491571491", "491571804", "491572549", "491572665", "491572983",
      "491573770", "491573087", "491574118", "491574632", "491575254", "491575789", "491576398"]

COUNTRIES = [
    Country("ID", "62", "0", None, [3, 4, 4], lambda at: f"8900000{at:04}"),
    Country("BR", "55", "0", None, [2, 5, 4], lambda at: f"{[11, 21, 31, 71][at % 4]}90000{at:04}"),
    Country("IN", "91", "0", "00", [5, 5], lambda at: f"70000{at:05}"),
    Country("US", "1", "", "011", [3, 3, 4], nanp(202, 212, 310, 415, 512, 617)),
    Country("CA", "1", "", "011", [3, 3, 4], nanp(416, 604, 514)),
    Country("GB", "44", "0", "00", [4, 6], lambda at: f"7700900{at % 1000:03}"),
    Country("DE", "49", "0", "00", [2, 5, 3], lambda at: f"3023125{at % 1000:03}"),
    Country("FR", "33", "0", "00", [1, 2, 2, 2, 2], lambda at: f"63998{at:04}"),
    Country("AU", "61", "0", "0011", [3, 3, 3], lambda at: AU[at % len(AU)]),
    Country("SE", "46", "0", "00", [2, 3, 2, 2], lambda at: f"7017406{5 + at // 10 % 5}{at % 10}"),
    Country("IE", "353", "0", "00", [2, 3, 4], lambda at: f"2091{at % 10}{at:04}"),
    Country("MX", "52", "", "00", [2, 4, 4], lambda at: f"{[55, 33, 81][at % 3]}5000{at:04}"),
    Country("NG", "234", "0", "009", [3, 3, 4], lambda at: f"803000{at:04}"),
    Country("KE", "254", "0", "000", [3, 6], lambda at: f"70000{at:04}"),
    Country("ZA", "27", "0", "00", [2, 3, 4], lambda at: f"82000{at:04}"),
    Country("EG", "20", "0", "00", [3, 3, 4], lambda at: f"100000{at:04}"),
    Country("AE", "971", "0", "00", [2, 3, 4], lambda at: f"50000{at:04}"),
    Country("ES", "34", "", "00", [3, 3, 3], lambda at: f"60000{at:04}"),
    Country("IT", "39", "", "00", [3, 3, 4], lambda at: f"333000{at:04}"),
    Country("JP", "81", "0", "010", [2, 4, 4], lambda at: f"900000{at:04}"),
]
# Bigger markets sign up more people.
WEIGHTS = [5, 4, 4, 3, 1, 3, 3, 2, 1, 1, 1, 2, 2, 1, 1, 2, 1, 2, 2, 2]


def spellings(country, parts):
    """Returns (number as written, whether the region must be given) in every usual form."""
    digits = "".join(parts)
    international = country.code + digits
    national = country.trunk + parts[0]
    forms = [
        (f"+{international}", False),
        (f"+{country.code} {' '.join(parts)}", False),
        (f"+{country.code}-{'-'.join(parts)}", False),
        (f"+{country.code} ({parts[0]}) {' '.join(parts[1:])}", False),
        (f"{national}{''.join(parts[1:])}", True),
        (f"{national} {' '.join(parts[1:])}", True),
        (f"{national}-{'-'.join(parts[1:])}", True),
        (f"({national}) {'.'.join(parts[1:])}", True),
        (f"https://wa.me/{international}", False),
        (f"wa.me/{international}", False),
        (f"whatsapp:+{international}", False),
        (f"tel:+{country.code}-{'-'.join(parts)}", False),
        (f"  +{country.code} {digits} ", False),
    ]
    if country.idd:
        forms.append((f"{country.idd} {country.code} {' '.join(parts)}", True))
    if country.region == "JP":
        forms += [(f"{national}-{'-'.join(parts[1:])}".translate(FULL_WIDTH), True)] * 4
    if country.region in ("EG", "AE"):
        forms += [(f"{national}{''.join(parts[1:])}".translate(ARABIC_INDIC), True)] * 4
    return forms


# (source, share, entry point, address, statement)
PLACES = [
    ("web_form", 10, "", "https://shop.example/newsletter", "signup-web"),
    ("web_form", 5, "", "https://shop.example/checkout", "signup-checkout"),
    ("qr", 5, "poster-north", "", "signup-poster"),
    ("qr", 3, "table-card", "", "signup-poster"),
    ("in_store", 4, "till-3", "", "signup-paper"),
    ("keyword", 4, "", "", "signup-web"),
    ("click_to_whatsapp_ad", 3, "spring-campaign", "", "signup-web"),
    ("phone_call", 1, "", "", ""),
    ("paper_form", 2, "fair-2025", "", "signup-paper"),
]
TOPICS = [("promotions", 5), ("order_updates", 4), ("order_updates;promotions", 5),
          ("appointments", 2), ("appointments;order_updates", 1)]

FIRST_DAY = datetime(2025, 1, 6, 8, 0, tzinfo=timezone.utc)
DAYS = 600


def pick(rng, weighted):
    return rng.choices([item for item, _ in weighted], [weight for _, weight in weighted])[0]


def row(rng, at, written, region):
    source, _, entry_point, url, statement = rng.choices(PLACES, [p[1] for p in PLACES])[0]
    captured = FIRST_DAY + timedelta(days=rng.randrange(DAYS), seconds=rng.randrange(50_000))
    return {
        "number": written,
        "region": region,
        "topics": pick(rng, TOPICS),
        "source": source,
        "entry_point": entry_point,
        "url": url,
        "reference": f"crm-{100_000 + at * 7}",
        "captured_at": captured.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "statement": statement,
    }


def good_rows(rng):
    rows, people, per_country = [], {}, {}
    while len(rows) < ROWS_GOOD - TWICE:
        country = rng.choices(COUNTRIES, WEIGHTS)[0]
        at = per_country.get(country.region, 0)
        per_country[country.region] = at + 1
        parts = country.number(at)
        e164 = f"+{country.code}{''.join(parts)}"
        if e164 in people:
            continue
        people[e164] = (country, parts)
        written, needs_region = rng.choice(spellings(country, parts))
        region = country.region if needs_region or rng.random() < 0.5 else ""
        rows.append((e164, row(rng, len(rows), written, region)))
    # The same person again, months later or earlier and spelled another way.
    for e164, first in rng.sample(rows, TWICE):
        country, parts = people[e164]
        others = [form for form in spellings(country, parts) if form[0] != first["number"]]
        written, _ = rng.choice(others)
        rows.append((e164, row(rng, len(rows), written, country.region)))
    return rows


def bad_rows(rng):
    """Returns rows that must be refused, each with what is wrong with it."""
    faults = [
        ("too short for any country", {"number": "+44 77", "region": "GB"}),
        ("too long", {"number": "+1 202 555 0143 2025550143 2025550143", "region": "US"}),
        ("one digit too many", {"number": "+44 7700 900123 45", "region": ""}),
        ("no such country", {"number": "+999 12345678", "region": ""}),
        ("national, no region", {"number": "0890 0000 0017", "region": ""}),
        ("national, no region", {"number": "(030) 23125-017", "region": ""}),
        ("not a number", {"number": "ask at the till", "region": "ID"}),
        ("not a number", {"number": "n/a", "region": ""}),
        ("no number at all", {"number": "", "region": "BR"}),
        ("unknown region", {"number": "07700 900321", "region": "UK!"}),
        ("unknown topic", {"number": "+44 7700 900322", "region": "GB", "topics": "horoscope"}),
        ("no topic", {"number": "+44 7700 900323", "region": "GB", "topics": ""}),
        ("in the future", {"number": "+44 7700 900324", "region": "GB",
                           "captured_at": "2099-01-01T00:00:00Z"}),
        ("not a date", {"number": "+44 7700 900325", "region": "GB",
                        "captured_at": "31/12/2025"}),
        ("unknown statement", {"number": "+44 7700 900326", "region": "GB",
                               "statement": "signup-nobody-wrote"}),
    ]
    return [(fault, row(rng, 900 + at, "", "") | change)
            for at, (fault, change) in enumerate(faults)]


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else
                  Path(__file__).resolve().parents[2] / "tests/data/demo")
    rng = random.Random(20250106)
    good = good_rows(rng)
    rows = [(e164, None, fields) for e164, fields in good]
    rows += [(None, fault, fields) for fault, fields in bad_rows(rng)]
    rng.shuffle(rows)
    with open(folder / "opt-ins.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0][2].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(fields for _, _, fields in rows)
    people = sorted({e164 for e164, _, _ in rows if e164})
    expected = {
        "rows": len(rows),
        "accepted": len(good),
        "people": len(people),
        "countries": len(COUNTRIES),
        "refused": {str(at + 2): fault for at, (_, fault, _) in enumerate(rows) if fault},
    }
    with open(folder / "expected.json", "w", encoding="utf-8") as file:
        json.dump(expected, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
