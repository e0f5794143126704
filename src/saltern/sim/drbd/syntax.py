"""The words of a DRBD configuration file, and the complaint when one is out of place."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(
    r'(?P<skip>\s+|\#[^\n]*)|"(?P<quoted>(?:[^"\\\n]|\\.)*)"|(?P<mark>[{};])|(?P<word>[^\s{};"#]+)'
)

# drbdadm tells the number of the unexpected token; these are the ones of drbdadm-84 and of drbdadm 9.22.
_TOKENS: Final = {
    "global": (258, 258),
    "resource": (259, 259),
    "on": (260, 260),
    "net": (263, 262),
    "disk": (264, 263),
    "skip": (265, 264),
    "syncer": (266, 265),
    "startup": (267, 266),
    "handlers": (271, 270),
    "common": (272, 271),
    "address": (273, 272),
    "device": (275, 273),
    "minor": (276, 274),
    "meta-disk": (277, 275),
    "flexible-meta-disk": (278, 276),
    "protocol": (289, 281),
    "yes": (298, 285),
    "no": (299, 286),
    "ipv4": (314, 301),
    "ipv6": (315, 302),
    "include": (318, 304),
    "floating": (320, 306),
    "volume": (322, 307),
    "options": (327, 311),
    "node-id": (282, 277),
    "connection": (282, 312),
    "connection-mesh": (282, 315),
    "hosts": (282, 316),
    "host": (282, 313),
}
_NUMBER: Final = (281, 280)
_STRING: Final = (282, 281)


class ConfigError(Exception):
    """A configuration that drbdadm refuses; ``stderr`` is what it prints, ``returncode`` what it ends with."""

    def __init__(self, stderr: str, returncode: int = 10) -> None:
        super().__init__(stderr)
        self.stderr = stderr
        self.returncode = returncode


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the file: a mark, a bare word or a quoted text; ``text`` is empty at the end of the file."""

    text: str
    line: int
    quoted: bool = False

    @property
    def at_end(self) -> bool:
        """Whether the file has ended."""
        return not self.text and not self.quoted

    def token(self, generation: str) -> int:
        """The token number that drbdadm reports."""
        which = 0 if generation == "8.4" else 1
        if self.text in "{};" and len(self.text) == 1 and not self.quoted:
            return ord(self.text)
        if self.quoted:
            return _STRING[which]
        return _TOKENS.get(self.text, _NUMBER if self.text.isdigit() else _STRING)[which]


class Words:
    """The words of one file, read from front to back. ``file`` is its name as drbdadm calls it in messages."""

    def __init__(self, text: str, file: str, generation: str) -> None:
        self.file = file
        self.generation = generation
        self._words = _split(text)
        self._at = 0

    def peek(self) -> Word:
        """The next word, without taking it."""
        return self._words[self._at]

    def next(self) -> Word:
        """Take the next word."""
        word = self._words[self._at]
        if not word.at_end:
            self._at += 1
        return word

    def take(self, text: str) -> bool:
        """Take the next word if it is this bare one."""
        word = self.peek()
        if word.text == text and not word.quoted:
            self._at += 1
            return True
        return False

    def expect(self, mark: str) -> Word:
        """Take ``mark`` or complain as drbdadm does (transcript 100)."""
        word = self.next()
        if word.text != mark or word.quoted:
            raise self.unexpected(word, mark, number=True)
        return word

    def value(self) -> Word:
        """Take a word that is a value."""
        word = self.next()
        if word.at_end or (word.text in "{};" and not word.quoted):
            raise self.unexpected(word, "TK_STRING", number=True)
        return word

    def unexpected(self, word: Word, expected: str, *, number: bool = False) -> ConfigError:
        """The complaint about a word; ``number`` adds its token number."""
        token = f" (TK {word.token(self.generation)})" if number else ""
        return ConfigError(
            f"{self.file}:{word.line}: Parse error: '{expected}' expected,\n\tbut got '{word.text}'{token}\n"
        )


@lru_cache(maxsize=4096)
def _split(text: str) -> tuple[Word, ...]:
    """All words of a file; remembered, because one changed file makes all others be read again."""
    words = []
    line = 1
    at = 0
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:  # a lone quote: the rest of the line is one word
            stop = text.find("\n", at)
            words.append(Word(text[at : stop if stop >= 0 else len(text)], line))
            break
        if match.lastgroup == "quoted":
            words.append(Word(re.sub(r"\\(.)", r"\1", match.group("quoted")), line, True))
        elif match.lastgroup != "skip":
            words.append(Word(match.group(), line))
        line += match.group().count("\n")
        at = match.end()
    words.append(Word("", line))
    return tuple(words)
