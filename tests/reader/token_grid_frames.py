"""zstd frames, each whole and with every check that formats/token_grid.md asks for; the index, which has one inside."""
import io
import struct
import zstandard
from token_grid_rules import JSON_SIZE, SIZE, Damage, must

MAGIC = b"\x28\xb5\x2f\xfd"


def take(file, size):  # the callers check the size first, so that no input decides on memory
    data = file.read(size)
    must("stream", cut_in_block=len(data) == size)
    return data


def frame(file):  # the content of a data frame and the frame's size; its first four bytes are read already
    data, last = bytearray(MAGIC + take(file, 1)), 0
    bits, single = data[4], data[4] >> 5 & 1
    must("frame", reserved_bit=not bits & 8, without_checksum=bits & 4, with_dictionary=not bits & 3,
         without_content_size=single or bits >> 6)
    data += take(file, 1 - single + (1 << (bits >> 6)))
    size = int.from_bytes(data[6 - single:], "little") + (256 if bits >> 6 == 1 else 0)
    must("frame", over_8_mib=size <= SIZE)
    while not last:
        data += take(file, 3)
        last, kind, more = data[-3] & 1, data[-3] >> 1 & 3, int.from_bytes(data[-3:], "little") >> 3
        more = (1 if kind == 1 else more) + 4 * last  # kind 1 repeats a byte; a checksum is behind the last block
        must("frame", block_type=kind != 3, too_long=len(data) + more <= size + JSON_SIZE)
        data += take(file, more)
    try:
        return zstandard.ZstdDecompressor().decompress(bytes(data)), len(data)
    except zstandard.ZstdError as error:
        must("frame", checksum_wrong="checksum" not in str(error), broken=False)


def is_skippable(magic):
    return magic[0] >> 4 == 5 and magic[1:] == b"\x2a\x4d\x18"


def check_index(content, table):  # the table that the stream before it should have, where one has just ended
    file = io.BytesIO(content[:-8])
    must("index", length_wrong=content[-8:] == struct.pack("<I", len(content) + 8) + b"VQIX")
    try:
        must("frame", magic=file.read(4) == MAGIC)
        found = frame(file)[0]
    except Damage as damage:
        raise Damage("index-" + str(damage).partition("-")[2]) from None
    blocks = int.from_bytes(found[24:28], "little")
    must("index", trailing_bytes=not file.read(), table_magic=found[:4] == b"VQIX", too_many_blocks=blocks <= 1000000,
         table_size=len(found) == 28 + 6 * blocks, table_wrong=table is None or found == table)
