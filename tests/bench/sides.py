"""What the benchmarks share: our side as a program that waits for cases, medians, tables, JSON lines."""

import argparse
import json
import platform
import statistics
import subprocess
import sys


def options(name, repeats, sizes=(), steps=None):
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--programs", required=True, help="folder of our programs")
    parser.add_argument("--threads", type=int, default=2, help="of either side")
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--json", help="append one line per case to this file")
    if steps:
        parser.add_argument("--steps", type=int, help=steps)
    parser.add_argument("--device", default="cpu", help="cpu or cuda, of both sides; where the benchmark knows of it")
    if sizes:
        parser.add_argument("sizes", nargs="*", default=sizes, metavar="SIZE", help=", ".join(sizes))
    return parser.parse_args()


class Ours:
    """A program that reads one case a line and answers with one line of JSON. Between two cases it sleeps in its
    read, so it takes nothing from the other side."""

    def __init__(self, program, *arguments):
        command = [program, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, *case):
        print(*case, file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self):
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.process.args[0]} ended early, status {self.process.wait()}")
        return json.loads(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def median(values):
    return statistics.median(values)


def processor():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def print_table(heads, rows):
    cells = [heads] + [[f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths)), flush=True)


def append_json(path, records):
    if path:
        with open(path, "a") as out:
            for record in records:
                out.write(json.dumps(record) + "\n")
