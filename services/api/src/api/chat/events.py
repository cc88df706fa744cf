"""Server-sent events, as the HTML standard has them: reading those of the chat server, and writing our own."""

import orjson
from aiohttp import ClientError, StreamReader

from api.chat.errors import ChatBroken, ChatInvalid
from warmstart.errors import ServiceError

LONGEST = 2**20  # bytes of one event; OpenAI's chunks have 200 to 300
DONE = b"data: [DONE]\n\n"
BOM = b"\xef\xbb\xbf"
BROKE = "the answer of the chat server broke off"


class Events:
    """The events of a stream, as far as they have data. Comments and other fields are left out."""

    def __init__(self, content: StreamReader) -> None:
        self._content = content
        self._arrived: list[bytes] = []  # whole lines, the next one last
        self._line = b""  # the beginning of one
        self._data: list[bytes] = []
        self._size = 0  # of the data
        self._begins = True
        self._after_return = False  # whether a line feed would belong to the line before

    async def next(self) -> bytes | None:
        """The data of the next event, or None at the end: what the last event lacks, it lacks.

        Raises ChatBroken when the connection fails, ChatInvalid for an event that is larger than `LONGEST`.
        """
        while True:
            while self._arrived:
                if (data := self._take(self._arrived.pop())) is not None:
                    return data
            try:
                piece = await self._content.readany()
            except (ClientError, OSError) as error:
                raise ChatBroken(BROKE) from error
            if not piece:
                return None
            self._split(piece)

    def _split(self, piece: bytes) -> None:
        if self._after_return:
            piece = piece.removeprefix(b"\n")
        self._after_return = piece.endswith(b"\r")
        lines = (self._line + piece).splitlines(keepends=True)
        self._line = lines.pop() if lines and not lines[-1].endswith((b"\r", b"\n")) else b""
        _bound(len(self._line))
        self._arrived = [line.rstrip(b"\r\n") for line in reversed(lines)]

    def _take(self, line: bytes) -> bytes | None:
        """The data of the event that this line ends."""
        if self._begins:
            self._begins, line = False, line.removeprefix(BOM)
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
                self._size += len(value) + 1
                _bound(self._size)
            return None
        data, self._data, self._size = self._data, [], 0
        return b"\n".join(data) if data else None


def _bound(size: int) -> None:
    if size > LONGEST:
        raise ChatInvalid(f"an event of the chat server is larger than {LONGEST} bytes")


def written(data: bytes) -> bytes:
    """An event with this JSON."""
    return b"data: %b\n\n" % data


def failed(error: ServiceError) -> bytes:
    """The last event of a stream that can't go on: OpenAI's clients raise it as an APIError."""
    body = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return written(orjson.dumps({"error": body}))
