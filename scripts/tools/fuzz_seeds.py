"""Writes the recorded texts of numbers as seeds of the fuzzer: a byte for the region, the text."""

import hashlib
import json
import pathlib
import sys

rows, corpus = map(pathlib.Path, sys.argv[1:])
for line in rows.read_text(encoding="utf-8").splitlines():
    row = json.loads(line)
    region = sum((row["region_hint"] or "").encode()) % 256
    seed = bytes([region]) + row["input"].encode()
    (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
