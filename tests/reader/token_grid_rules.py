"""What both spellings of a token grid share: JSON, the header, how streams fit together, a record."""
import collections
import json
import re

HEADER = b'{"format":"vq-token-grid",'
SIZE, JSON_SIZE, LINE_SIZE = 8 << 20, 256 << 10, 1 << 20
Record = collections.namedtuple("Record", "key tokens more")


class Damage(Exception):
    """The name of the rule that was broken."""


def must(part, **rules):
    """A rule is kept when its value is true; the first that is not kept gives the name."""
    for rule, kept in rules.items():
        if not kept:
            raise Damage(f"{part}-{rule}".replace("_", "-"))


def number(digits):
    if float(digits) in (float("inf"), float("-inf")):
        raise ValueError("larger than a number can be")
    return float(digits) if re.search("[.eE]", digits) else int(digits)


def parse(line, part):
    must(part, json_too_long=len(line) <= JSON_SIZE)
    depth = deepest = 0
    for bracket in re.findall(rb"[][{}]", re.sub(rb'"(?:[^"\\]|\\.)*"', b"", line)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(depth, deepest)
    must(part, json_too_deep=deepest <= 64)
    try:
        value = json.loads(line.decode(), parse_constant=number, parse_float=number, parse_int=number)
        json.dumps(value, ensure_ascii=False).encode()  # fails for half of a surrogate pair
        return value
    except ValueError:
        raise Damage(f"{part}-json-not-valid") from None


def header_line(line, part):
    must(part, other_format=line.startswith(HEADER), too_long=len(line) < JSON_SIZE)
    return check_header(parse(line, part), part)


def check_header(head, part):
    head = {"codec": "", "mask": False, "history": [], **head}
    for name, most in ("version", 1), ("height", 65535), ("width", 65535), ("codebook_size", 65536):
        must(f"{part}-without", **{name: name in head})
        must(f"{part}-{name}", not_a_number=type(head[name]) is int)
        must(part, newer_version=name != "version" or head[name] <= most)
        must(f"{part}-{name}".replace("_size", ""), zero=head[name] > 0, too_large=head[name] <= most)
    must(part, too_many_tokens=head["height"] * head["width"] <= 65536,
         codec_not_hexadecimal=re.fullmatch("([0-9a-f]{8,128})?", str(head["codec"])),
         mask_not_boolean=type(head["mask"]) is bool, history_not_a_list=type(head["history"]) is list)
    return head


def fit(head, other, part):
    short, long = sorted((head["codec"], other["codec"]), key=len)
    must(part, other_grid=(head["height"], head["width"]) == (other["height"], other["width"]),
         other_codebook=head["codebook_size"] == other["codebook_size"],
         other_codec=short == long or (short and long.startswith(short)))


def record(key, tokens, line, K, part):
    """Of tokens that are None for [mask]."""
    must(part, key_empty=key, key_too_long=len(key) <= 4096,
         key_control_character=not re.search(rb"[\0-\x1f\x7f]", key),
         token_negative=all(token is None or token >= 0 for token in tokens),
         token_outside_codebook=all(token is None or token < K for token in tokens))
    more = parse(line, part)
    must(part, json_not_an_object=type(more) is dict)
    return Record(key.decode("utf-8", "surrogateescape"), [K if token is None else token for token in tokens], more)
