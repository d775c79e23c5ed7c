"""Markers of transactions in the mock cluster's partitions: it writes none by itself, but stores what a Produce request
brings."""
import socket, struct


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def text(word):
    return struct.pack(">h", len(word)) + word.encode()


def marker():
    """A record batch (version 2) with one control record: a commit, as a coordinator writes it."""
    # Attributes, time and offset deltas; a key of 4 bytes (version 0, type 1), a value of 6, no headers. Lengths are zigzag.
    record = bytes([0, 0, 0, 8, 0, 0, 0, 1, 12, *[0] * 6, 0])
    record = bytes([2 * len(record)]) + record
    # Attributes (transactional, control), last offset delta, both times, producer, its epoch, sequence, count.
    body = struct.pack(">hiqqqhii", 0x30, 0, 1_700_000_000_000, 1_700_000_000_000, -1, -1, -1, 1) + record
    return struct.pack(">qiibI", 0, len(body) + 9, 0, 2, crc32c(body)) + body


def append(topic, partition, address):
    """Appends a marker; `address` is a stream's, of a cluster with one broker."""
    host, port = address.removeprefix("kafka://").split("/")[0].split(":")
    batch = marker()
    # Produce, version 3: correlation, client, no transaction, acks of the leader, 5 s, one topic, one partition.
    request = (struct.pack(">hhi", 0, 3, 1) + text("test") + struct.pack(">hhii", -1, 1, 5000, 1) + text(topic)
               + struct.pack(">iii", 1, partition, len(batch)) + batch)
    with socket.create_connection((host, int(port)), timeout=10) as broker:
        broker.sendall(struct.pack(">i", len(request)) + request)
        answer = broker.makefile("rb")
        body = answer.read(struct.unpack(">i", answer.read(4))[0])
    error = struct.unpack_from(">h", body, 4 + 4 + 2 + len(topic) + 4 + 4)[0]
    if error:
        raise RuntimeError(f"the marker was refused: error {error}")
