"""xl.cfg(5) and xl-disk-configuration(5), as far as a domain's life depends on them."""

import re
from dataclasses import dataclass

from saltern.sim.model import DomainDisk

Value = str | list[str]
Config = dict[str, Value]


class Settings(Config):
    """Assignments as they stand in a file, and the lines of their names."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.lines: dict[str, int] = {}


_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\#[^\n]*)
      | (?P<end>[\n;])
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>[0-9][0-9a-fA-Fx]*)
      | (?P<text>"[^"\n]*"|'[^'\n]*')
      | (?P<mark>\+=|[=,\[\]])""",
    re.VERBOSE,
)
_WORDS = {"end": "NEWLINE", "name": "IDENT", "number": "NUMBER", "text": "STRING", "eof": "$end"}
_NUMBERS = ("memory", "maxmem", "vcpus", "maxvcpus")
_LISTS = ("disk", "vif")
# The single values that are read here: a list of anything else may be as xl wants it, and is left as it is.
_TEXTS = (
    *("name", "uuid", "type", "builder", "kernel", "ramdisk", "bootloader", "firmware", "root", "extra", "cmdline"),
    *("on_poweroff", "on_reboot", "on_crash", "tsc_mode"),
)


class ConfigError(Exception):
    """A configuration that xl does not accept, in xl's words."""


@dataclass
class _Token:
    kind: str
    text: str
    line: int


def parse(text: str, path: str) -> Settings:
    """Read assignments of texts, numbers and lists of them; numbers stay the text they were written as."""
    tokens = _tokens(text, path)
    settings = Settings(path)
    while tokens[0].kind != "eof":
        if tokens[0].kind == "end":
            tokens.pop(0)
            continue
        name = _take(tokens, path, "name")
        mark = _take(tokens, path, "mark", "+=", "=").text
        value = _value(tokens, path)
        before = settings.get(name.text)
        added = mark == "+=" and before and isinstance(before, type(value))
        settings[name.text] = before + value if added else value  # type: ignore[operator]
        settings.lines[name.text] = name.line
        _take(tokens, path, "end")
    return settings


def _tokens(text: str, path: str) -> list[_Token]:
    found, at, line = [], 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            near = text[at:].partition("\n")[0] if text[at] in "\"'" else text[at]
            raise ConfigError(f"{path}:{line}: config parsing error near `{near}': lexical error")
        if match.lastgroup != "blank":
            found.append(_Token(str(match.lastgroup), match.group(), line))
        line += match.group().count("\n")
        at = match.end()
    if found and found[-1].kind != "end":
        found.append(_Token("end", "", line))
    return [*found, _Token("eof", "", found[-1].line if found else line)]


def _take(tokens: list[_Token], path: str, kind: str, *texts: str) -> _Token:
    token = tokens[0]
    if token.kind != kind or (texts and token.text not in texts):
        expected = " or ".join(text if len(text) > 1 else f"'{text}'" for text in texts) or _WORDS[kind]
        raise _unexpected(token, path, expected)
    return tokens.pop(0)


def _unexpected(token: _Token, path: str, expected: str) -> ConfigError:
    near = "\\n" if token.text == "\n" else token.text
    found = _WORDS.get(token.kind, f"'{token.text}'")
    return ConfigError(
        f"{path}:{token.line}: config parsing error near `{near}': syntax error, unexpected {found}, expecting {expected}"
    )


def _value(tokens: list[_Token], path: str) -> Value:
    if tokens[0].text != "[":
        return _atom(tokens, path)
    tokens.pop(0)
    items: list[str] = []
    _skip_lines(tokens)
    while tokens[0].text != "]":
        if tokens[0].kind == "eof":
            raise _unexpected(tokens[0], path, "']'")
        items.append(_atom(tokens, path))
        _skip_lines(tokens)
        if tokens[0].text == ",":
            tokens.pop(0)
            _skip_lines(tokens)
    _take(tokens, path, "mark", "]")
    return items


def _skip_lines(tokens: list[_Token]) -> None:
    while tokens[0].text == "\n":
        tokens.pop(0)


def _atom(tokens: list[_Token], path: str) -> str:
    token = tokens[0]
    if token.kind not in ("text", "number"):
        raise _unexpected(token, path, "STRING or NUMBER or '['")
    tokens.pop(0)
    return token.text[1:-1] if token.kind == "text" else token.text


def understood(settings: Settings) -> tuple[Config, list[str]]:
    """What xl goes by, and its warnings: a value of the wrong kind counts as not given (transcripts 414, 430-432)."""
    config: Config = {}
    warnings = []
    for key, value in settings.items():
        wrong = _wrong_kind(key, value)
        if wrong:
            warnings.append(f"{settings.path}:{settings.lines[key]}: warning: parameter `{key}' {wrong}")
        else:
            config[key] = value
    return config, warnings


def _wrong_kind(key: str, value: Value) -> str:
    if key in _LISTS:
        return "" if isinstance(value, list) else "is a single value but should be a list"
    if isinstance(value, list):
        return "is a list but should be a single value" if key in (*_TEXTS, *_NUMBERS) else ""
    return "is not a valid number" if key in _NUMBERS and _number(value) is None else ""


def _number(text: str) -> int | None:
    """A number, decimal, octal or hexadecimal as in C."""
    try:
        return int(text, 8) if re.fullmatch("0[0-7]+", text) else int(text, 0)
    except ValueError:
        return None


def text_of(config: Config, key: str, default: str = "") -> str:
    """A single value."""
    value = config.get(key, default)
    return default if isinstance(value, list) else value


def number_of(config: Config, key: str, default: int) -> int:
    """A number."""
    number = _number(text_of(config, key))
    return default if number is None else number


def list_of(config: Config, key: str) -> list[str]:
    """A list."""
    value = config.get(key, [])
    return value if isinstance(value, list) else []


def kind(config: Config) -> str:
    """pv, pvh or hvm; ``builder`` is the old way to say it."""
    return text_of(config, "type") or ("hvm" if text_of(config, "builder") == "hvm" else "pv")


def disk(specification: str, path: str) -> DomainDisk:
    """Read one disk: ``phy:/dev/drbd1,xvda,w``, ``/dev/drbd1,raw,xvda,rw`` or ``vdev=xvda,script=block-drbd,target=dns``.

    ``path`` is the file it stands in. Raises ConfigError with a line for each thing that is wrong.
    """
    positional, named = _words(specification)
    order = ("target", "vdev", "access") if specification.startswith("phy:") else ("target", "format", "vdev", "access")
    values = dict(zip([key for key in order if key not in named], positional, strict=False)) | named
    faults = [
        f"unknown value for {key}: near `{values[key]}'"
        for key, allowed in _DISK_WORDS.items()
        if values.get(key, allowed[0]) not in allowed
    ]
    faults += [f"unknown parameter: near `{key}={values[key][:1]}'" for key in values if key not in _DISK_KEYS]
    if not faults and not values.get("vdev"):
        faults = ["no vdev specified"]
    if faults:
        start = f"{path}: config parsing error in disk specification: "
        raise ConfigError("\n".join(f"{start}{fault} in `{specification}'" for fault in faults))
    target, script = values.get("target", ""), values.get("script", "")
    mode = "r" if values.get("access", "rw") in ("r", "ro") else "w"
    return DomainDisk(vdev=values["vdev"], path="" if script else target, target=target, script=script, mode=mode)


_DISK_KEYS = ("target", "vdev", "script", "access", "format", "backendtype", "devtype", "discard")
_DISK_WORDS = {"format": ("", "raw", "qcow", "qcow2", "vhd", "qed"), "access": ("", "rw", "w", "ro", "r")}


def _words(specification: str) -> tuple[list[str], dict[str, str]]:
    """What stands in order, and what is named."""
    rest, positional, named = specification.removeprefix("phy:"), [], {}
    while rest:
        rest = rest.lstrip()
        if rest.startswith("target="):  # takes all that follows, commas as well
            named["target"], rest = rest.removeprefix("target=").strip(), ""
            break
        word, _, rest = rest.partition(",")
        key, equals, value = word.strip().partition("=")
        if equals:
            named[key] = value
        else:
            positional.append(key)
    return positional, named


def interface(specification: str) -> tuple[dict[str, str], list[str]]:
    """Read one network interface, ``mac=00:16:3e:00:00:50,bridge=xenbr0``, and what xl says of unknown words."""
    parts = [part.strip() for part in specification.split(",")]
    known = {key: value for key, _, value in (part.partition("=") for part in parts) if value and key in _VIF_KEYS}
    unknown = [part for part in parts if part.partition("=")[0] not in _VIF_KEYS]
    return known, [f"unrecognized argument `{part}'" for part in unknown if part]


_VIF_KEYS = frozenset(
    ("type", "mac", "bridge", "netdev", "model", "rate", "ip", "script", "vifname", "backend", "gatewaydev", "mtu")
)
