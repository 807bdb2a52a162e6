"""What the C12.22 codec costs: a full read of an hourly day (124 octets), per security mode, beside a raw UDP echo in the same run.

Echo and exchange differ in nothing but the codec: two processes, the same calls on the same kind of sockets, as many datagrams
outstanding, a request and a reply of the sizes that the encrypted exchange has. They take turns, round by round; a ratio is the median of
the rounds' own ratios. CPU is that of the busier process: on a shared machine it varies less than the clock.
"""

import multiprocessing
import socket
import statistics
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from headend.c1222.association import Association
from headend.c1222.message import ApTitle, Cipher, SecurityMode, encode_message, open_apdu, parse_apdu
from headend.c1222.services import FullRead, ResponseCode, encode_request
from headend.c1222.table_data import decode_table_data, encode_table_data
from headend.limits import INVOCATION_ID_MAX

HEAD_END = ApTitle.parse(".1.4")
METERS = 256
OUTSTANDING = 64
ROUND_EXCHANGES = 2_000
ROUNDS = 31
IV = 1_753_056_000
BLOCK = bytes(range(124))
READ = (encode_request(FullRead(64)),)
ANSWER = (bytes((ResponseCode.OK,)) + encode_table_data(BLOCK),)
MARK, STOP = b"mark", b"stop"


@dataclass(frozen=True)
class Row:
    """One measurement: what one core does with its CPU, what came by the clock, and both as parts of what the echo did.

    The last three are None where there is but one process.
    """

    name: str
    cpu_microseconds: float
    per_second: float | None = None
    cpu_ratio: float | None = None
    clock_ratio: float | None = None

    @property
    def per_core(self) -> float:
        return 1e6 / self.cpu_microseconds


@dataclass(frozen=True)
class Round:
    """One round of exchanges: the busier process's CPU, and the time it took, both in microseconds an exchange."""

    cpu: float
    clock: float


@dataclass(frozen=True)
class Fleet:
    """Associations of both ends for every meter, by the meter's title."""

    near: list[Association]
    far: dict[bytes, Association]


def fleet(mode: SecurityMode) -> Fleet:
    titles = [ApTitle.parse(f".100.{8_000 + number}") for number in range(METERS)]
    keys = [number.to_bytes(16) for number in range(METERS)]
    near = [Association(HEAD_END, title, mode, 2, Cipher(key)) for title, key in zip(titles, keys, strict=True)]
    far = {title.absolute: Association(title, HEAD_END, mode, 2, Cipher(key)) for title, key in zip(titles, keys, strict=True)}
    return Fleet(near, far)


def answer(far: dict[bytes, Association], octets: bytes) -> bytes:
    """A meter's whole part: whom it is for, is it genuine, the reply."""
    request = parse_apdu(octets)
    association = far[request.called.absolute]
    assert association.open(request) == READ
    return association.encode(ANSWER, 7, IV, reply_to=request.invocation_id)


def cpu_microseconds(work: Callable[[int], object], count: int) -> float:
    """Of one call, in the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for number in range(count):
            work(number)
        best = min(best, time.process_time() - start)
    return best / count * 1e6


def codec_rows(mode: SecurityMode) -> list[Row]:
    """Both ends without a socket, the head-end's alone, and the head-end's the general way."""
    ends = fleet(mode)
    replies = [answer(ends.far, near.encode(READ, 5, IV)) for near in ends.near]
    ciphers = [Cipher(number.to_bytes(16)) for number in range(METERS)]
    requests = [open_apdu(parse_apdu(near.encode(READ, 5, IV)), cipher) for near, cipher in zip(ends.near, ciphers, strict=True)]

    def both(number: int) -> None:
        near = ends.near[number % METERS]
        reply = answer(ends.far, near.encode(READ, 5, IV))
        decode_table_data(near.open(parse_apdu(reply))[0], 1)

    def head_end(number: int) -> None:
        near = ends.near[number % METERS]
        near.encode(READ, 5, IV)
        decode_table_data(near.open(parse_apdu(replies[number % METERS]))[0], 1)

    def head_end_generally(number: int) -> None:
        cipher = ciphers[number % METERS]
        encode_message(requests[number % METERS], cipher)
        decode_table_data(open_apdu(parse_apdu(replies[number % METERS]), cipher).services[0], 1)

    name = f"mode {mode.value}"
    return [
        Row(f"codec, both ends, {name}", cpu_microseconds(both, ROUND_EXCHANGES)),
        Row(f"codec, head-end alone, {name}", cpu_microseconds(head_end, ROUND_EXCHANGES)),
        Row(f"codec, head-end by whole messages, {name}", cpu_microseconds(head_end_generally, ROUND_EXCHANGES)),
    ]


def udp_socket() -> socket.socket:
    """Blocking, on a loopback port of its own; a lost datagram ends the run rather than hanging it."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 120, 0))
    opened.bind(("127.0.0.1", 0))
    return opened


def serve(mode: SecurityMode | None, pipe: Connection) -> None:
    """The far end in a process of its own: an echo without a mode, a fleet of meters with one.

    Tells its port, and the CPU seconds it has used whenever it is sent MARK; ends at STOP.
    """
    far = {} if mode is None else fleet(mode).far
    _, reply = echo_datagrams()
    with udp_socket() as ours:
        pipe.send(ours.getsockname()[1])
        receive, send = ours.recvfrom, ours.sendto
        while True:
            octets, peer = receive(2048)
            if octets == MARK:
                pipe.send(time.process_time())
            elif octets == STOP:
                return
            else:
                send(reply if mode is None else answer(far, octets), peer)


def echo_datagrams() -> tuple[bytes, bytes]:
    """Request and reply of an encrypted exchange, to be sent to and fro with nothing made of them."""
    ends = fleet(SecurityMode.ENCRYPTED)
    request = ends.near[0].encode(READ, INVOCATION_ID_MAX, IV)
    return request, answer(ends.far, request)


class Line:
    """A socket connected to a far end, and what its rounds took."""

    def __init__(self, mode: SecurityMode | None) -> None:
        self.rounds: list[Round] = []
        self._work = echo() if mode is None else exchanges(mode)
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=serve, args=(mode, theirs), daemon=True)
        self._process.start()
        self._socket = udp_socket()
        self._socket.connect(("127.0.0.1", self._pipe.recv()))

    def round(self) -> None:
        """One round of exchanges."""
        far = self._far_seconds()
        near, began = time.process_time(), time.perf_counter()
        self._work(self._socket, ROUND_EXCHANGES)
        clock = time.perf_counter() - began
        near = time.process_time() - near
        far = self._far_seconds() - far
        self.rounds.append(Round(max(near, far) / ROUND_EXCHANGES * 1e6, clock / ROUND_EXCHANGES * 1e6))

    def close(self) -> None:
        self._socket.send(STOP)
        self._socket.close()
        self._process.join(30)

    def _far_seconds(self) -> float:
        self._socket.send(MARK)
        seconds: float = self._pipe.recv()
        return seconds


def echo() -> Callable[[socket.socket, int], None]:
    """Send and receive, as an exchange does."""
    request, _ = echo_datagrams()

    def work(ours: socket.socket, count: int) -> None:
        for _ in range(OUTSTANDING):
            ours.send(request)
        for _ in range(count - OUTSTANDING):
            ours.recv(2048)
            ours.send(request)
        for _ in range(OUTSTANDING):
            ours.recv(2048)

    return work


def exchanges(mode: SecurityMode) -> Callable[[socket.socket, int], None]:
    """A head-end's whole part: build, remember, send; receive, pair by title and invocation id, verify, decode."""
    near = fleet(mode).near

    def work(ours: socket.socket, count: int) -> None:
        waiting: dict[bytes, tuple[int, Association]] = {}

        def send(number: int) -> None:
            association = near[number % METERS]
            invocation_id = number % INVOCATION_ID_MAX + 1
            waiting[association.far.absolute] = (invocation_id, association)
            ours.send(association.encode(READ, invocation_id, IV))

        def receive() -> None:
            apdu = parse_apdu(ours.recv(2048))
            invocation_id, association = waiting.pop(apdu.calling.absolute)
            assert apdu.reply_to == invocation_id
            assert decode_table_data(association.open(apdu)[0], 1) == BLOCK

        for number in range(OUTSTANDING):
            send(number)
        for number in range(OUTSTANDING, count):
            receive()
            send(number)
        for _ in range(OUTSTANDING):
            receive()

    return work


def exchange_row(name: str, line: Line, echoed: Line) -> Row:
    """Medians of a line's rounds, and of their ratios to the echo's."""
    pairs = list(zip(echoed.rounds, line.rounds, strict=True))
    clock = statistics.median(r.clock for r in line.rounds)
    return Row(
        name,
        statistics.median(r.cpu for r in line.rounds),
        1e6 / clock,
        statistics.median(theirs.cpu / ours.cpu for theirs, ours in pairs),
        statistics.median(theirs.clock / ours.clock for theirs, ours in pairs),
    )


def run() -> list[Row]:
    """All measurements, echo first."""
    lines = {mode: Line(mode) for mode in (None, *SecurityMode)}
    try:
        for _ in range(ROUNDS):  # in turns, so that what else the machine does is shared fairly
            for line in lines.values():
                line.round()
    finally:
        for line in lines.values():
            line.close()
    request, reply = map(len, echo_datagrams())
    rows = [exchange_row(f"UDP echo, {request} octets there, {reply} back", lines[None], lines[None])]
    rows += [exchange_row(f"UDP exchange, mode {mode.value}", lines[mode], lines[None]) for mode in SecurityMode]
    for mode in SecurityMode:
        rows += codec_rows(mode)
    key = bytes(16)
    title = ApTitle.parse(".100.8437")
    make = cpu_microseconds(lambda _: Association(HEAD_END, title, SecurityMode.ENCRYPTED, 2, Cipher(key)), ROUND_EXCHANGES // 4)
    rows.append(Row("cipher and association of a conversation", make))
    return rows


def main() -> None:
    """Print the rows."""
    print(f"{'':45} {'':>8} {'':>10} {'':>10} {'of echo, by':>14}")
    print(f"{'':45} {'CPU us':>8} {'per core':>10} {'per s':>10} {'CPU':>7} {'clock':>6}")
    for row in run():
        line = f"{row.name:45} {row.cpu_microseconds:8.2f} {row.per_core:10,.0f}"
        if row.per_second is not None:
            line += f" {row.per_second:10,.0f} {row.cpu_ratio:7.2f} {row.clock_ratio:6.2f}"
        print(line)


if __name__ == "__main__":
    main()
