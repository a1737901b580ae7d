"""Checkpoints that are broken or mean harm, given to vq-import: none may crash it, hang it, or take much memory.

  python3 import_hostile.py --fixtures DIR [--count N] [--seed N] [--jobs N] [--keep] [--only NUMBER]...

The fixtures are import_sources.py's; vq-import and vq-info come from the PATH; works in the current folder. Each file is
changed in one of the ways below, whichever number it has, and the same for every run with that seed. Every run must end
with status 0 and a file that vq-info calls whole, or with status 1 or 2 and one or two lines that say why; within
CPU_SECONDS and MEMORY. Status 1 of this program where one does not, with what it was; --keep leaves its file.
"""

import argparse
import collections
import concurrent.futures
import io
import json
import os
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import threading
import zipfile

CPU_SECONDS = 20  # a whole one takes a quarter of a second
MEMORY = 256 << 20  # resident; starting takes about 120 MiB, files of these sizes nothing to speak of
ADDRESSES = 16 << 30  # what is asked for, whether used or not

HUGE = [0, -1, 1, 2**31 - 1, 2**32, 2**53, 2**63 - 1, 2**64 - 1, 10**30]


# ---- the ways


def flip(content, draw):
    broken = bytearray(content)
    for _ in range(draw.choice([1, 1, 3, 20])):
        at = draw.randrange(min(len(broken), 20000)) if draw.random() < 0.6 else draw.randrange(len(broken))
        broken[at] = draw.choice([0, 34, 44, 48, 57, 91, 123, 255, broken[at] ^ 1 << draw.randrange(8), draw.randrange(256)])
    return bytes(broken)


def flip_end(content, draw):
    """Where an archive's directory is."""
    broken = bytearray(content)
    for _ in range(draw.choice([1, 2, 8])):
        broken[-1 - draw.randrange(min(len(broken), 4000))] = draw.choice([0, 1, 127, 255, draw.randrange(256)])
    return bytes(broken)


def cut(content, draw):
    return content[: draw.randrange(len(content))]


def swap(content, draw):
    """Two pieces change places: lengths, offsets, names."""
    size = draw.choice([1, 2, 4, 8, 64])
    a, b = sorted(draw.randrange(min(len(content), 30000) - 2 * size) for _ in range(2))
    b = max(b, a + size)
    return content[:a] + content[b : b + size] + content[a + size : b] + content[a : a + size] + content[b + size :]


def rename(content, draw):
    """One letter of a name, everywhere it is written."""
    names = re.findall(rb"[a-z_]+(?:\.[a-z0-9_]+){2,}", content[:30000] + content[-30000:])
    if not names:
        return flip(content, draw)
    name = draw.choice(sorted(names))
    at = draw.randrange(len(name))
    return content.replace(name, name[:at] + bytes([draw.choice(b"abc.#0\x00\xff")]) + name[at + 1 :])


def safetensors_header(content, draw):
    """A header of right length that says something else."""
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    for _ in range(draw.choice([1, 1, 4])):
        name = draw.choice(sorted(n for n in header if n != "__metadata__"))
        tensor, way = header[name], draw.randrange(7)
        if way == 0:
            tensor["shape"] = [draw.choice(HUGE) for _ in range(draw.randrange(5))]
        elif way == 1 and tensor["shape"]:
            tensor["shape"][draw.randrange(len(tensor["shape"]))] = draw.choice(HUGE + [7])
        elif way == 2:
            tensor["data_offsets"] = [draw.choice(HUGE), draw.choice(HUGE)]
        elif way == 3:
            tensor["dtype"] = draw.choice(["F64", "F16", "I64", "BOOL", "U8", "C64", "", 7, None])
        elif way == 4:
            other = draw.choice(sorted(n for n in header if n != "__metadata__"))
            header[name], header[other] = header[other], header[name]
        elif way == 5:
            header[draw.choice(["", "a" * 5000, name + ".0.weight", "é\n", "ema." + name])] = header.pop(name)
        else:  # no numbers: sides may then be anything
            tensor["shape"], tensor["data_offsets"] = [draw.choice([2**40, 2**62, 10**6]), 0], [0, 0]
        if not [n for n in header if n != "__metadata__"]:
            break
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + size :]


def archive_parts(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(parts):
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return to.getvalue()


OPCODES = b"(.012FIJKLMNPQRSTUVXabcdeghijlopqrstu}]GB\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98"


def opcodes(content, draw):
    """The pickle inside with other opcodes and numbers, in a whole archive."""
    parts = archive_parts(content)
    name = next(n for n in parts if n.endswith("data.pkl"))
    broken = bytearray(parts[name])
    for _ in range(draw.choice([1, 1, 2, 10])):
        at = draw.randrange(len(broken))
        way = draw.randrange(4)
        if way == 0:
            broken[at] = draw.choice(OPCODES)
        elif way == 1:
            broken[at : at + 1] = bytes(draw.choice(OPCODES) for _ in range(draw.choice([0, 2, 3, 50])))
        elif way == 2:
            broken[at : at + 4] = struct.pack("<i", draw.choice([-1, 0, 1 << 20, 2**31 - 1]))
        else:
            other = draw.randrange(len(broken))
            broken[at], broken[other] = broken[other], broken[at]
    parts[name] = bytes(broken)
    return archive_of(parts)


def records(content, draw):
    """An archive whose records are fewer, shorter, twice there or called otherwise."""
    parts = archive_parts(content)
    for _ in range(draw.choice([1, 3])):
        name = draw.choice(sorted(parts))
        way = draw.randrange(4)
        if way == 0:
            del parts[name]
        elif way == 1:
            parts[name] = parts[name][: draw.randrange(len(parts[name]) + 1)]
        elif way == 2:
            parts[draw.choice(["../" + name, "/etc/x", name + "0", "a" * 9000, name.upper()])] = parts.pop(name)
        else:
            parts[name] = parts[draw.choice(sorted(parts))]
        if not parts:
            break
    return archive_of(parts)


CALLS = [b"cos\nsystem\n", b"cposix\nsystem\n", b"cbuiltins\neval\n", b"cbuiltins\nexec\n", b"c__builtin__\neval\n",
         b"csubprocess\nPopen\n", b"csubprocess\ncheck_output\n", b"crunpy\n_run_code\n", b"cbuiltins\n__import__\n"]
# PyTorch writes no opcode of the old protocols, two of which call: those are refused by the opcode's name.
NAMES = r"uses opcode '[io]'|(os|posix)\.system|\.eval|\.exec|subprocess\.|runpy\.|\.__import__"


def harm(content, draw):
    """A value that Python would make by running something; it may only be refused by its name."""
    call = draw.choice(CALLS)
    text = b"X" + struct.pack("<I", 12) + b"touch harmed"
    module, name = call[1:-1].split(b"\n")
    stacked = b"".join(b"\x8c" + bytes([len(word)]) + word for word in (module, name)) + b"\x93"
    value = draw.choice([call + b"(" + text + b"tR", call + text + b"\x85R", stacked + text + b"\x85R", call + text + b"\x85\x81",
                         b"(" + text + b"i" + module + b"\n" + name + b"\n", b"(" + call + text + b"o"])
    parts = archive_parts(content)
    pkl = next(n for n in parts if n.endswith("data.pkl"))
    inside = parts[pkl]
    if draw.random() < 0.5:  # beside the real values: {"a": ..., **the others}
        parts[pkl] = inside[:2] + b"}(" + b"X\x01\x00\x00\x00a" + value + b"X\x01\x00\x00\x00b" + inside[2:-1] + b"u."
    else:
        parts[pkl] = b"\x80\x02}X\x05\x00\x00\x00model" + value + b"s."
    return archive_of(parts)


BOTH = [flip, cut, swap, rename]
WAYS = {".safetensors": BOTH + [safetensors_header, safetensors_header], ".pth": BOTH + [flip_end, opcodes, opcodes, records, harm]}


def change_json(path, draw):
    with open(path) as file:
        value = json.load(file)
    if not isinstance(value, dict) or not value:
        value = {"": value}
    for _ in range(draw.choice([1, 1, 3])):
        key, way = draw.choice(sorted(value)), draw.randrange(3)
        if way == 0 and len(value) > 1:
            del value[key]
        elif way == 1:
            value[key] = draw.choice(HUGE + [None, "", [], {}, [[]] * 50, 1e300, 0.5, True, "../../x"])
        elif isinstance(value[key], list) and value[key]:
            value[key][draw.randrange(len(value[key]))] = draw.choice(HUGE)
        else:
            value[key + "x"] = value.pop(key)
    with open(path, "w") as file:
        json.dump(value, file)


# ---- the runs


class Source:
    """What is changed: the file, or one of the folder's files, and how vq-import is asked for it."""

    def __init__(self, path, *options):
        self.path, self.options = path, options

    def broken(self, to, number, draw):
        if os.path.isfile(self.path):
            target = to + os.path.splitext(self.path)[1]
            shutil.copy(self.path, target)
            return target, self.change(target, number, draw)
        shutil.copytree(self.path, to)
        inside = sorted(os.path.join(folder, name) for folder, _, names in os.walk(to) for name in names)
        return to, self.change(draw.choice(inside), number, draw)

    @staticmethod
    def change(path, number, draw):
        ways = WAYS.get(os.path.splitext(path)[1], BOTH)
        if path.endswith(".json") and draw.random() < 0.7:
            change_json(path, draw)
            return "json in " + os.path.basename(path)
        with open(path, "rb") as file:
            content = file.read()
        way = ways[number % len(ways)]
        with open(path, "wb") as file:
            file.write(way(content, draw))
        return f"{way.__name__} in {os.path.basename(path)}"


def limited():
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


GIVEN_UP = "out of memory|bad_alloc|std::|c10::|unknown failure"  # an exception that nobody foresaw


def run(command, place):
    with open(os.path.join(place, "err"), "w+b") as err:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=err, cwd=place, preexec_fn=limited)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        return process.returncode, err.read().decode(errors="replace"), usage


def trouble(status, said, usage, result, way, place):
    if status not in (0, 1, 2):
        return f"status {status}"
    if usage.ru_maxrss > MEMORY >> 10:
        return f"{usage.ru_maxrss >> 10} MiB"
    if re.search(GIVEN_UP, said):
        return "not refused, but given up"
    if os.path.exists(os.path.join(place, "harmed")):
        return "ran what the pickle names"
    if way.startswith("harm") and not (status == 1 and re.search(NAMES, said)):
        return "is not refused by name"
    lines = said.splitlines()
    if status == 0:
        whole = subprocess.run(["vq-info", "-q", result], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        return "" if whole == 0 else "became a broken file"
    if not 1 <= len(lines) <= 2 or not all(line.startswith("vq-import: ") for line in lines):
        return "says it in other than one or two lines"
    return "leaves a file" if os.path.exists(result) else ""


class Campaign:
    def __init__(self, seed, keep):
        self.seed, self.keep, self.lock = seed, keep, threading.Lock()
        self.statuses, self.ways, self.found = collections.Counter(), collections.Counter(), []
        self.memory, self.seconds = 0, 0.0

    def one(self, number, source):
        draw = random.Random(f"{self.seed} {number}")
        place = os.path.abspath(f"hostile{number}")
        os.mkdir(place)
        # Rounds over the sources, each in other ways than its neighbours: thirty-two runs see all of them.
        path, way = source.broken(os.path.join(place, "source"), number // 8 + 3 * (number % 8), draw)
        result = os.path.join(place, "result.safetensors")
        status, said, usage = run(["vq-import", "-q", *source.options, path, "-o", result], place)
        bad = trouble(status, said, usage, result, way, place)
        with self.lock:
            self.statuses[status] += 1
            self.ways[way.split()[0]] += 1
            self.memory = max(self.memory, usage.ru_maxrss >> 10)
            self.seconds = max(self.seconds, usage.ru_utime + usage.ru_stime)
            if bad:
                self.found.append(f"{number}, {os.path.basename(source.path)}, {way}: {bad}: {said[:300]}")
        if not (bad and self.keep):
            shutil.rmtree(place)


def sources(fixtures):
    """The fixtures, and what vq-import makes of them for its peers."""
    fixture = lambda name: os.path.join(fixtures, name)
    groups, heads = ("--groups", "2"), ("--heads", "2")
    text = ("--heads", "4", "--vocabulary", fixture("merges.txt"), "--text-tower")
    make = lambda *command: subprocess.run(["vq-import", "-q", *command], check=True, stderr=subprocess.DEVNULL)
    make(*groups, fixture("taming.safetensors"), "-o", "codec")
    make(*heads, *groups, fixture("checkpoint.safetensors"), "-o", "classes")
    make(*text, fixture("tower.safetensors"), fixture("captions.safetensors"), "-o", "captions")
    make("--to", "microsoft", "classes", "--codec", "codec", "-o", "classes.d")
    make("--to", "microsoft", "captions", "--codec", "codec", "-o", "captions.d")
    make("--to", "diffusers", "captions", "--codec", "codec", "-o", "pipeline.d")
    vocabulary = ("--heads", "4", "--text-heads", "1", *groups, "--vocabulary", os.path.abspath("captions.d/tokenizer"))
    return [Source(fixture("taming.safetensors"), *groups), Source(fixture("taming.pth"), *groups),
            Source("pipeline.d"), Source("classes.d/model.pth", *heads, *groups),
            Source(fixture("checkpoint.safetensors"), *heads, *groups), Source("captions.d/model.pth", *vocabulary),
            Source("pipeline.d"), Source(fixture("captions.safetensors"), *text, fixture("tower.safetensors"))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures", required=True)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--only", type=int, action="append", metavar="NUMBER", help="this one of them, again")
    args = parser.parse_args()
    campaign, all_of_them = Campaign(args.seed, args.keep), sources(args.fixtures)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        numbers = args.only or range(args.count)
        jobs = [pool.submit(campaign.one, n, all_of_them[n % len(all_of_them)]) for n in numbers]
        for job in jobs:
            job.result()
    by_status = ", ".join(f"{n} with status {status}" for status, n in sorted(campaign.statuses.items()))
    ways = ", ".join(f"{way} {n}" for way, n in sorted(campaign.ways.items()))
    print(f"{len(jobs)} files: {by_status}; at most {campaign.memory} MiB and {campaign.seconds:.1f} s of CPU\n{ways}")
    for line in campaign.found:
        print(line)
    sys.exit(1 if campaign.found else 0)


if __name__ == "__main__":
    main()
