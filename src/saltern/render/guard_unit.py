"""The unit by which systemd keeps the guard of a node alive (systemd.service(5)). Salt has no part in it."""

from typing import Final

from saltern.model.places import GUARD_SCRIPT, GUARD_SETTINGS
from saltern.render.header import HEADER

MODE: Final = 0o644

_TEXT: Final = """\
{header}
[Unit]
Description=Guard of this Xen node: keeps its leases, takes over what is lost
ConditionPathExists={settings}
# Of the kernel itself: /proc/xen is mounted by Debian's xen.service, and a condition that is not met is not looked at again.
ConditionPathExists=/sys/hypervisor/version/major
After=network-online.target xen.service xenstored.service drbd.service
Wants=network-online.target
# At the end of the machine the domains go first: a node that runs none needs nobody's consent to end.
Before=xendomains.service
# It is started again for ever, however often it ends.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={script} guard
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin
Restart=always
RestartSec=200ms
# What xl leaves behind for a domain (its own waiting process, a device model) belongs to the domain, not to the guard.
KillMode=process
# It ends when its partners have taken note, and not before; who kills it instead has the watchdog reset the node.
TimeoutStopSec=infinity
RuntimeDirectory=saltern
RuntimeDirectoryMode=0700
# A restart finds its leases and its watchdog there; only a boot empties it.
RuntimeDirectoryPreserve=yes
OOMScoreAdjust=-1000
OOMPolicy=continue
Nice=-10
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def render() -> str:
    """The text of ``saltern-guard.service``, the same on every node."""
    return _TEXT.format(header=HEADER, script=GUARD_SCRIPT, settings=GUARD_SETTINGS)
