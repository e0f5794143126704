"""Where a node keeps what Saltern puts there for Xen."""

from typing import Final

CORE: Final = "/usr/lib/saltern"  # holds the package `saltern`, for the node's own Python
BLOCK_SCRIPT: Final = "/etc/xen/scripts/block-saltern"
HOTPLUG_LOG: Final = "/var/log/xen/xen-hotplug.log"
