"""The records of a live stream, as deploy/live.md has them."""
import json
import struct


class Record:
    """A record of a live stream, which read(n) gives the next n bytes of."""
    HELLO, PICTURE, STATUS = 1, 2, 3
    PLACEHOLDER, MORE, GIVEN_UP = 1, 2, 4
    FIELDS = struct.Struct(">4sBBHIIIIQQQ")

    def __init__(self, read):
        (magic, version, self.type, header_bytes, payload_bytes, self.flags, self.sequence,
         self.serial, self.captured_us, self.encoded_us, self.sent_us) = \
            self.FIELDS.unpack(read(self.FIELDS.size))
        assert (magic, version) == (b"FANL", 1) and header_bytes >= self.FIELDS.size, magic
        read(header_bytes - self.FIELDS.size)
        self.payload = read(payload_bytes)

    def json(self):
        return json.loads(self.payload)


def records(read):
    """Every record of a live stream; a picture that comes in several is given as the last."""
    payload = b""
    while True:
        record = Record(read)
        record.payload = payload = payload + record.payload
        if record.flags & Record.MORE:
            continue
        payload = b""
        if not record.flags & Record.GIVEN_UP:
            yield record
