"""xl of Xen 4.17: the commands, with the words and exit codes of transcripts 103-172 and 228-261.

What no transcript holds follows xl's sources (tools/xl).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saltern.sim import xen, xl_config, xl_migrate, xl_show
from saltern.sim.model import SimDomain, SimNode
from saltern.sim.options import Options, UsageError, parse
from saltern.sim.tools import NeverEnds, Result

if TYPE_CHECKING:
    from saltern.sim.host import SimHost
    from saltern.sim.world import World

_WAIT_S = 600.0


@dataclass(frozen=True)
class _Command:
    run: Callable[["SimHost", SimNode, Options], Result]
    options: dict[str, str]
    operands: int = 0  # at least so many


def run(host: "SimHost", argv: Sequence[str]) -> Result:
    """Answer one xl command."""
    if len(argv) < 2:
        return Result(1, "", "Usage xl [-vfN] <subcommand> [args]\n")
    command = _COMMANDS.get(argv[1])
    if command is None:
        return Result(1, "", "command not implemented\n")
    try:
        options = parse(argv[2:], command.options)
    except UsageError as error:
        return Result(2, "", f"{argv[1]}: {error}\n")
    if len(options.operands) < command.operands:
        plural = "s" if command.operands > 1 else ""
        return Result(2, "", f"'xl {argv[1]}' requires at least {command.operands} argument{plural}.\n\n")
    return command.run(host, host.world.nodes[host.name], options)


# --- Finding a domain ------------------------------------------------------------------------------------------------
def _find(node: SimNode, text: str) -> SimDomain | None:
    """A domain by number or by name."""
    for domain in node.domains:
        if text in (str(domain.domid), domain.name):
            return domain
    return None


def _invalid(text: str) -> Result:
    return Result(1, "", f"{text} is an invalid domain identifier (rc=-6)\n")


def _for_domain(action: Callable[["SimHost", SimNode, SimDomain, Options], Result]) -> Callable[..., Result]:
    """A command whose first operand is a domain."""

    def command(host: "SimHost", node: SimNode, options: Options) -> Result:
        domain = _find(node, options.operands[0])
        return _invalid(options.operands[0]) if domain is None else action(host, node, domain, options)

    return command


# --- Creating --------------------------------------------------------------------------------------------------------
def _create(host: "SimHost", node: SimNode, options: Options) -> Result:
    world = host.world
    path, *extra = options.operands
    text = world.read_file(node.name, path)
    if text is None:
        return Result(3, "", f"Failed to read config file: {path}: No such file or directory\n")
    said = "" if "quiet" in options else f"Parsing config from {path}\n"
    try:
        settings = xl_config.parse("\n".join([text, *extra]), path)
    except xl_config.ConfigError as error:
        return Result(1, "", f"{said}{error}\nFailed to parse config: Invalid argument\n")
    config, warnings = xl_config.understood(settings)
    warnings += [line for text in xl_config.list_of(config, "vif") for line in xl_config.interface(text)[1]]
    if "tsc_mode" in config:
        warnings.append(f'got a tsc mode string: "{config["tsc_mode"]}"')
    said += "".join(f"{line}\n" for line in warnings)
    try:
        draft = _draft(world, config, path)
    except xl_config.ConfigError as error:
        return Result(1, "", f"{said}{error}\n")
    if "dryrun" in options:
        return Result(0, xl_show.dry_run(draft), said)
    domain = xen.new_domain(world, node, draft.name, draft.uuid, draft.config, draft)
    try:
        _build(host, node, domain)
    except xen.XenError as error:
        return Result(3, "", said + "".join(f"{line}\n" for line in [*error.lines, *xen.gone(domain)]))
    domain.paused = "paused" in options
    return Result(0, "", said)


_EVENTS = ("on_poweroff", "on_reboot", "on_crash")
_ACTIONS = (
    *("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart"),
    "soft-reset",
)
_TSC_MODES = ("default", "always_emulate", "native", "native_paravirt")


def _check_words(config: xl_config.Config) -> None:
    """Words that must be one of a few."""
    kind = xl_config.text_of(config, "type", "pv")
    if kind not in ("pv", "pvh", "hvm"):
        raise xl_config.ConfigError(f"Invalid domain type {kind}.")
    if xl_config.number_of(config, "maxvcpus", 2**31) < xl_config.number_of(config, "vcpus", 1):
        raise xl_config.ConfigError("xl: maxvcpus < vcpus")
    for event in _EVENTS:
        action = xl_config.text_of(config, event, "destroy")
        if action not in _ACTIONS:
            raise xl_config.ConfigError(f'Unknown {event} action "{action}" specified')
    mode = xl_config.text_of(config, "tsc_mode", "default")
    if mode not in _TSC_MODES:
        raise xl_config.ConfigError(f'ERROR: invalid value "{mode}" for "tsc_mode"')


_PV_FIRMWARE = ("pvgrub32", "pvgrub64")


def _check_boot(config: xl_config.Config) -> None:
    """What a PV or PVH domain is started with; HVM has firmware of its own."""
    if xl_config.kind(config) == "hvm":
        return
    if "firmware" not in config:
        if config.keys().isdisjoint(("kernel", "bootloader")):
            raise xl_config.ConfigError("Neither kernel nor bootloader specified")
        return
    if "kernel" in config:
        raise xl_config.ConfigError("ERROR: both kernel and firmware specified")
    # xl takes the beginning of a word for the word.
    if not any(word.startswith(xl_config.text_of(config, "firmware")) for word in _PV_FIRMWARE):
        raise xl_config.ConfigError("ERROR: only pvgrub{32|64} supported as firmware options")


def _draft(world: "World", config: xl_config.Config, path: str) -> SimDomain:
    """The domain that a configuration describes."""
    name = xl_config.text_of(config, "name")
    if not name:
        raise xl_config.ConfigError("Domain name must be specified.")
    uuid = xl_config.text_of(config, "uuid") or world.uuid()
    digits = uuid.replace("-", "")
    if len(digits) != 32 or set(digits.lower()) - set("0123456789abcdef"):
        raise xl_config.ConfigError(f"Failed to parse UUID: {uuid}")
    _check_words(config)
    _check_boot(config)
    return SimDomain(
        domid=-1,
        name=name,
        uuid=uuid.lower(),
        memory_bytes=xl_config.number_of(config, "memory", 32) * 1024**2,
        vcpus=xl_config.number_of(config, "vcpus", 1),
        config=dict(config),
        disks=[xl_config.disk(text, path) for text in xl_config.list_of(config, "disk")],
        created_s=0.0,
    )


def _build(host: "SimHost", node: SimNode, domain: SimDomain) -> None:
    try:
        xen.check_name(node, domain)
    except xen.XenError as error:
        refusal = f"libxl: error: libxl_create.c:1296:initiate_domain_create: Domain {domain.domid}:"
        raise xen.XenError(*error.lines, f"{refusal}cannot make domain: -6") from error
    xen.check_disks(host.world, node, domain)
    xen.check_memory(node, domain)
    xen.bring_up(host, domain)


# --- Ending ----------------------------------------------------------------------------------------------------------
def _destroy(host: "SimHost", node: SimNode, options: Options) -> Result:
    if options.operands[0] in ("0", "Domain-0"):
        return Result(1, "", "Cannot destroy privileged domain 0.\n\n")
    domain = _find(node, options.operands[0])
    if domain is None:
        return _invalid(options.operands[0])
    return Result(0, "", "".join(f"{line}\n" for line in xen.remove(host, domain)))


def _shutdown(host: "SimHost", node: SimNode, options: Options) -> Result:
    return _stop(host, node, options, restart=False)


def _reboot(host: "SimHost", node: SimNode, options: Options) -> Result:
    return _stop(host, node, options, restart=True)


def _stop(host: "SimHost", node: SimNode, options: Options, *, restart: bool) -> Result:
    word = "Rebooting" if restart else "Shutting down"
    if "all" in options:
        domains = list(node.domains)
    elif not options.operands:
        return Result(2, "", "You must specify -a or a domain id.\n\n")
    elif (domain := _find(node, options.operands[0])) is not None:
        domains = [domain]
    else:
        return _invalid(options.operands[0])
    said = ""
    for domain in domains:
        xen.ask_to_stop(host.world, domain, restart=restart)
        said += f"{word} domain {domain.domid}\n"
    if "wait" in options:
        said += f"Waiting for {len(domains)} domains\n"
        _wait(host, domains)
        said += "".join(f"Domain {domain.domid} has been shut down, reason code {int(restart)}\n" for domain in domains)
    return Result(0, "", said)


def _wait(host: "SimHost", domains: list[SimDomain]) -> None:
    """Let time pass until the guests have stopped; a guest that hangs or is paused never does."""
    ends_s = host.now() + _WAIT_S
    while not all(domain.shutdown for domain in domains):
        if host.now() > ends_s:
            raise NeverEnds
        host.sleep(0.25)


# --- Changing --------------------------------------------------------------------------------------------------------
def _pause(host: "SimHost", node: SimNode, domain: SimDomain, options: Options) -> Result:
    domain.paused = True
    return Result()


def _unpause(host: "SimHost", node: SimNode, domain: SimDomain, options: Options) -> Result:
    domain.paused = False
    return Result()


def _rename(host: "SimHost", node: SimNode, domain: SimDomain, options: Options) -> Result:
    name = options.operands[1]
    if any(other.name == name for other in node.domains if other is not domain):
        return Result(
            1,
            "",
            f"libxl: error: libxl_domain.c:81:libxl__domain_rename: Domain {domain.domid}:"
            f"Domain with name \"{name}\" already exists.\nCan't rename domain '{options.operands[0]}'.\n",
        )
    domain.name = name
    return Result()


def _mem_set(host: "SimHost", node: SimNode, domain: SimDomain, options: Options) -> Result:
    text = options.operands[1]
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].isalpha() else (text, "m")
    factors = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
    if not number.isdigit() or unit not in factors:
        return Result(1, "", f"invalid memory size: {text}\n")
    domain.memory_bytes = int(number) * factors[unit]
    return Result()


# --- Showing ---------------------------------------------------------------------------------------------------------
def _list(host: "SimHost", node: SimNode, options: Options) -> Result:
    domains = list(node.domains)
    dom0 = True
    if options.operands:
        text = options.operands[0]
        dom0 = text in ("0", "Domain-0")
        found = _find(node, text)
        if found is None and not dom0:
            return _invalid(text)
        domains = [found] if found is not None else []
    if "long" in options:
        return Result(0, xl_show.long_list(domains, dom0=dom0))
    return Result(
        0,
        xl_show.short_list(
            host.world, node, domains, dom0=dom0, verbose="verbose" in options, cpupool="cpupool" in options
        ),
    )


def _domid(host: "SimHost", node: SimNode, options: Options) -> Result:
    name = options.operands[0]
    for domain in node.domains:
        if domain.name == name:
            return Result(0, f"{domain.domid}\n")
    if name == "Domain-0":
        return Result(0, "0\n")
    return Result(1, "", f"Can't get domid of domain name '{name}', maybe this domain does not exist.\n")


def _domname(host: "SimHost", node: SimNode, options: Options) -> Result:
    text = options.operands[0]
    if not text.isdigit():
        return Result(1, "", "Invalid domain id.\n\n")
    if text == "0":
        return Result(0, "Domain-0\n")
    for domain in node.domains:
        if str(domain.domid) == text:
            return Result(0, f"{domain.name}\n")
    return Result(1, "", f"Can't get domain name of domain id '{text}', maybe this domain does not exist.\n")


def _shown(show: Callable[["World", Sequence[SimDomain]], str]) -> Callable[..., Result]:
    """A table of one domain, or of all where none is named."""

    def command(host: "SimHost", node: SimNode, options: Options) -> Result:
        if not options.operands:
            return Result(0, show(host.world, node.domains))
        domain = _find(node, options.operands[0])
        return _invalid(options.operands[0]) if domain is None else Result(0, show(host.world, [domain]))

    return command


def _info(host: "SimHost", node: SimNode, options: Options) -> Result:
    facts = xl_show.info(host.world, node)
    if options.operands:
        value = facts.get(options.operands[0])
        return Result(0, "" if value is None else f"{value}\n")
    return Result(0, "".join(f"{key:<23}: {value}\n" for key, value in facts.items()))


def _dmesg(host: "SimHost", node: SimNode, options: Options) -> Result:
    return Result(
        0,
        "(XEN) Guest Loglevel: Errors and warnings\n"
        "(XEN) *** Serial input to DOM0 (type 'CTRL-a' three times to switch input)\n"
        "(XEN) Freed 656kB init memory\n",
    )


_LIST = {
    "-l": "long",
    "--long": "long",
    "-v": "verbose",
    "--verbose": "verbose",
    "-c": "cpupool",
    "--cpupool": "cpupool",
}
_COMMANDS = {
    "create": _Command(
        _create,
        {"-p": "paused", "-q": "quiet", "--quiet": "quiet", "-n": "dryrun", "--dryrun": "dryrun"},
        operands=1,
    ),
    "destroy": _Command(_destroy, {"-f": "force"}, operands=1),
    "shutdown": _Command(_shutdown, {"-a": "all", "--all": "all", "-w": "wait", "--wait": "wait", "-F": "fallback"}),
    "reboot": _Command(_reboot, {"-a": "all", "--all": "all", "-w": "wait", "--wait": "wait"}),
    "migrate": _Command(_for_domain(xl_migrate.migrate), {"-s": "ssh="}, operands=2),
    "pause": _Command(_for_domain(_pause), {}, operands=1),
    "unpause": _Command(_for_domain(_unpause), {}, operands=1),
    "rename": _Command(_for_domain(_rename), {}, operands=2),
    "mem-set": _Command(_for_domain(_mem_set), {}, operands=2),
    "list": _Command(_list, _LIST),
    "domid": _Command(_domid, {}, operands=1),
    "domname": _Command(_domname, {}, operands=1),
    "vm-list": _Command(_shown(xl_show.vm_list), {}),
    "uptime": _Command(_shown(xl_show.uptime), {}),
    "vcpu-list": _Command(_shown(xl_show.vcpu_list), {}),
    "network-list": _Command(_shown(xl_show.network_list), {}, operands=1),
    "block-list": _Command(_shown(xl_show.block_list), {}, operands=1),
    "info": _Command(_info, {}),
    "dmesg": _Command(_dmesg, {}),
}
