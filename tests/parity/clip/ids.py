"""Captions of many kinds and the ids that CLIP's own tokenizer gives them, as JSON lines.

    python ids.py PACKAGE OUT           with CLIP's vocabulary
    python ids.py PACKAGE OUT --small   fewer, with a vocabulary learned here: its merges come first

PACKAGE is the folder of openai-clip's source that holds simple_tokenizer.py and its vocabulary. A
line is {"kind", "text", "ids"}, and "plain" where ftfy's repair of wrongly decoded text changes the
ids: what they are without. No start, end, cut or padding. Text is put into lower case first, as the
released VQ-Diffusion code does.
"""
import collections
import gzip
import html.entities
import json
import os
import random
import sys
import unicodedata

import ftfy

PACKAGE, OUT = sys.argv[1:3]
SMALL = sys.argv[3:] == ["--small"]
sys.path.insert(0, PACKAGE)
import simple_tokenizer  # noqa: E402

random.seed(20)
pick = random.choice


def characters():
    """Every character of a script, all of the large ones' pages thinned out."""
    for code in range(1, 0x20000):
        if unicodedata.category(chr(code)) in ("Cs", "Co", "Cn"):
            continue
        large = 0x3400 <= code < 0xA000 or 0xAC00 <= code < 0xD7A4 or 0x12000 <= code < 0x1BC00
        if not large or code % 13 == 0:
            yield chr(code)


ALL = list(characters())
WORDS = """a an the small large red blue old wooden photograph photo of two three men women dog dogs cat
riding skateboard train station street kitchen with on in under standing next to pizza giraffe zebra
it's they're he'll we've i'd don't can't y'all's 'tis rock'n'roll it'S I'M 2022 3.14 50% #1 @home e-mail
state-of-the-art (close-up) "quoted" 'single' U.S.A. km/h 12:30 $9.99 & ... !!! ?! <3 :-) --- _under_ C++
""".split()
LANGUAGES = """Straße Größe weiß GROẞ Übergröße İstanbul ıssız IĞDIR naïve café CAFÉ façade Œuvre œuf Ångström
smørrebrød Łódź žluťoučký kůň Ελληνικά ΟΔΥΣΣΕΥΣ ΣΑΣ ς Москва ёжик Київ ქართული ՀԱՅԵՐԵՆ שָׁלוֹם العَرَبِيَّة
فارسی हिन्दी বাংলা தமிழ் తెలుగు ไทย ລາວ မြန်မာ ខ្មែរ 东京 東京 日本語 カタカナ ｶﾀｶﾅ ひらがな 한국어 한국 ﬁne ﬂag ﬀ ŉ Ǆ ǆ
ｆｕｌｌ　ｗｉｄｔｈ ！？ ａ１ ½ ² ③ Ⅷ ⅷ ٣ ४ ㊙ ™ № ℃ € £ ¥ ﷼ ʼn ʻokina ‘single’ “double” ‚low‛ „low“ ‹a› «b»""".split()
EMOJI = ["🚀", "👩‍👩‍👧‍👦", "👨🏽‍💻", "🏳️‍🌈", "❤️", "🇩🇪", "1️⃣", "☃", "😀😀", "👍🏿", "🧑‍🚀", "🫠"]
ODD = ["\u200b", "\u200d", "\u200e", "\ufeff", "\u00ad", "\u0301", "\u0308\u0304", "\u0345", "\ufe0f", "\x00",
       "\x07", "\x08", "\x1b", "\x1b[31m", "\x1b[1;31m", "\x1b[٣m", "\x1b[[m", "\x1c", "\x7f", "\u206a", "\ufff9",
       "\ufffd", "\ufffe", "'\u017f", "\u212a", "ſ", "<|startoftext|>", "<|endoftext|>", "<|ENDOFTEXT|>",
       "<|ſtartoftext|>"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\f", "\v", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029",
          "\u202f", "\u205f", "\u3000", "\u0085", "\u180e"]
NUMBERED = ["&#65;", "&#x41;", "&#X6a;", "&#0;", "&#128;", "&#x85;", "&#150;", "&#xd800;", "&#x110000;", "&#1;",
            "&#11;", "&#12;", "&#13;", "&#xfdd0;", "&#xffff;", "&#x1f680;", "&#9999999999;", "&#;", "&#x;", "&#65",
            "&#x41g", "&#xg;", "&#59;", "&#38;", "&#38;amp;", "&amp;#38;", "&#٣;", "&#60;", "&#8217;s", "&#xff06;lt;"]
NAMES = sorted(html.entities.html5)
ENTITIES = ["&" + name for name in NAMES] + NUMBERED + [
    "&amp;amp;", "&amp;amp;amp;amp;lt;", "&notit;", "&notin", "&copy2022", "&nosuchthing;", "&", "&&amp;", "&;",
    "&amp", "&lt;b&gt;", "&quot;x&quot;", "&nbsp;", "&ensp;x", "&Eacute;", "&EACUTE;", "&zwj;", "&amp\u0001;"]
BROKEN = [s.encode().decode("latin-1") for s in ("café", "naïve “quotes”", "Ελληνικά", "東京", "smørrebrød")] + [
    s.encode().decode("windows-1252", "replace") for s in ("it’s", "crème brûlée — fin", "5 €")] + [
    "Ã la mode", "â€œquotesâ€", "L&AMP;AUMLlle", "(à¸‡'âŒ£')à¸‡", "Ã±"]


def some(pool, least, most, between=" "):
    return between.join(pick(pool) for _ in range(random.randint(least, most)))


def lines():
    for at in range(0, len(ALL), 12):
        row = ALL[at:at + 12]
        yield "characters in a row", "".join(row)
        yield "characters between letters", " ".join("a" + c + "b" for c in row)
        yield "characters after an accent", " ".join("e\u0301" + c + "1" + c for c in row)
    for _ in range(4000):
        yield "captions", some(WORDS, 1, 25)
    for _ in range(1500):
        yield "languages", some(WORDS + LANGUAGES * 3, 1, 15, pick([" ", " ", " ", "", ", ", " '"]))
    for _ in range(800):
        yield "emoji", some(WORDS[:20] + EMOJI * 3, 1, 12, pick([" ", ""]))
    for entity in ENTITIES:
        yield "entities", pick(["", "a ", "b"]) + entity + pick(["", ";", " c", "d", "1", "&amp;"])
    for _ in range(1500):
        yield "entities", some(WORDS + ENTITIES, 1, 8, pick([" ", ""])) + pick(["", "\n<\n&eacute;"])
    for _ in range(1500):
        yield "controls and white space", some(WORDS[:30] + ODD * 2 + LANGUAGES, 1, 14, pick(SPACES + [""]))
    everything = WORDS + LANGUAGES + EMOJI + ODD + SPACES + NUMBERED
    for _ in range(2500):
        yield "mixtures", some(everything, 1, 20, "") + "".join(random.choices(ALL, k=random.randint(0, 10)))
    for _ in range(1500):
        yield "apostrophes", "".join(random.choices("'''sStTrReEvVmMlLdD xſ2.’", k=random.randint(1, 30)))
    for _ in range(8):
        yield "long lines", some(WORDS + LANGUAGES, 300, 600)
        yield "long words", "".join(random.choices("abcdefghijklmnop", k=1500))
        yield "long runs", pick(["a", "!", "ab", "é", "東京", ".-", "1"]) * random.randint(500, 1500)
    for text in BROKEN:
        yield "wrongly decoded", text
        yield "wrongly decoded", "a photo of " + text + " on a plate"


def ids_without_repair(tokenizer, text):
    fix, ftfy.fix_text = ftfy.fix_text, lambda t: fix(t, fix_encoding=False)
    try:
        return tokenizer.encode(text)
    finally:
        ftfy.fix_text = fix


def learned_merges(count):
    """Byte pairs by frequency, of the words above."""
    shown = simple_tokenizer.bytes_to_unicode()
    words = collections.Counter()
    for word in WORDS * 3 + LANGUAGES + EMOJI:
        letters = [shown[b] for b in word.lower().encode()]
        words[tuple(letters[:-1] + [letters[-1] + "</w>"])] += 1
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        joined = collections.Counter()
        for word, n in words.items():
            out = []
            for token in word:
                if out and (out[-1], token) == best:
                    out[-1] += token
                else:
                    out.append(token)
            joined[tuple(out)] += n
        words = joined
    return merges


def small_tokenizer(out):
    merges = learned_merges(300)
    text = "".join(f"{a} {b}\n" for a, b in merges)
    out.write(json.dumps({"merges": text}) + "\n")
    path = OUT + ".gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("#version: small\n" + text.rstrip("\n"))  # a last empty line would be one more token
    tokenizer = simple_tokenizer.SimpleTokenizer(path)
    os.remove(path)
    return tokenizer


def chosen(kind):
    """Of the small set: few of each kind, and nothing long."""
    share = {"characters in a row": 0.004, "captions": 0.005, "languages": 0.015, "emoji": 0.01, "mixtures": 0.008,
             "entities": 0.015, "controls and white space": 0.015, "apostrophes": 0.01, "wrongly decoded": 0.2}
    return not SMALL or random.random() < share.get(kind, 0)


def main():
    count, repaired = collections.Counter(), collections.Counter()
    with open(OUT, "w", encoding="utf-8") as out:
        tokenizer = small_tokenizer(out) if SMALL else simple_tokenizer.SimpleTokenizer()
        for kind, text in lines():
            if not chosen(kind):
                continue
            lower = text.lower()
            record = {"kind": kind, "text": text, "ids": tokenizer.encode(lower)}
            tokenizer.cache = {k: v for k, v in tokenizer.cache.items() if len(k) < 30}
            plain = ids_without_repair(tokenizer, lower)
            count[kind] += 1
            if plain != record["ids"]:
                record["plain"] = plain
                repaired[kind] += 1
            out.write(json.dumps(record) + "\n")
    for kind, n in count.items():
        print(f"{kind}: {n} lines, {repaired[kind]} of them repaired by ftfy")


main()
