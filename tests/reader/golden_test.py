#!/usr/bin/env python3
"""Holds token_grid_reader.py, which knows only formats/token_grid.md, against every golden token grid.

usage: golden_test.py FOLDER     FOLDER has passed/ and failed/; vq-info is in PATH. Prints what differs, or nothing.
Of passed/, both readers must give the same records; what is in failed/ must be refused by the rule in its name.
"""
import glob
import io
import os
import subprocess
import sys
import token_grid_reader as reader

# Files that break a rule which another file is named by: the name says how the damage came about.
SAME_RULE = {
    "bytes-between-frames": "frame-magic",
    "frame-content-changed": "frame-checksum-wrong",
    "header-not-valid-json": "header-json-not-valid",
}


def contents(file):
    head, *rest = reader.records(file)
    return head, [repr(each) for each in rest]  # as words: the order of members counts


def shown(path):  # the same, as vq-info shows it
    text = subprocess.run(["vq-info", "--text", path], stdout=subprocess.PIPE, check=True).stdout
    return contents(io.BufferedReader(io.BytesIO(text)))


def trouble(path):
    rule, extension = os.path.splitext(os.path.basename(path))
    if os.path.basename(os.path.dirname(path)) == "passed":
        with open(path, "rb") as file:
            return None if contents(file) == shown(path) else "vq-info gives another header or other records"
    rule = SAME_RULE.get(rule, rule)
    try:
        with open(path, "rb") as file:
            contents(file)
    except reader.Damage as damage:
        return None if str(damage) == rule else f"refused by the rule {damage}"
    return "not refused"


def main(folder):
    paths = sorted(glob.glob(os.path.join(folder, "passed", "*")) + glob.glob(os.path.join(folder, "failed", "*")))
    if not paths:
        print("no golden files in", folder)
    for path in paths:
        try:
            found = trouble(path)
        except reader.Damage as damage:
            found = f"refused: {damage}"
        if found:
            print(f"{path}: {found}")


if __name__ == "__main__":
    main(sys.argv[1])
