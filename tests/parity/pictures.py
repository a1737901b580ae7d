"""Pictures: Pillow's pixels beside ours.

  pictures.py table                    prints the table of resample_test.cc: what Pillow makes of a few sizes
  pictures.py compare FOLDER VQ_PIXELS every file below FOLDER, read and framed by both; prints a table

Ours comes from the program tests/picture_pixels, which prints what formats/ makes of a file.
"""

import collections
import hashlib
import os
import subprocess
import sys

import numpy
from PIL import Image, ImageOps

# width, height -> width, height
SIZES = [(53, 31, 16, 9), (53, 31, 53, 12), (53, 31, 80, 64), (53, 31, 20, 31), (7, 5, 64, 64), (640, 480, 256, 256),
         (200, 200, 32, 32), (1, 1, 5, 3), (300, 2, 10, 4), (33, 65, 34, 64)]


def resize(image, size):
    """Across first and then down, as all versions before Pillow 13 do; that one turns the order round where the height
    shrinks much more than the width."""
    return image.resize((size[0], image.size[1]), Image.BICUBIC).resize(size, Image.BICUBIC)


def noise(width, height):
    """The picture of resample_test.cc: bytes of a linear congruential generator."""
    state, out = 12345, bytearray()
    for _ in range(3 * width * height):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(state >> 24)
    return Image.frombytes("RGB", (width, height), bytes(out))


def table():
    print(f"// Pillow {Image.__version__}")
    for w, h, to_w, to_h in SIZES:
        pixels = resize(noise(w, h), (to_w, to_h)).tobytes()
        print(f'    {{{w}, {h}, {to_w}, {to_h}, "{hashlib.sha256(pixels).hexdigest()[:16]}"}},')


# ---- reading

def as_rgb(image):
    """Upright RGB, what is transparent over white, 16 bits rounded to 8: what image.h promises."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode == "I":
        deep = numpy.asarray(image).astype(numpy.int64)
        most = 65535
        grey = (numpy.clip(deep, 0, most) * 255 + most // 2) // most
        image = Image.fromarray(grey.astype(numpy.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, clear)
    return image.convert("RGB")


def pillow(path):
    """Its name of the format, and pixels or the reason why not."""
    kind = "?"
    try:
        with Image.open(path) as image:
            kind = image.format
            image.load()
            return kind, numpy.asarray(as_rgb(image))
    except Exception as error:  # whatever a damaged file makes it throw
        return kind, f"{type(error).__name__}: {error}"


def ours(program, path, *framing):
    result = subprocess.run([program, path, *map(str, framing)], capture_output=True)
    if result.returncode:
        return result.stderr.decode().strip().removeprefix(path + ": ")
    header, _, pixels = result.stdout.partition(b"255\n")
    width, height = map(int, header.split()[1:3])
    return numpy.frombuffer(pixels, numpy.uint8).reshape(height, width, 3)


def verdict(theirs, mine):
    if isinstance(theirs, str) and isinstance(mine, str):
        return "neither reads it", None
    if isinstance(theirs, str):
        return "only we read it", None
    if isinstance(mine, str):
        return "only Pillow reads it", None
    if theirs.shape != mine.shape:
        return "other size", None
    return "both", int(numpy.abs(theirs.astype(int) - mine).max(initial=0))


def paper_val(image, size):
    """The validation transform of VQ-Diffusion's code."""
    width, height = image.size
    if width < height:
        to = (size, int(height * size / width))
    else:
        to = (int(width * size / height), size)
    image = resize(image, to)
    left, top = (to[0] - size) // 2, (to[1] - size) // 2
    return image.crop((left, top, left + size, top + size))


def paper_train(image, size, draws):
    width, height = image.size
    side = min(width, height)
    def offset(slack, draw):
        low = 3 * slack // 8
        return int(low + (max(low + 1, 5 * slack // 8) - low) * draw)
    top, left = offset(height - side, draws[0]), offset(width - side, draws[1])
    image = image.crop((left, top, left + side, top + side))
    most = max(size, min(side, round(9 / 8 * size)))
    t = int(size + (most + 1 - size) * draws[2])
    image = resize(image, (t, t))
    y, x = int(draws[3] * (t - size + 1)), int(draws[4] * (t - size + 1))
    return image.crop((x, y, x + size, y + size))


def center(image, size):
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return resize(image.crop((left, top, left + side, top + side)), (size, size))


DRAWS = (0.31, 0.77, 0.5, 0.93, 0.12)
FRAMINGS = {
    "center": center,
    "squash": lambda image, size: resize(image, (size, size)),
    "paper-val": paper_val,
    "paper-train": lambda image, size: paper_train(image, size, DRAWS),
}


def framing_difference(program, path, pixels):
    """The largest difference of any policy and size, where both start from the same pixels."""
    image = Image.fromarray(pixels)
    worst = 0
    for name, frame in FRAMINGS.items():
        for size in (16, 64):
            if name == "paper-val" and max(image.size) > 64 * min(image.size):
                continue  # Pillow makes all of a long strip
            mine = ours(program, path, name, size, *(DRAWS if name == "paper-train" else ()))
            theirs = numpy.asarray(frame(image, size))
            worst = max(worst, int(numpy.abs(theirs.astype(int) - mine).max()))
    return worst


READ = ("PNG", "JPEG", "WEBP", "PPM", "MPO")


def compare(folder, program):
    counts = collections.Counter()
    differences, framed, notes = collections.defaultdict(collections.Counter), collections.Counter(), []
    for base, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name == "expected.jsonl":
                continue
            path = os.path.join(base, name)
            kind, theirs = pillow(path)
            mine = ours(program, path)
            what, difference = verdict(theirs, mine)
            ours_to_read = kind in READ or not isinstance(mine, str)
            counts[kind if ours_to_read else "other", what] += 1
            if difference is not None:
                differences[kind][min(difference, 9)] += 1
                if difference == 0:
                    framed[framing_difference(program, path, mine)] += 1
            if (what in ("only Pillow reads it", "only we read it", "other size") and ours_to_read) or (difference or 0) > 1:
                detail = mine if isinstance(mine, str) else theirs if isinstance(theirs, str) else \
                    f"differs by up to {difference}" if difference is not None else f"{theirs.shape} and {mine.shape}"
                notes.append(f"{os.path.relpath(path, folder)} ({kind}): {what}: {detail}")
    print("\n".join(notes), end="\n\n")
    kinds = sorted({kind for kind, _ in counts})
    heads = ["both", "only Pillow reads it", "only we read it", "neither reads it", "other size"]
    print("| kind | " + " | ".join(heads) + " | same pixels | off by 1 | by more |")
    print("|" + "---|" * (len(heads) + 4))
    for kind in kinds:
        d = differences[kind]
        more = sum(d.values()) - d[0] - d[1]
        print(f"| {kind} | " + " | ".join(str(counts[kind, h]) for h in heads) + f" | {d[0]} | {d[1]} | {more} |")
    print("\nframed by the four policies, largest difference: " +
          ", ".join(f"{n} pictures {d}" for d, n in sorted(framed.items())))
    return 0 if not framed or max(framed) <= 1 else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["table"]:
        table()
    elif len(sys.argv) == 4 and sys.argv[1] == "compare":
        sys.exit(compare(sys.argv[2], sys.argv[3]))
    else:
        sys.exit(__doc__)
