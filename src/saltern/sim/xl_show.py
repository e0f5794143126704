"""What xl shows of domains and of the hypervisor: tables as its sources print them, JSON as libyajl does."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from saltern.sim import xen, xenstore, xl_config
from saltern.sim.model import SimDomain, SimNode
from saltern.sim.modules import KERNEL

if TYPE_CHECKING:
    from saltern.sim.world import World

DOM0_UUID = "00000000-0000-0000-0000-000000000000"
DOM0_MEMORY_MIB = 900
HYPERVISOR_MIB = 23  # of the machine's memory that neither dom0 nor guests ever see


# --- Tables ----------------------------------------------------------------------------------------------------------
def _state(world: "World", domain: SimDomain) -> str:
    if domain.zombie:
        return "--pssd" if domain.suspended else "--p--d"
    if domain.shutdown:
        return "--ps" + ("r" if domain.restarts else "-") + "-"
    if domain.suspended:
        return "---ss-"
    if domain.paused or domain.ending:
        return "--p---"
    return "-b----" if world.time_s - domain.created_s >= 1 else "------"


def short_list(
    world: "World", node: SimNode, domains: Sequence[SimDomain], *, dom0: bool, verbose: bool, cpupool: bool
) -> str:
    """``xl list``, with UUID and shutdown reason for ``-v`` (transcripts 103, 118, 256)."""
    title = "Name                                        ID   Mem VCPUs\tState\tTime(s)"
    if verbose:
        title += "   UUID                            Reason-Code\tSecurity Label"
    if cpupool:
        title += "         Cpupool"
    lines = []
    if dom0:
        lines.append(_row("Domain-0", 0, DOM0_MEMORY_MIB, 1, "r-----", 20 + (world.time_s - node.booted_s) / 10))
        lines[-1] += _details(DOM0_UUID, "-") if verbose else ""
    for domain in domains:
        megabytes = domain.memory_bytes // 1024**2
        line = _row(domain.name, domain.domid, megabytes, domain.vcpus, _state(world, domain), domain.cpu_time_s)
        reason = "2" if domain.suspended else str(int(domain.restarts)) if domain.shutdown else "-"
        lines.append(line + (_details(domain.uuid, reason) if verbose else ""))
    pool = f"{'Pool-0':>16}" if cpupool else ""
    return "".join(f"{line}\n" for line in [title, *(line + pool for line in lines)])


def _row(name: str, domid: int, megabytes: int, vcpus: int, state: str, seconds: float) -> str:
    return f"{name:<40} {domid:>5} {megabytes:>5} {vcpus:>5}     {state}  {seconds:>8.1f}"


def _details(uuid: str, reason: str) -> str:
    return f" {uuid} {reason:>8} {'-':>16}"


def vm_list(world: "World", domains: Sequence[SimDomain]) -> str:
    """``xl vm-list`` (transcript 256)."""
    rows = [(DOM0_UUID, 0, "Domain-0"), *((domain.uuid, domain.domid, domain.name) for domain in domains)]
    return "UUID                                  ID    name\n" + "".join(
        f"{uuid}  {domid}    {name:<30}\n" for uuid, domid, name in rows
    )


def uptime(world: "World", domains: Sequence[SimDomain]) -> str:
    """``xl uptime`` (transcript 118)."""
    text = "Name                                ID Uptime\n"
    for domain in domains:
        minutes, seconds = divmod(int(world.time_s - domain.created_s), 60)
        hours, minutes = divmod(minutes, 60)
        text += f"{domain.name:<33} {domain.domid:>4} {hours:>2}:{minutes:02}:{seconds:02}\n"
    return text


def vcpu_list(world: "World", domains: Sequence[SimDomain]) -> str:
    """``xl vcpu-list`` (transcript 118)."""
    text = "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n"
    for domain in domains:
        for number in range(domain.vcpus):
            state = _state(world, domain)[:3]
            text += f"{domain.name:<32} {domain.domid:>5} {number:>5}    0   {state} {domain.cpu_time_s:>9.1f}"
            text += "  all / all\n"
    return text


def network_list(world: "World", domains: Sequence[SimDomain]) -> str:
    """``xl network-list`` (transcript 118)."""
    text = "Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       \n"
    for domain in domains:
        for number, interface in enumerate(_interfaces(domain)):
            path = f"/local/domain/0/backend/vif/{domain.domid}/{number}"
            text += f"{number:<3} 0  {interface['mac']:<17}     {number}     4     -1   522/523         {path}\n"
    return text


def block_list(world: "World", domains: Sequence[SimDomain]) -> str:
    """``xl block-list``: state 4 is connected, 6 is closed, as it is where the device could not be opened (114, 118)."""
    text = "Vdev  BE  handle state evt-ch ring-ref BE-path                       \n"
    for domain in domains:
        for disk in domain.disks:
            number = xenstore.device_number(disk.vdev)
            path = xenstore.absolute(xenstore.backend(domain, disk))
            text += f"{number} 0   {domain.domid}      {4 if disk.usable else 6}     8      8        {path}\n"
    return text


def info(world: "World", node: SimNode) -> dict[str, str]:
    """What ``xl info`` tells, by name (transcript 105)."""
    free = xen.free_memory_bytes(node) // 1024**2
    return {
        "host": node.name,
        "release": KERNEL,
        "version": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)",
        "machine": "x86_64",
        "nr_cpus": "1",
        "max_cpu_id": "0",
        "nr_nodes": "1",
        "cores_per_socket": "1",
        "threads_per_core": "1",
        "cpu_mhz": "2596.120",
        "hw_caps": "0fcbf3fd:f6d8320b:ec500800:00000075:00000005:01884329:0000020c:00000000",
        "virt_caps": f"pv hvm hap{' shadow' * node.shadow_paging} gnttab-v1 gnttab-v2",
        "total_memory": str(node.memory_bytes // 1024**2 + DOM0_MEMORY_MIB + HYPERVISOR_MIB),
        "free_memory": str(free),
        "sharing_freed_memory": "0",
        "sharing_used_memory": "0",
        "outstanding_claims": "0",
        "free_cpus": "0",
        "xen_major": "4",
        "xen_minor": "17",
        "xen_extra": ".7",
        "xen_version": "4.17.7",
        "xen_caps": "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ",
        "xen_scheduler": "credit",
        "xen_pagesize": "4096",
        "platform_params": "virt_start=0xffff800000000000",
        "xen_changeset": "",
        "xen_commandline": "dom0_mem=900M,max:900M console=com1 com1=115200,8n1 noreboot no-real-mode edd=off "
        "vga=keep smt=0 spec-ctrl=no xpti=no pv-l1tf=no loglvl=warning guest_loglvl=warning sched=credit ucode=no",
        "cc_compiler": "x86_64-linux-gnu-gcc (Debian 12.2.0-14+deb12u1) 12.2.0",
        "cc_compile_by": "pkg-xen-devel",
        "cc_compile_domain": "lists.example.org",
        "cc_compile_date": "Wed Nov  4 16:52:28 UTC 2026",
        "build_id": "151b373fd64b321593bf987fd923cd10dabadac4",
        "xend_config_format": "4",
    }


# --- JSON ------------------------------------------------------------------------------------------------------------
def long_list(domains: Sequence[SimDomain], *, dom0: bool) -> str:
    """``xl list -l`` (transcripts 104, 118, 129)."""
    entries: list[object] = [_DOM0] if dom0 else []
    entries += [{"domid": domain.domid, "config": _config(domain, running=True)} for domain in domains]
    return _yajl(entries) + "\n\n"


def dry_run(domain: SimDomain) -> str:
    """``xl create -n``: what would be created (transcript 252)."""
    return _yajl(_config(domain, running=False)) + "\n"


_SCHEDULER = {"sched": "credit", "weight": 256, "cap": 0}
_DOM0: dict[str, object] = {
    "domid": 0,
    "config": {
        "c_info": {"type": "pv", "name": "Domain-0"},
        "b_info": {
            "max_memkb": DOM0_MEMORY_MIB * 1024,
            "target_memkb": DOM0_MEMORY_MIB * 1024 - 1,
            "sched_params": _SCHEDULER,
            "type.pv": {},
            "arch_arm": {},
            "arch_x86": {},
        },
    },
}


def kind(domain: SimDomain) -> str:
    """pv, pvh or hvm."""
    return xl_config.kind(cast(xl_config.Config, domain.config))


def _config(domain: SimDomain, *, running: bool) -> dict[str, object]:
    config = cast(xl_config.Config, domain.config)
    identity: dict[str, object] = {"type": kind(domain), "name": domain.name}
    identity |= {"domid": 2**32 - 1} if running else {}
    identity |= {"uuid": domain.uuid, "run_hotplug_scripts": "True"}
    result: dict[str, object] = {"c_info": identity, "b_info": _build_info(domain, config, running=running)}
    if domain.disks:
        result["disks"] = [
            _disk(disk.target, disk.vdev, disk.script, disk.mode, running=running) for disk in domain.disks
        ]
    nics = [
        {"devid": number, **interface} | ({"nictype": "vif"} if running else {})
        for number, interface in enumerate(_interfaces(domain))
    ]
    if nics:
        result["nics"] = nics
    for event, default in (("on_poweroff", "destroy"), ("on_reboot", ""), ("on_crash", "destroy")):
        action = xl_config.text_of(config, event, "restart" if event == "on_reboot" else "destroy")
        if action != default:
            result[event] = action
    return result | {"on_soft_reset": "soft_reset"}


def _build_info(domain: SimDomain, config: xl_config.Config, *, running: bool) -> dict[str, object]:
    kilobytes = domain.memory_bytes // 1024
    memory = {"max_memkb": xl_config.number_of(config, "maxmem", 0) * 1024 or kilobytes, "target_memkb": kilobytes}
    processors = {"max_vcpus": domain.vcpus, "avail_vcpus": list(range(domain.vcpus))}
    texts = {
        key: text
        for key, source in (("kernel", "kernel"), ("cmdline", ""), ("ramdisk", "ramdisk"), ("bootloader", "bootloader"))
        if (text := xl_config.text_of(config, source) if source else _command_line(config))
    }
    mode = xl_config.text_of(config, "tsc_mode")
    return {
        **(processors if running or "vcpus" in config else {}),
        **({"tsc_mode": mode} if mode else {}),
        **(memory if running or "memory" in config else {}),
        **({"video_memkb": 0} if running else {}),
        "sched_params": _SCHEDULER if running else {},
        "claim_mode": "True",
        **texts,
        f"type.{kind(domain)}": {},
        "arch_arm": {},
        "arch_x86": {"msr_relaxed": "False"} if running else {},
    }


def _command_line(config: xl_config.Config) -> str:
    """``cmdline``, or what ``root`` and ``extra`` make of it."""
    root, extra = xl_config.text_of(config, "root"), xl_config.text_of(config, "extra")
    parts = [f"root={root}" if root else "", extra]
    return xl_config.text_of(config, "cmdline") or " ".join(part for part in parts if part)


def _disk(target: str, vdev: str, script: str, mode: str, *, running: bool) -> dict[str, object]:
    shown: dict[str, object] = {"pdev_path": target, "vdev": vdev, "format": "raw"}
    shown |= {"script": script} if script else {}
    shown |= {"readwrite": 1} if mode == "w" else {}
    return shown | ({"colo_restore_enable": "False"} if running else {})


def _interfaces(domain: SimDomain) -> list[dict[str, str]]:
    config = cast(xl_config.Config, domain.config)
    keys = ("mac", "bridge", "model", "script", "ip", "type")
    found = [xl_config.interface(text)[0] for text in xl_config.list_of(config, "vif")]
    return [{"mac": "00:16:3e:00:00:00"} | {key: one[key] for key in keys if key in one} for one in found]


def _yajl(value: object, indent: int = 0) -> str:
    """JSON laid out as libyajl does: an empty map holds an empty line."""
    if not isinstance(value, dict | list):
        return json.dumps(value)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    margin, inner = " " * indent, " " * (indent + 4)
    if isinstance(value, dict):
        items = [f"{inner}{json.dumps(key)}: {_yajl(item, indent + 4)}" for key, item in value.items()]
    else:
        items = [inner + _yajl(item, indent + 4) for item in value]
    return f"{opening}\n" + ",\n".join(items) + f"\n{margin}{closing}"
