"""Messages between machines: ZeroMQ with CURVE. Everybody has a key pair; only known keys are let in.

Who has sent a message is told by the key of its connection (ZAP, ZeroMQ RFC 27), never by the message. What cannot be sent at
once is not sent: a sign of life that waited would be none. Needs pyzmq 24 and libzmq 4.3, which Debian 12 has.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

import zmq
from zmq.utils import z85

from saltern.errors import FileError
from saltern.guard.messages import Answer, Beat, Message
from saltern.guarding.journal import Say
from saltern.guarding.settings import Party, Place
from saltern.guarding.wire import LIMIT_BYTES, WireError, decode, encode
from saltern.model.places import GUARD_KEY
from saltern.run import Host

_ZAP: Final = "inproc://zeromq.zap.01"
_QUEUE: Final = 64  # messages of one connection; a beat comes once a second
_AT_ONCE: Final = 64  # messages that are taken from one socket before the others have their turn
_CONNECT_MS: Final = 2000
_RECONNECT_MS: Final = (200, 2000)


class Key(NamedTuple):
    """A pair, each half as Z85."""

    public: str
    secret: str


class Heard(NamedTuple):
    """A message, from whom it surely is, and the way back for an answer to it."""

    sender: str
    content: Message | Answer
    way: bytes


def read_key(host: Host) -> Key:
    """The key pair of this machine; raises ``FileError`` where there is none."""
    found = host.read_text(GUARD_KEY)
    try:
        if found is not None:
            secret = found.strip()
            return Key(zmq.curve_public(secret.encode()).decode(), secret)
    except (ValueError, zmq.ZMQError):
        pass  # and nothing of it is shown
    reason = "there is no such file" if found is None else "no secret key of CURVE: 40 characters of Z85"
    raise FileError(GUARD_KEY, reason, "Make one with `saltern guard key`")


def make_key(host: Host) -> Key:
    """The key pair of this machine, made where there is none."""
    with suppress(FileExistsError):
        _, secret = zmq.curve_keypair()
        host.create_text(GUARD_KEY, f"{secret.decode()}\n", 0o600)
    return read_key(host)


class Transport:
    """The sockets of one service, all used by one thread: it listens at ``listen`` for those in ``known`` (name to public key),
    and speaks first to those in ``parties``.

    ``patience_s`` is for how long nothing may come from one of these before the connection is made anew: libzmq gives one up for
    good when the other side has refused the key once (session_base.cpp), and TCP takes minutes to notice a reboot.
    """

    def __init__(
        self,
        key: Key,
        listen: Place,
        known: Mapping[str, str],
        parties: Mapping[str, Party],
        patience_s: float,
        say: Say,
    ) -> None:
        self._key, self._say, self._patience_s = key, say, patience_s
        self._known = {z85.decode(public.encode()): name for name, public in known.items()}
        self._parties = parties
        self._context = zmq.Context()
        self._zap = self._context.socket(zmq.REP)
        self._zap.linger = 0
        self._zap.bind(_ZAP)
        self._door = self._open_door(listen)
        self._dialled_s: dict[str, float] = {}
        self._dialled = {name: self._dial(name) for name in parties}
        self.poller = zmq.Poller()
        for each in (self._zap, self._door, *self._dialled.values()):
            self.poller.register(each, zmq.POLLIN)

    def _open_door(self, listen: Place) -> Any:
        door = self._socket(zmq.ROUTER)
        door.curve_server = True
        door.zap_domain = b"saltern"
        try:
            door.bind(listen.endpoint)
        except zmq.ZMQError as error:
            remedy = "See which program has the port, or that the address is this node's"
            raise FileError(listen.endpoint, str(error), remedy) from error
        return door

    def _dial(self, name: str) -> Any:
        party = self._parties[name]
        socket = self._socket(zmq.DEALER)
        socket.curve_serverkey = party.key.encode()
        socket.immediate = True  # nothing waits for a connection that is not there
        socket.connect_timeout = _CONNECT_MS
        socket.reconnect_ivl, socket.reconnect_ivl_max = _RECONNECT_MS
        socket.connect(party.endpoint)
        self._dialled_s[name] = time.monotonic()
        return socket

    def _socket(self, kind: int) -> Any:
        socket = self._context.socket(kind)
        socket.curve_publickey, socket.curve_secretkey = self._key.public.encode(), self._key.secret.encode()
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = _QUEUE
        socket.maxmsgsize = LIMIT_BYTES
        socket.ipv6 = True
        patience_ms = int(self._patience_s * 1000)
        socket.heartbeat_ivl = max(100, patience_ms // 4)
        socket.heartbeat_timeout = patience_ms
        socket.handshake_ivl = patience_ms
        return socket

    def send(self, to: str, message: Message) -> None:
        """Send a message to a party, or drop it."""
        if time.monotonic() - self._dialled_s[to] > self._patience_s:
            self._dial_anew(to)
        with suppress(zmq.Again):
            self._dialled[to].send(encode(message), zmq.NOBLOCK)

    def _dial_anew(self, name: str) -> None:
        self.poller.unregister(self._dialled[name])
        self._dialled[name].close()
        self._dialled[name] = self._dial(name)
        self.poller.register(self._dialled[name], zmq.POLLIN)

    def answer(self, heard: Heard, answer: Answer) -> None:
        """Answer a message, or drop the answer where its way has gone."""
        with suppress(zmq.ZMQError):
            self._door.send_multipart([heard.way, encode(answer)], zmq.NOBLOCK)

    def receive(self, ready: Mapping[Any, int]) -> Iterator[Heard]:
        """The messages that have come; what is none, or says that it is somebody else's, is dropped and told.

        ``ready`` is what the poller has found.
        """
        if self._zap in ready:
            self._let_in()
        if self._door in ready:
            yield from self._requests()
        for name, socket in list(self._dialled.items()):
            if socket in ready:
                yield from self._answers(name, socket)

    def _requests(self) -> Iterator[Heard]:
        for frames in _taken(self._door):
            # Both frames have what the handshake has told of the connection.
            sender = str(frames[-1].get("User-Id"))
            if len(frames) != 2:
                self._say(f"from {sender}", f"dropped: {len(frames)} frames; allowed: 2")
                continue
            content = self._decoded(sender, frames[1].bytes)
            if isinstance(content, Message):
                claimed = content.node if isinstance(content, Beat) else content.by
                if claimed == sender:
                    yield Heard(sender, content, frames[0].bytes)
                else:
                    self._say(f"from {sender}", f"dropped: a {type(content).__name__} in the name of {claimed!r}")
            elif content is not None:
                self._say(f"from {sender}", f"dropped: a {type(content).__name__} that was not asked for")

    def _answers(self, name: str, socket: Any) -> Iterator[Heard]:
        for frames in _taken(socket):
            self._dialled_s[name] = time.monotonic()
            content = self._decoded(name, frames[0].bytes) if len(frames) == 1 else None
            if isinstance(content, Answer):
                yield Heard(name, content, b"")
            else:
                self._say(f"from {name}", "dropped: what is no answer")

    def _decoded(self, sender: str, data: bytes) -> Message | Answer | None:
        try:
            return decode(data)
        except WireError as error:
            self._say(f"from {sender}", f"dropped: {error}")
            return None

    def _let_in(self) -> None:
        """Answer libzmq, which asks about each new connection: its name, or no entry (ZeroMQ RFC 27)."""
        for frames in _taken(self._zap):
            version, number, *_, mechanism, public = (each.bytes for each in frames[:7])
            name = self._known.get(public) if (version, mechanism) == (b"1.0", b"CURVE") else None
            address = frames[3].bytes.decode(errors="replace")
            if name is None:
                self._say(f"connection from {address}", "refused: its key is not known here")
                self._zap.send_multipart([version, number, b"400", b"unknown key", b"", b""])
            else:
                self._zap.send_multipart([version, number, b"200", b"OK", name.encode(), b""])

    def close(self) -> None:
        """End all connections."""
        for each in (self._door, *self._dialled.values(), self._zap):
            each.close(linger=0)
        self._context.term()


def _taken(socket: Any) -> Iterator[list[Any]]:
    for _ in range(_AT_ONCE):
        try:
            yield socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return


class Wake:
    """How other threads wake the one that polls: a pipe that the poller watches."""

    def __init__(self) -> None:
        self.fd, self._write = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)

    def __call__(self) -> None:
        """Wake it."""
        with suppress(BlockingIOError):
            os.write(self._write, b".")

    def heard(self) -> None:
        """It is awake."""
        with suppress(BlockingIOError):
            while os.read(self.fd, 4096):
                pass
