#!/usr/bin/env python3
"""A second reader of token grids, made from formats/token_grid.md and RFC 8878 alone, to hold that page to its word.

usage: token_grid_reader.py [FILE...]     prints each record as a line of JSON: key, tokens (K for [mask]), more
As a module, read(path) gives (header, keys, tokens, more). What breaks a rule raises Damage with the rule's name.
"""
import array
import json
import struct
import sys
from token_grid_frames import MAGIC, check_index, frame, is_skippable, take
from token_grid_rules import HEADER, JSON_SIZE, SIZE, Damage, fit, header_line, must, parse, record
from token_grid_text import text

END = b'{"end":true,'


def only_line(content, part):
    must(part, without_line_end=content[-1:] == b"\n", two_lines=content.count(b"\n") == 1)
    return content[:-1]


def numbers(column, first, count, n):  # of a bit column of n-bit numbers
    return [int.from_bytes(column[i * n >> 3:i * n + n + 7 >> 3], "little") >> (i * n & 7) & (1 << n) - 1
            for i in range(first, first + count)]


def block(content, head, expected):  # gives them one by one: with K = 1, 130 KB can be 65535 records of 65536 tokens
    must("block", magic=content[:4] == b"VQB1", short_head=len(content) >= 22)
    packing, flags, R, height, width, largest, codec, number = struct.unpack_from("<BBHHHH4sI", content, 4)
    K, T = head["codebook_size"], head["height"] * head["width"]
    must("block", packing_unknown=packing <= 1, flag_unknown=flags <= 1, no_records=R,
         other_height=height == head["height"], other_width=width == head["width"], other_codebook=largest == K - 1,
         other_codec=codec == bytes.fromhex(head["codec"][:8] or "00000000"),
         mask_not_announced=not flags or head["mask"],
         number_repeated=number >= expected, number_gap=number <= expected)
    *keys, rest = content[22:].split(b"\n", R)
    must("block", keys_missing=len(keys) == R)

    def column(count, n, what):
        nonlocal rest
        size = (count * n + 7) // 8
        must("block", **{what + "s_missing": size <= len(rest)})
        must("block", **{"bits_behind_last_" + what: count * n % 8 == 0 or rest[size - 1] >> count * n % 8 == 0})
        taken, rest = rest[:size], rest[size:]
        return taken

    n = (K - 1).bit_length()
    mask, low_n = column(R * T, 1, "mask") if flags else b"", min(n, 8 * packing)
    S = R * T - sum(bin(byte).count("1") * mask.count(byte) for byte in range(256))
    low, high = column(S if low_n else 0, 8, "token"), column(S, n - low_n, "token")
    lines = rest.split(b"\n")[:-1] if rest else [b"{}"] * R
    must("block", json_without_line_end=rest[-1:] in b"\n", json_line_missing=len(lines) == R)
    done = 0
    for key, line, at in zip(keys, lines, range(0, R * T, T)):
        masked = numbers(mask, at, T, 1) if flags else [0] * T
        count = T - sum(masked)
        lows, highs = low[done:done + count] if low_n else [0] * count, numbers(high, done, count, n - low_n)
        tokens = iter([a | b << low_n for a, b in zip(lows, highs)])
        yield record(key, [None if bit else next(tokens) for bit in masked], line, K, "record")
        done += count


def check_end(line, counts, total):
    end = parse(line, "end")
    must("end", not_an_object=type(end) is dict)
    must("stream", end_records_wrong=type(end.get("records")) is int and end["records"] == total,
         end_blocks_wrong=type(end.get("blocks")) is int and end["blocks"] == len(counts))


def binary(file):
    first = head = table = None  # headers of the file and of the stream; the table of the index that may be next
    at = 0
    while magic := file.read(4):
        must("stream", cut_in_block=len(magic) == 4 or not head)
        if is_skippable(magic):
            size = int.from_bytes(take(file, 4), "little")
            must("skippable", too_long=size <= SIZE + JSON_SIZE)
            content = file.read(size)
            must("index" if first and not head else "stream", cut=len(content) == size)
            if magic[0] == 0x5a:
                check_index(content, table and table(at))
                table = None
            at += 8 + size
            continue
        must("stream", trailing_bytes=magic == MAGIC or head or not first)
        must("frame", magic=magic == MAGIC)
        content, size = frame(file)
        must("frame", empty=content)
        kind = content[:4] if content[:4] == b"VQB1" else content[:len(END)]
        if head and kind == END:
            check_end(only_line(content, "end"), counts, total)
            head, table = None, lambda at: struct.pack(f"<4sIQQI{len(counts)}I{len(counts)}H", b"VQIX", header_size,
                                                       at - begin, total, len(counts), *sizes, *counts)
        elif head:
            must("stream", cut_before_next=not content.startswith(HEADER))
            before = total
            for each in block(content, head, before):
                yield each
                total += 1
            sizes.append(size)
            counts.append(total - before)
        else:
            must("header", missing=first or kind not in (b"VQB1", END))
            must("stream", block_behind_end=kind != b"VQB1", end_twice=kind != END)
            head = header_line(only_line(content, "header"), "header")
            begin, header_size, sizes, counts, total, table = at, size, array.array("I"), array.array("H"), 0, None
            if not first:
                yield head
            first = first or head
            fit(first, head, "seam")
        at += size
    must("stream", empty_file=first, header_only=not head or total, without_end=not head)


def records(file):  # of a buffered binary file: first the header, then each record
    start = file.peek(4)[:4]
    return (binary if start in (b"", MAGIC) or is_skippable(start) else text)(file)


def read(path):  # tokens as int32 N x H x W where there is numpy, else as a list of lists
    with open(path, "rb") as file:
        head, *rest = records(file)
    keys, tokens, more = map(list, zip(*rest)) if rest else ([], [], [])
    try:
        import numpy
        tokens = numpy.array(tokens, numpy.int32).reshape(-1, head["height"], head["width"])
    except ImportError:
        pass
    return head, keys, tokens, more


def main(paths):
    for path in paths or ["-"]:
        try:
            with sys.stdin.buffer if path == "-" else open(path, "rb") as file:
                found = records(file)
                next(found)
                for each in found:
                    print(json.dumps(each._asdict()))
        except (Damage, OSError) as damage:
            sys.exit(f"token_grid_reader: {path}: {damage}")


if __name__ == "__main__":
    main(sys.argv[1:])
