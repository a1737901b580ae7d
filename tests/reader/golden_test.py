#!/usr/bin/env python3
"""Holds token_grid_reader.py, which knows only formats/token_grid.md, against every golden token grid.

usage: golden_test.py FOLDER     FOLDER has passed/ and failed/; vq-info is in PATH. Prints what differs, or nothing.
Of passed/, both readers must give the same records; what is in failed/ must be refused by the rule that its name breaks.
"""
import glob
import json
import os
import re
import subprocess
import sys
import zstandard
import token_grid_reader as reader

# Names say how a rule was broken; several break the same one, and some rules are zstd's own or JSON's.
RULE_OF_NAME = {
    "block-number-(gap|repeated)": "block-number",
    "block-other-height": "block-other-grid",
    "bytes-between-frames|stream-trailing-bytes": "frame-magic",
    "frame-(content-changed|checksum-wrong)|index-checksum-wrong": "zstd: .*checksum.*",
    "frame-block-type": "zstd: .*",
    "header-(height)-.*|header-without-(width)|header-(codebook)-too-large|header-(codec|mask|history)-not-.*":
        r"header-(\1\2\3\4)(-size)?",
    "(text-)?header-newer-version": "header-version",
    "header-not-valid-json|record-json-not-valid": "json: .*",
    "header-(two-lines|without-line-end)": "frame-not-one-line",
    "header-missing|stream-(block-behind-end|end-twice)": "stream-without-header",
    "stream-empty-file|text-without-grid": "file-without-header|text-without-grid",
    "index-cut|stream-cut-in-block": "stream-cut",
    "index-length-wrong": "index-length",
    "text-token-negative": "token-outside-codebook",
    "(record|text)-((key|json|token)-.*)": r"\2",
    "stream-(header-only|cut-before-next|without-end)": "stream-without-end",
    "stream-(end-.*)-wrong": r"\1",
    "(seam|text)-other-(codec)|seam-other-(codebook)": r"seam-\2\3(-size)?",
    "(seam|text)-other-grid": "seam-(height|width)",
    "text-cut-.*": "text-cut",
    "text-mask-not-announced": "text-mask",
    "text-too-(few|many)-tokens": "text-tokens",
}


def rule_of(name):
    for pattern, rule in RULE_OF_NAME.items():
        found = re.fullmatch(pattern, name)
        if found:
            return found.expand(rule) if "\\" in rule else rule
    return name


def contents(data):
    head, *rest = reader.records(data)
    return head, [repr(each) for each in rest]  # as words: the order of members counts


def shown(path):  # the same, as vq-info shows it
    return contents(subprocess.run(["vq-info", "--text", path], stdout=subprocess.PIPE, check=True).stdout)


def refusal(data):
    try:
        contents(data)
    except zstandard.ZstdError as error:
        return f"zstd: {error}"
    except (json.JSONDecodeError, UnicodeError) as error:
        return f"json: {error}"
    except ValueError as rule:
        return str(rule)
    return None


def trouble(path):
    name, extension = os.path.splitext(os.path.basename(path))
    with open(path, "rb") as file:
        data = file.read()
    said = refusal(data)
    if os.path.basename(os.path.dirname(path)) == "passed":
        if said:
            return f"refused: {said}"
        return None if contents(data) == shown(path) else "vq-info gives another header or other records"
    if not said:
        return "not refused"
    return None if re.fullmatch(rule_of(name), said, re.DOTALL) else f"refused by the rule {said}"


def main(folder):
    paths = sorted(glob.glob(os.path.join(folder, "passed", "*")) + glob.glob(os.path.join(folder, "failed", "*")))
    if not paths:
        print("no golden files in", folder)
    for path in paths:
        found = trouble(path)
        if found:
            print(f"{path}: {found}")


if __name__ == "__main__":
    main(sys.argv[1])
