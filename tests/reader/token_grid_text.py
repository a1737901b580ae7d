"""The text spelling of token grids."""
import re
from token_grid_rules import LINE_SIZE, check_header, fit, header_line, must, record


def text(file):
    first = last_grid = None
    while line := file.readline(LINE_SIZE + 2):
        body = line.removesuffix(b"\n")
        must("text", line_too_long=len(body) <= LINE_SIZE)
        body = body.removesuffix(b"\r")
        columns = body.split(b"\t")
        if len(columns) == 1 and not body.startswith(b"#{"):
            must("text", one_column=body[:1] in b"#")
            continue
        if len(columns) == 1:
            last_grid, head = None, header_line(body[1:], "text-header")
        else:
            must("text", five_columns=len(columns) <= 4, cut_in_last_line=line.endswith(b"\n") or body.endswith(b"}"))
            key, grid, words, more = (columns + [b"", b""])[:4]
            if grid != last_grid:
                found = re.fullmatch(rb"([0-9]{1,9})x([0-9]{1,9}):([0-9]{1,9})(_?):([^:]*)", grid)
                must("text", without_grid=found)
                H, W, K, mask, codec = found.groups()
                head = check_header({"format": "vq-token-grid", "version": 1, "height": int(H), "width": int(W),
                                     "codebook_size": int(K), "codec": codec.decode("latin-1"), "mask": bool(mask)},
                                    "text")
                last_grid = grid
        if not first:
            yield head
        first = first or head
        fit(first, head, "text")
        if len(columns) > 1:
            words = [word for word in words.split(b" ") if word]
            must("text", not_a_token=all(re.fullmatch(rb"_|-?[0-9]{1,4000}", word) for word in words),
                 too_few_tokens=len(words) >= head["height"] * head["width"],
                 too_many_tokens=len(words) <= head["height"] * head["width"],
                 mask_not_announced=head["mask"] or b"_" not in words)
            tokens = [None if word == b"_" else int(word) for word in words]
            yield record(key, tokens, more or b"{}", head["codebook_size"], "text")
    must("text", without_grid=first)
