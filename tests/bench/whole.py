"""What a user waits for, whole: loading, one picture from the prompt to the PNG file, and memory, ours beside diffusers'.

Pipelines with random weights of three sizes, written by diffusers once and imported by vq-import; see README.md here. Each
run is a process, or two of ours in a pipe, from its start to its end; the sides take turns, their files read beforehand.
This program loads no library of the peer: what it held itself would count as theirs and ours.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import sides
import whole_peer

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = {"tiny": 25, "base": 5, "large": 2}
# As in step.py: theirs, ours. int8 does not pay where the network is small.
PAIRS = [("bf16", "bf16"), ("fp32", "auto"), ("bf16", "int8")]
BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
MIB = 1 << 20


def our_environment():
    """Without the folders of CUDA libraries that only the peer's Python needs."""
    environment = dict(os.environ)
    folders = environment.get("LD_LIBRARY_PATH", "").split(":")
    kept = [folder for folder in folders if folder and not folder.startswith(sys.prefix + os.sep)]
    environment.pop("LD_LIBRARY_PATH", None)
    return {**environment, **({"LD_LIBRARY_PATH": ":".join(kept)} if kept else {})}


class Memory(threading.Thread):
    """The most that some processes together had to themselves, in MiB: what is mapped of files is the system's."""

    def __init__(self, processes):
        super().__init__(daemon=True)
        self.pids, self.own, self.ended = [process.pid for process in processes], 0.0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.01):
            self.own = max(self.own, sum(map(self.anonymous, self.pids)))

    @staticmethod
    def anonymous(pid):
        try:
            with open(f"/proc/{pid}/status") as lines:
                return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:")), 0)
        except OSError:  # it has ended
            return 0


def finish(processes, began):
    """Waits for all: seconds since `began`, peak resident MiB of each, and the most of their own at any one time."""
    memory, peaks = Memory(processes), []
    for process in processes:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peaks.append(usage.ru_maxrss / 1024)
    seconds = time.monotonic() - began
    memory.ended.set()
    memory.join()
    for process in processes:
        if process.returncode != 0:
            sys.exit(f"failed with status {process.returncode}: {' '.join(map(str, process.args))}")
    return seconds, peaks, memory.own


def warm(*paths):
    """Reads files, and all files of folders, so that no run waits for the disk."""
    block = bytearray(16 << 20)
    for path in paths:
        files = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names] or [path]
        for name in files:
            with open(name, "rb", buffering=0) as file:
                while file.readinto(block):
                    pass


class Peer:
    def __init__(self, folder, dtype, threads):
        self.pipeline, self.dtype, self.threads = os.path.join(folder, "pipeline"), dtype, threads

    def __call__(self, *picture):
        """picture: steps and the file; without, it is only loaded."""
        warm(self.pipeline)
        began = time.monotonic()
        command = [sys.executable, "-W", "ignore", os.path.join(HERE, "whole_peer.py"), "run", self.pipeline, self.dtype,
                   str(self.threads), repr(began), *map(str, picture)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        seconds, peaks, own = finish([process], began)
        with process.stdout:
            said = json.loads(process.stdout.read())
        return {**said, "seconds": seconds, "mib": peaks[0], "own_mib": own}


class Ours:
    def __init__(self, folder, programs, dtype, threads):
        self.model, self.codec = (os.path.join(folder, name + ".safetensors") for name in ("model", "codec"))
        self.programs, self.dtype, self.threads = programs, dtype, str(threads)
        self.codec_dtype = "bf16" if dtype == "int8" else dtype
        self.environment = our_environment()

    def __call__(self, steps=None, out=None):
        """Without a picture there is no prompt either: both programs load, and have nothing to do."""
        warm(self.model, self.codec)
        sample = [os.path.join(self.programs, "vq-sample"), "-q", "-m", self.model, "--dtype", self.dtype, "-j",
                  self.threads, "--guidance", str(whole_peer.GUIDANCE), "--top-p", str(whole_peer.TOP_P)]
        if steps:
            sample += ["--steps", str(steps), "-p", whole_peer.PROMPT]
        decode = [os.path.join(self.programs, "vq-decode"), "-q", "-m", self.codec, "--dtype", self.codec_dtype, "-j",
                  self.threads, "-f", "-o", out or "-"]
        began = time.monotonic()
        first = subprocess.Popen(sample, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self.environment)
        second = subprocess.Popen(decode, stdin=first.stdout, stdout=subprocess.DEVNULL, env=self.environment)
        first.stdout.close()
        seconds, peaks, own = finish([first, second], began)
        return {"seconds": seconds, "peaks": peaks, "mib": sum(peaks), "own_mib": own}


def start_alone(programs):
    """Seconds of our program that does nothing: what its libraries take, as imports do on the other side."""
    began = time.monotonic()
    subprocess.run([os.path.join(programs, "vq-sample"), "--version"], stdout=subprocess.DEVNULL, check=True,
                   env=our_environment())
    return time.monotonic() - began


def numbers_in(path):
    """How many numbers a file of safetensors holds."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    count = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            size = 1
            for side in tensor["shape"]:
                size *= side
            count += size
    return count


def make_model(size, place, programs):
    """The pipeline, and model and codec made of it, once; it appears under its name when it is whole."""
    folder = os.path.join(place, size)
    if os.path.exists(folder):
        return folder
    part = folder + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(place, exist_ok=True)
    print(f"makes {folder}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-W", "ignore", os.path.join(HERE, "whole_peer.py"), "make", size, part], check=True)
    subprocess.run([os.path.join(programs, "vq-import"), "-q", os.path.join(part, "pipeline"), "-o",
                    os.path.join(part, "model.safetensors"), "--codec-out", os.path.join(part, "codec.safetensors")],
                   check=True, env=our_environment())
    os.rename(part, folder)
    return folder


def shape_of_png(path):
    with open(path, "rb") as file:
        head = file.read(24)
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        sys.exit(f"{path} is no PNG picture")
    return struct.unpack(">II", head[16:24])


def bf16_in_hardware():
    """What vq-sample's auto asks for."""
    with open("/proc/cpuinfo") as lines:
        flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return "avx512bw" in flags and ("avx512_bf16" in flags or "amx_bf16" in flags)


def take_turns(options, steps, theirs, ours):
    """Loads and pictures of either side; the first of each does not count."""
    runs = {"peer_load": [], "ours_load": [], "peer_picture": [], "ours_picture": []}
    with tempfile.TemporaryDirectory() as work:
        pictures = [os.path.join(work, name) for name in ("peer.png", "ours.png")]
        for turn in range(options.repeats + 1):
            results = {"peer_load": theirs(), "ours_load": ours(), "peer_picture": theirs(steps, pictures[0]),
                       "ours_picture": ours(steps, pictures[1])}
            if turn == 0:
                continue
            for name, result in results.items():
                runs[name].append(result)
        shapes = [shape_of_png(picture) for picture in pictures]
    if shapes[0] != shapes[1]:
        sys.exit(f"the pictures differ in size: theirs {shapes[0]}, ours {shapes[1]}")
    return runs


def measure(options, size, pair, folder, programs, tables):
    dtype_peer, dtype_ours = pair
    steps = options.steps or STEPS[size]
    ours = Ours(folder, programs, dtype_ours, options.threads)
    runs = take_turns(options, steps, Peer(folder, dtype_peer, options.threads), ours)
    of = lambda name, what: sides.median([run[what] for run in runs[name]])
    most = lambda name, what: max(run[what] for run in runs[name])
    meant = dtype_ours if dtype_ours != "auto" else "bf16" if bf16_in_hardware() else "fp32"
    codec_bytes = 2 if meant == "int8" else BYTES[meant]
    counts = numbers_in(ours.model), numbers_in(ours.codec)
    weights = (counts[0] * BYTES[meant] + counts[1] * codec_bytes) / MIB

    load = of("peer_load", "load_s"), of("ours_load", "seconds")
    picture = of("peer_picture", "seconds"), of("ours_picture", "seconds")
    imports = sides.median([run["import_s"] + run["load_s"] for run in runs["peer_load"]])
    memory = most("peer_picture", "mib"), most("ours_picture", "mib")
    own = most("peer_picture", "own_mib"), most("ours_picture", "own_mib")
    said = runs["peer_load"][0]
    common = {"bench": "whole", "size": size, "device": "cpu", "dtype_peer": dtype_peer, "dtype_ours": dtype_ours,
              "batch": 1, "threads": options.threads, "repeats": options.repeats,
              "peer": f"diffusers {said['diffusers']}", "torch": said["torch"], "processor": sides.processor()}
    sides.append_json(options.json, [
        {**common, "part": "load", "peer_s": load[0], "ours_s": load[1], "ratio": load[0] / load[1],
         "peer_with_imports_s": imports,
         "ours_start_s": sides.median([start_alone(programs) for _ in range(options.repeats)])},
        {**common, "part": "picture", "steps": steps, "peer_s": picture[0], "ours_s": picture[1],
         "ratio": picture[0] / picture[1], "peer_import_s": of("peer_picture", "import_s"),
         "peer_load_s": of("peer_picture", "load_s"), "peer_call_s": of("peer_picture", "call_s")},
        {**common, "part": "memory", "steps": steps, "peer_mib": memory[0], "ours_mib": memory[1],
         "ratio": memory[0] / memory[1], "peer_own_mib": own[0], "ours_own_mib": own[1],
         "ours_programs_mib": [max(run["peaks"][i] for run in runs["ours_picture"]) for i in range(2)],
         "weights": sum(counts), "weights_mib": weights}])
    tables["times"].append([size, dtype_peer, dtype_ours, imports, *load, load[0] / load[1], steps, *picture,
                            picture[0] / picture[1]])
    tables["memory"].append([size, dtype_peer, dtype_ours, *map(round, (
        memory[0], own[0], memory[1], own[1], weights, 1.1 * weights + 100))])


def main():
    options = sides.options("whole", repeats=3, sizes=list(STEPS), steps="of a picture; by default "
                            + ", ".join(f"{count} for {size}" for size, count in STEPS.items()))
    programs = os.path.abspath(os.path.join(options.programs, os.pardir, "bin"))
    place = os.path.abspath(os.path.join(options.programs, os.pardir, "bench-models"))
    folders = {size: make_model(size, place, programs) for size in options.sizes}
    tables = {"times": [], "memory": []}
    for size, folder in folders.items():
        for pair in PAIRS[:2] if size == "tiny" else PAIRS:
            print(f"{size}, {pair[0]} beside {pair[1]}", file=sys.stderr, flush=True)
            measure(options, size, pair, folder, programs, tables)
    print(f"whole processes, guidance {whole_peer.GUIDANCE:g}, top-p {whole_peer.TOP_P}, one picture, {options.threads} "
          f"threads, medians of {options.repeats}, seconds\n{sides.processor()}\n")
    sides.print_table(["size", "theirs", "ours", "peer imports + loads", "peer loads", "ours starts + loads", "ratio", "steps",
                       "peer's picture", "ours", "ratio"], tables["times"])
    print("\npeak memory of that picture, MiB; of ours both programs together")
    sides.print_table(["size", "theirs", "ours", "peer", "its own", "ours", "our own", "weights", "weights + 10 % + 100"],
                      tables["memory"])


if __name__ == "__main__":
    main()
