#!/usr/bin/env python3
"""A second reader of token grids, made from formats/token_grid.md and RFC 8878 alone, to hold that page to its word.
usage: token_grid_reader.py FILE...     prints each record as a line of JSON: key, tokens (K for [mask]), members
As a module, records(bytes) gives the header, then each record; ValueError or zstandard.ZstdError names a broken rule.
"""
import itertools, json, re, struct, sys, zstandard
DATA, INDEX, SKIPPABLE = b"\x28\xb5\x2f\xfd", b"\x5a\x2a\x4d\x18", re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
HEADER, END, CONTENT, JSON, LINE = b'{"format":"vq-token-grid",', b'{"end":true,', 8 << 20, 256 << 10, 1 << 20

def must(**rules):  # a rule is kept when its value is true; the first that is not is named
    for rule, kept in rules.items():
        if not kept:
            raise ValueError(rule.replace("_", "-"))

def parse(line):
    brackets = re.findall(rb"[][{}]", re.sub(rb'"(?:[^"\\]|\\.)*"', b"", line))
    depths = itertools.accumulate(1 if bracket in b"[{" else -1 for bracket in brackets)
    must(json_too_long=len(line) <= JSON, json_too_deep=max(depths, default=0) <= 64)
    value = json.loads(line.decode(), parse_int=lambda word: int(word) if -2**63 <= int(word) < 2**64 else float(word))
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # fails for NaN, 1e999, half a surrogate pair
    must(json_not_an_object=type(value) is dict)
    return value

def header(line):
    must(header_other_format=line.startswith(HEADER), header_too_long=len(line) < JSON)
    head = {"codec": "", "mask": False, "history": [], **parse(line)}
    for name, most in ("version", 1), ("height", 65535), ("width", 65535), ("codebook_size", 65536):
        must(**{f"header_{name}": type(head.get(name)) is int and 1 <= head[name] <= most})
    must(header_too_many_tokens=head["height"] * head["width"] <= 65536, header_history=type(head["history"]) is list,
         header_mask=type(head["mask"]) is bool, header_codec=re.fullmatch("([0-9a-f]{8,128})?", str(head["codec"])))
    return head
def record(key, tokens, line, K):  # of tokens that are None for [mask]
    must(key_empty=key, key_too_long=len(key) <= 4096, key_control_character=not re.search(rb"[\0-\x1f\x7f]", key),
         token_outside_codebook=all(token is None or 0 <= token < K for token in tokens))
    return key.decode("utf-8", "surrogateescape"), [K if token is None else token for token in tokens], parse(line)

def frame(data, at):  # the content of the data frame at this place, and where it ends
    must(frame_magic=data[at:at + 4] == DATA, stream_cut=len(data) >= at + 13)
    must(frame_reserved_bit=not data[at + 4] & 8, frame_without_checksum=data[at + 4] & 4,
         frame_with_dictionary=not data[at + 4] & 3, frame_without_content_size=data[at + 4] >> 5)
    size = zstandard.get_frame_parameters(data[at:at + 18]).content_size
    must(frame_empty=size, frame_over_8_mib=size <= CONTENT)
    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
    content = unpacker.decompress(data[at:at + size + JSON])
    must(frame_too_long=unpacker.eof or len(data) < at + size + JSON, stream_cut=unpacker.eof)
    return content, min(len(data), at + size + JSON) - len(unpacker.unused_data)

def split(rest, bits):  # a bit column of so many bits, and what is behind it
    size = (bits + 7) // 8
    last = (rest[:size] or b"\0")[-1]
    must(block_tokens_missing=size <= len(rest), block_bits_behind_last_token=last >> (bits % 8 or 8) == 0)
    return rest[:size], rest[size:]
def numbers(column, first, count, n):  # of a bit column of n-bit numbers
    at = range(first * n, (first + count) * n, n) if n else [0] * count
    return [int.from_bytes(column[bit >> 3:bit + n + 7 >> 3], "little") >> bit % 8 & (1 << n) - 1 for bit in at]

def block(content, head, expected):  # gives one record after the other: with K = 1, 65535 of them may be 4 G tokens
    must(block_magic=content[:4] == b"VQB1", block_short_head=len(content) >= 22)
    packing, flags, R, height, width, largest, codec, number = struct.unpack_from("<BBHHHH4sI", content, 4)
    K, T, n = head["codebook_size"], head["height"] * head["width"], (head["codebook_size"] - 1).bit_length()
    *keys, rest = content[22:].split(b"\n", R)
    must(block_packing_unknown=packing <= 1, block_flag_unknown=flags <= 1, block_no_records=R,
         block_other_grid=(height, width) == (head["height"], head["width"]), block_other_codebook=largest == K - 1,
         block_other_codec=codec == bytes.fromhex(head["codec"][:8] or "0" * 8), block_number=number == expected,
         block_mask_not_announced=not flags or head["mask"], block_keys_missing=len(keys) == R)
    mask, rest = split(rest, R * T * flags)
    S = R * T - sum(bin(byte).count("1") * mask.count(byte) for byte in range(256))
    low_n, high_n = (8 if n else 0, max(n - 8, 0)) if packing == 1 else (0, n)
    low, rest = split(rest, S * low_n)
    high, rest = split(rest, S * high_n)
    lines = rest.split(b"\n")[:-1] if rest else [b"{}"] * R
    must(block_json_without_line_end=rest[-1:] in b"\n", block_json_line_missing=len(lines) == R)
    done = 0
    for i, key, line in zip(range(R), keys, lines):
        masked = numbers(mask, i * T, T, flags)
        S = masked.count(0)
        tokens = iter([a | b << low_n for a, b in zip(numbers(low, done, S, low_n), numbers(high, done, S, high_n))])
        yield record(key, [None if bit else next(tokens) for bit in masked], line, K)
        done += S
    return R
def skippable(data, at):  # where it ends; only an index is looked into
    size = int.from_bytes(data[at + 4:at + 8], "little")
    body = data[at + 8:at + 8 + size]
    must(skippable_too_long=size <= CONTENT + JSON, stream_cut=len(body) == size)
    if data[at:at + 4] == INDEX:
        must(index_length=body[-8:] == struct.pack("<I", size + 8) + b"VQIX")
        table, end = frame(body[:-8], 0)
        blocks = int.from_bytes(table[24:28], "little")
        must(index_table=table[:4] == b"VQIX" and end == size - 8, index_size=len(table) == 28 + 6 * blocks <= 6000028)
    return at + 8 + size
def binary(data):
    head = at = 0
    while at < len(data):
        if SKIPPABLE.match(data, at):
            at = skippable(data, at)
            continue
        content, at = frame(data, at)
        must(frame_not_one_line=content[:1] != b"{" or re.fullmatch(rb"[^\n]+\n", content))
        if not head:
            must(stream_without_header=content[:4] != b"VQB1" and not content.startswith(END))
            yield (head := header(content[:-1]))
            total = blocks = 0
        elif content.startswith(END):
            end = parse(content[:-1])
            must(end_records=repr(end.get("records")) == str(total), end_blocks=repr(end.get("blocks")) == str(blocks))
            head = None
        else:
            must(stream_without_end=not content.startswith(HEADER))
            total += yield from block(content, head, total)
            blocks += 1
    must(stream_without_end=not head)

def text(data):
    lines = data.split(b"\n")
    must(text_cut=b"\t" not in lines[-1] or lines[-1].endswith(b"}"))
    for line in lines:
        columns = line.removesuffix(b"\r").split(b"\t")
        must(text_line_too_long=len(line) <= LINE, text_five_columns=len(columns) <= 4)
        if line.startswith(b"#{") and len(columns) == 1:
            yield header(columns[0][1:])
        elif len(columns) == 1:
            must(text_one_column=columns[0][:1] in b"#")
        else:
            key, grid, words, more = (columns + [b"", b""])[:4]
            found = re.fullmatch(rb"0*([0-9]+)x0*([0-9]+):0*([0-9]+)(_?):([^:]*)", grid)
            must(text_without_grid=found)
            H, W, K, mask, codec = found.groups()
            line = HEADER + b'"version":1,"height":%s,"width":%s,"codebook_size":%s,"codec":"%s"}' % (H, W, K, codec)
            yield {**header(line), "mask": mask != b""}
            words = [word for word in words.split(b" ") if word]
            must(text_not_a_token=all(re.fullmatch(rb"_|-?[0-9]{1,4000}", word) for word in words),
                 text_tokens=len(words) == int(H) * int(W), text_mask=mask or b"_" not in words)
            yield record(key, [None if word == b"_" else int(word) for word in words], more or b"{}", int(K))

def records(data):
    first = None
    for each in (binary if not data or data[:4] == DATA or SKIPPABLE.match(data) else text)(data):
        if type(each) is not dict or not first:
            yield each
        if type(each) is dict:
            first = first or each
            short, long = sorted((first["codec"], each["codec"]), key=len)
            must(**{f"seam_{name}": first[name] == each[name] for name in ("height", "width", "codebook_size")},
                 seam_codec=short == long or (short and long.startswith(short)))
    must(file_without_header=first)

if __name__ == "__main__":
    for path in sys.argv[1:]:
        for each in list(records(open(path, "rb").read()))[1:]:
            print(json.dumps(each))
