"""Each rule is reported with its name and the paths of everything involved, and nothing else is reported with it."""

import pytest
from topologies import found, found_compiling, pillar

from saltern.topology.rules import RULES

A = "saltern:domains:a"
B = "saltern:domains:b"
THIRD = "tie_breaker: third\nnodes: {third: {address: 10.0.0.3, volume_group: XEN}}"

# Fragment over a valid topology -> the rule, the paths.
CASES = {
    # --- What stands at one place
    "a size that YAML reads as a number": (
        "domains: {a: {disks: {xvda: {size: 1.5}}}}",
        "type",
        [f"{A}:disks:xvda:size"],
    ),
    "a size without a unit": ("domains: {a: {disks: {xvda: {size: 10}}}}", "size", [f"{A}:disks:xvda:size"]),
    "a size that is none": ("domains: {a: {disks: {xvda: {size: 2 GB!}}}}", "size", [f"{A}:disks:xvda:size"]),
    "a size beyond DRBD": ("domains: {a: {disks: {xvda: {size: 2000T}}}}", "size", [f"{A}:disks:xvda:size"]),
    "a size that is true": ("domains: {a: {disks: {xvda: {size: yes}}}}", "type", [f"{A}:disks:xvda:size"]),
    "memory in MiB as xl counts": ("domains: {a: {memory: 256}}", "size", [f"{A}:memory"]),
    "memory that is no whole MiB": ("domains: {a: {memory: 10000001}}", "size", [f"{A}:memory"]),
    "memory below zero": ("domains: {a: {memory: -1}}", "size", [f"{A}:memory"]),
    "an empty value": ("domains: {a: {memory: }}", "type", [f"{A}:memory"]),
    "a missing key": ("domains: {a: {memory: <taken away>}}", "missing-key", [f"{A}:memory"]),
    "a misspelt key": ("domains: {a: {interface: []}}", "unknown-key", [f"{A}:interface"]),
    "a misspelt key of the cluster": ("domain: {}", "unknown-key", ["saltern:domain"]),
    "a key that is a number": ("domains: {a: {7: 8}}", "unknown-key", [f"{A}:(the number 7)"]),
    "a domain that is a list": ("domains: {a: []}", "type", [A]),
    "domains that are empty": ("domains:", "type", ["saltern:domains"]),
    "a cluster called no": ("cluster: no", "type", ["saltern:cluster"]),
    "a domain called no": (
        "domains: {no: {home: dom0, partner: dom0m, memory: 1G, xl: {bootloader: pygrub}, disks: {xvda: {size: 1G}}}}",
        "type",
        ["saltern:domains:(false (or no, off))"],
    ),
    "a domain called all": ("domains: {all: {}}", "name", ["saltern:domains:all"]),
    "a domain called by a number": ("domains: {'7': {}}", "name", ["saltern:domains:7"]),
    "a domain with a path": ("domains: {../etc/passwd: {}}", "name", ["saltern:domains:../etc/passwd"]),
    "a domain that begins with a dot": ("domains: {.x: {}}", "name", ["saltern:domains:.x"]),
    "a domain that begins with a dash": ("domains: {-x: {}}", "name", ["saltern:domains:-x"]),
    "a domain with a blank": ("domains: {a b: {}}", "name", ["saltern:domains:a b"]),
    "a domain with a line break": ('domains: {"a\\n": {}}', "name", [r"saltern:domains:(the text 'a\n')"]),
    "a domain as xl calls one that arrives": ("domains: {x--incoming: {}}", "name", ["saltern:domains:x--incoming"]),
    "a resource called all": ("domains: {a: {disks: {xvda: {resource: all}}}}", "name", [f"{A}:disks:xvda:resource"]),
    "a node with a slash": ("nodes: {a/b: {address: 10.0.0.9, volume_group: XEN}}", "name", ["saltern:nodes:a/b"]),
    "a disk that is no device": ("domains: {a: {disks: {disk1: {size: 1G}}}}", "device", [f"{A}:disks:disk1"]),
    "no disk": ("domains: {a: {disks: <taken away>}}", "missing-key", [f"{A}:disks"]),
    "an empty mapping of disks": (
        "domains: {c: {home: dom0, partner: dom0m, memory: 1G, xl: {bootloader: pygrub}, disks: {}}}",
        "no-disk",
        ["saltern:domains:c:disks"],
    ),
    "a bridge with a comma": ("domains: {a: {interfaces: [{bridge: 'x,y'}]}}", "bridge", [f"{A}:interfaces:0:bridge"]),
    "interfaces that are a mapping": ("domains: {a: {interfaces: {bridge: x}}}", "type", [f"{A}:interfaces"]),
    "a volume with a name of LVM's own": (
        "domains: {a: {disks: {xvda: {volume: x_rmeta_0}}}}",
        "lvm-name",
        [f"{A}:disks:xvda:volume"],
    ),
    "a domain whose volume LVM reserves": (
        "domains: {snapshot1: {home: dom0, partner: dom0m, memory: 1G, xl: {bootloader: pygrub}, "
        "disks: {xvda: {size: 1G, meta_disk: 'm[1]'}}}}",
        "lvm-name",
        ["saltern:domains:snapshot1:disks:xvda:volume"],
    ),
    "a volume group with a slash": (
        "nodes: {dom0: {volume_group: a/b}}",
        "lvm-name",
        ["saltern:nodes:dom0:volume_group"],
    ),
    "a minor beyond 8.4": ("domains: {a: {disks: {xvda: {minor: 256}}}}", "minor", [f"{A}:disks:xvda:minor"]),
    "a minor as text": ("domains: {a: {disks: {xvda: {minor: '1'}}}}", "type", [f"{A}:disks:xvda:minor"]),
    "a port beyond TCP": ("domains: {a: {disks: {xvda: {port: 77801}}}}", "port", [f"{A}:disks:xvda:port"]),
    "a node-id beyond DRBD 9": (
        "domains: {a: {disks: {xvda: {node_ids: [0, 32]}}}}",
        "node-id",
        [f"{A}:disks:xvda:node_ids"],
    ),
    "one node-id for both": (
        "domains: {a: {disks: {xvda: {node_ids: [1, 1]}}}}",
        "node-id",
        [f"{A}:disks:xvda:node_ids"],
    ),
    "a single node-id": ("domains: {a: {disks: {xvda: {node_ids: 1}}}}", "type", [f"{A}:disks:xvda:node_ids"]),
    "a meta-disk with a path": (
        "domains: {a: {disks: {xvda: {meta_disk: '/dev/XEN/meta[1]'}}}}",
        "lvm-name",
        [f"{A}:disks:xvda:meta_disk"],
    ),
    "a slot that is no number": (
        "domains: {a: {disks: {xvda: {meta_disk: 'meta[x]'}}}}",
        "meta-disk",
        [f"{A}:disks:xvda:meta_disk"],
    ),
    "a slot that is too high": (
        "domains: {a: {disks: {xvda: {meta_disk: 'meta[999]'}}}}",
        "meta-disk",
        [f"{A}:disks:xvda:meta_disk"],
    ),
    "a MAC that YAML reads as a number": (
        "domains: {a: {interfaces: [{bridge: x, mac: 10:20:30:40:50:10}]}}",
        "type",
        [f"{A}:interfaces:0:mac"],
    ),
    "a MAC that is too short": (
        "domains: {a: {interfaces: [{bridge: x, mac: 00:16:3e:00:00}]}}",
        "mac",
        [f"{A}:interfaces:0:mac"],
    ),
    "a MAC of a group": (
        "domains: {a: {interfaces: [{bridge: x, mac: 01:16:3e:00:00:01}]}}",
        "mac",
        [f"{A}:interfaces:0:mac"],
    ),
    "a UUID that is none": ("domains: {a: {uuid: dns}}", "uuid", [f"{A}:uuid"]),
    "the UUID of Domain-0": ("domains: {a: {uuid: 00000000-0000-0000-0000-000000000000}}", "uuid", [f"{A}:uuid"]),
    "an address that is a name": ("nodes: {dom0: {address: dom0.example}}", "address", ["saltern:nodes:dom0:address"]),
    "an address for everybody": ("nodes: {dom0: {address: 0.0.0.0}}", "address", ["saltern:nodes:dom0:address"]),
    "an address of this node alone": ("nodes: {dom0: {address: 127.0.0.1}}", "address", ["saltern:nodes:dom0:address"]),
    "an address of a link alone": ("nodes: {dom0: {address: 'fe80::1'}}", "address", ["saltern:nodes:dom0:address"]),
    "an address of this network": ("nodes: {dom0: {address: 0.0.0.7}}", "address", ["saltern:nodes:dom0:address"]),
    "an address of all hosts": ("nodes: {dom0: {address: 255.255.255.255}}", "address", ["saltern:nodes:dom0:address"]),
    "an IPv4 address in IPv6": (
        "nodes: {dom0: {address: '::ffff:10.0.0.1'}}",
        "address",
        ["saltern:nodes:dom0:address"],
    ),
    "an address that is the network's": (
        "nodes: {dom0: {address: 10.0.0.0, network: 10.0.0.0/24}}",
        "network-match",
        ["saltern:nodes:dom0:address", "saltern:nodes:dom0:network"],
    ),
    "an address that is everybody's in the network": (
        "nodes: {dom0: {address: 10.0.0.255, network: 10.0.0.0/24}}",
        "network-match",
        ["saltern:nodes:dom0:address", "saltern:nodes:dom0:network"],
    ),
    "a bridge that Linux cannot name": (
        "domains: {a: {interfaces: [{bridge: xenbr0123456789x}]}}",
        "bridge",
        [f"{A}:interfaces:0:bridge"],
    ),
    "fewer CPUs at most than at the start": (
        "domains: {a: {vcpus: 2, xl: {maxvcpus: 1}}}",
        "vcpus",
        [f"{A}:xl:maxvcpus"],
    ),
    "fewer CPUs at most than at the start, below nothing": (
        "domains: {a: {vcpus: 2, xl: {maxvcpus: -1}}}",
        "vcpus",
        [f"{A}:xl:maxvcpus"],
    ),
    "fewer CPUs at most than at the start, as a text": (
        "domains: {a: {vcpus: 2, xl: {maxvcpus: '1'}}}",
        "vcpus",
        [f"{A}:xl:maxvcpus"],
    ),
    "a builder that xl does not have": ("domains: {a: {xl: {builder: nonsense}}}", "xl-word", [f"{A}:xl:builder"]),
    "CPUs at most in a digit that is no number": (
        "domains: {a: {vcpus: 2, xl: {maxvcpus: '²'}}}",
        "vcpus",
        [f"{A}:xl:maxvcpus"],
    ),
    "less memory at most than at the start": (
        "domains: {a: {memory: 64M, xl: {maxmem: 63}}}",
        "maxmem",
        [f"{A}:xl:maxmem"],
    ),
    "memory at most as a text": (
        "domains: {a: {memory: 64M, xl: {maxmem: 1G}}}",
        "maxmem",
        [f"{A}:xl:maxmem"],
    ),
    "a type of domain that Xen does not have": ("domains: {a: {xl: {type: pvm}}}", "xl-word", [f"{A}:xl:type"]),
    "a shutdown that is a restart": ("domains: {a: {xl: {on_poweroff: restart}}}", "xl-word", [f"{A}:xl:on_poweroff"]),
    "an end that xl does not know": ("domains: {a: {xl: {on_crash: explode}}}", "xl-word", [f"{A}:xl:on_crash"]),
    "a shared secret that drbdadm cannot read": (
        f"drbd: {{net: {{shared-secret: {'x' * 64}}}}}",
        "unsafe-text",
        ["saltern:drbd:net:shared-secret"],
    ),
    "a network with host bits": ("nodes: {dom0: {network: 10.0.0.1/24}}", "network", ["saltern:nodes:dom0:network"]),
    "no CPU": ("domains: {a: {vcpus: 0}}", "vcpus", [f"{A}:vcpus"]),
    "an order below zero": ("domains: {a: {order: -1}}", "order", [f"{A}:order"]),
    "a priority below zero": ("domains: {a: {priority: -1}}", "priority", [f"{A}:priority"]),
    "times of leases that prove nothing": (
        "takeover: {witness: {minion: master, address: 192.168.1.10}, lease: {takeover: 10}}",
        "lease",
        ["saltern:takeover:lease"],
    ),
    "a witness on a node": (
        "takeover: {witness: {minion: dom0, address: 192.168.1.10}}",
        "witness-apart",
        ["saltern:takeover:witness:minion", "saltern:nodes:dom0"],
    ),
    "a witness at the other address of a node": (
        "nodes: {dom0: {migration_address: 10.0.0.1}}\ntakeover: {witness: {minion: master, address: 10.0.0.1}}",
        "witness-apart",
        ["saltern:takeover:witness:address", "saltern:nodes:dom0"],
    ),
    "a fence agent with a directory": (
        "takeover: {fencing: {dom0: {agent: /sbin/fence_apc}, dom0m: {agent: fence_apc}}}",
        "fence-agent",
        ["saltern:takeover:fencing:dom0:agent"],
    ),
    "a command that a shell would have to find": (
        "takeover: {witness: {minion: master, address: 192.168.1.10}, notify: [tell-admin]}",
        "command",
        ["saltern:takeover:notify"],
    ),
    "a disk whose writes the partner may not have": (
        "takeover: {witness: {minion: master, address: 192.168.1.10}}\ndomains: {a: {drbd: {protocol: A}}}",
        "guarded-disk",
        [f"{A}:disks:xvda", "saltern:takeover"],
    ),
    "a takeover that nothing proves": ("takeover: {}", "takeover-proof", ["saltern:takeover"]),
    "a node that could never be taken over": (
        "takeover: {fencing: {dom0: {agent: fence_apc}}}",
        "takeover-proof",
        ["saltern:takeover:fencing:dom0m"],
    ),
    "an agent of a node that is not there": (
        "takeover: {fencing: {dom0: {agent: fence_apc}, dom0m: {agent: fence_apc}, dom9: {agent: fence_apc}}}",
        "unknown-node",
        ["saltern:takeover:fencing:dom9"],
    ),
    "a tie-breaker that is not there": ("tie_breaker: third", "unknown-node", ["saltern:tie_breaker"]),
    "a tie-breaker that is a side": (
        "tie_breaker: dom0m\ndomains: {b: <taken away>}",
        "tie-breaker-apart",
        ["saltern:tie_breaker", f"{A}:partner"],
    ),
    "a tie-breaker beside guards": (
        f"{THIRD}\ntakeover: {{witness: {{minion: master, address: 192.168.1.10}}}}",
        "tie-breaker-alone",
        ["saltern:tie_breaker", "saltern:takeover"],
    ),
    "quorum as a proof without a tie-breaker": (
        "takeover: {quorum: yes, lease: {takeover: 80}}",
        "takeover-quorum",
        ["saltern:takeover:quorum"],
    ),
    "quorum beside a witness": (
        f"{THIRD}\ntakeover: {{quorum: yes, lease: {{takeover: 80}}, witness: {{minion: master, address: 192.168.1.10}}}}",
        "takeover-quorum",
        ["saltern:takeover:quorum", "saltern:takeover:witness"],
    ),
    "quorum beside agents": (
        f"{THIRD}\ntakeover: {{quorum: yes, lease: {{takeover: 80}}, fencing: {{dom0: {{agent: fence_apc}}}}}}",
        "takeover-quorum",
        ["saltern:takeover:quorum", "saltern:takeover:fencing"],
    ),
    "a loss that DRBD may never notice": (
        f"{THIRD}\ntakeover: {{quorum: yes, lease: {{takeover: 80}}}}\ndomains: {{a: {{drbd: {{net: {{ko-count: 0}}}}}}}}",
        "takeover-quorum",
        [f"{A}:disks:xvda", "saltern:takeover:quorum"],
    ),
    "quorum over writes that one disk may not have": (
        f"{THIRD}\ndomains: {{a: {{drbd: {{protocol: B}}}}}}",
        "quorum-disk",
        [f"{A}:disks:xvda", "saltern:tie_breaker"],
    ),
    "quorum that the topology writes itself": (
        f"{THIRD}\ndomains: {{a: {{drbd: {{options: {{quorum: all}}}}}}}}",
        "quorum-disk",
        [f"{A}:disks:xvda", "saltern:tie_breaker"],
    ),
    "a partner without a vote": (
        f"{THIRD}\ndomains: {{a: {{drbd: {{net: {{allow-remote-read: no}}}}}}}}",
        "quorum-disk",
        [f"{A}:disks:xvda", "saltern:tie_breaker"],
    ),
    "the node-id of the tie-breaker": (
        f"{THIRD}\ndomains: {{a: {{disks: {{xvda: {{node_ids: [0, 31]}}}}}}}}",
        "node-id-unique",
        [f"{A}:disks:xvda:node_ids:1", "saltern:tie_breaker"],
    ),
    "an unknown protocol": ("drbd: {protocol: D}", "protocol", ["saltern:drbd:protocol"]),
    "a return that is neither": ("domains: {a: {return: no}}", "return", [f"{A}:return"]),
    "two primaries": (
        "drbd: {net: {allow-two-primaries: yes}}",
        "unsafe-option",
        ["saltern:drbd:net:allow-two-primaries"],
    ),
    "a policy that discards data": (
        "domains: {a: {drbd: {net: {after-sb-0pri: discard-zero-changes}}}}",
        "unsafe-option",
        [f"{A}:drbd:net:after-sb-0pri"],
    ),
    "a policy for one primary": (
        "drbd: {net: {after-sb-1pri: discard-secondary}}",
        "unsafe-option",
        ["saltern:drbd:net:after-sb-1pri"],
    ),
    "a policy for two primaries": (
        "drbd: {net: {after-sb-2pri: call-pri-lost-after-sb}}",
        "unsafe-option",
        ["saltern:drbd:net:after-sb-2pri"],
    ),
    "a role conflict solved by force": (
        "domains: {a: {disks: {xvda: {drbd: {net: {rr-conflict: violently}}}}}}",
        "unsafe-option",
        [f"{A}:disks:xvda:drbd:net:rr-conflict"],
    ),
    "promotion by itself": (
        "drbd: {options: {auto-promote: yes}}",
        "unsafe-option",
        ["saltern:drbd:options:auto-promote"],
    ),
    "an unknown section of DRBD": ("drbd: {startup: {wfc-timeout: 0}}", "unknown-key", ["saltern:drbd:startup"]),
    "an unknown option of DRBD": ("drbd: {net: {ping-interval: 3}}", "unknown-key", ["saltern:drbd:net:ping-interval"]),
    "the protocol among the options": ("drbd: {net: {protocol: C}}", "owned-key", ["saltern:drbd:net:protocol"]),
    "the size among the options": ("drbd: {disk: {size: 1G}}", "owned-key", ["saltern:drbd:disk:size"]),
    "a quote in an option": ("drbd: {net: {verify-alg: 'sha\"1'}}", "unsafe-text", ["saltern:drbd:net:verify-alg"]),
    "a line break in an option": (
        'drbd: {handlers: {split-brain: "/bin/true;\\n}"}}',
        "unsafe-text",
        ["saltern:drbd:handlers:split-brain"],
    ),
    "an option that drbdadm cannot read": (
        f"drbd: {{handlers: {{split-brain: /bin/{'x' * 255}}}}}",
        "unsafe-text",
        ["saltern:drbd:handlers:split-brain"],
    ),
    "an option that is a mapping": ("drbd: {net: {timeout: {a: b}}}", "type", ["saltern:drbd:net:timeout"]),
    "an option that is a fraction": ("drbd: {net: {timeout: 1.5}}", "type", ["saltern:drbd:net:timeout"]),
    "a key of xl that is Saltern's": ("domains: {a: {xl: {memory: 256}}}", "owned-key", [f"{A}:xl:memory"]),
    "a misspelt key of xl": ("domains: {a: {xl: {kernal: /boot/vmlinuz}}}", "unknown-key", [f"{A}:xl:kernal"]),
    "a quote in a value of xl": ("domains: {a: {xl: {cmdline: 'a\"b'}}}", "unsafe-text", [f"{A}:xl:cmdline"]),
    "a mapping in a value of xl": ("domains: {a: {xl: {kernel: {a: b}}}}", "type", [f"{A}:xl:kernel"]),
    "nothing that boots it": ("domains: {a: {xl: <taken away>}}", "boot", [f"{A}:xl"]),
    "a PVH domain without a kernel": ("domains: {a: {xl: {type: pvh, bootloader: <taken away>}}}", "boot", [f"{A}:xl"]),
    "a kernel that is a list": ("domains: {a: {xl: {kernel: [/k], bootloader: <taken away>}}}", "boot", [f"{A}:xl"]),
    "the old word for PV": ("domains: {a: {xl: {builder: generic, bootloader: <taken away>}}}", "boot", [f"{A}:xl"]),
    "a misspelt boot loader": (
        "domains: {a: {xl: {bootlaoder: pygrub, bootloader: <taken away>}}}",
        "unknown-key",
        [f"{A}:xl:bootlaoder"],
    ),
    "a kernel that is wrong in itself": (
        "domains: {a: {xl: {kernel: ' /k', bootloader: <taken away>}}}",
        "unsafe-text",
        [f"{A}:xl:kernel"],
    ),
    "a comma in an option of an interface": (
        "domains: {a: {interfaces: [{bridge: x, script: 'a,b'}]}}",
        "unsafe-text",
        [f"{A}:interfaces:0:script"],
    ),
    # --- What two places claim
    "one minor twice": (
        "domains: {a: {disks: {xvda: {minor: 3}}}, b: {disks: {xvda: {minor: 3}}}}",
        "minor-unique",
        [f"{A}:disks:xvda:minor", f"{B}:disks:xvda:minor"],
    ),
    "one port twice": (
        "domains: {a: {disks: {xvda: {port: 7800}}}, b: {disks: {xvda: {port: 7800}}}}",
        "port-unique",
        [f"{A}:disks:xvda:port", f"{B}:disks:xvda:port"],
    ),
    "one slot twice": (
        "domains: {a: {disks: {xvda: {meta_disk: 'm[1]'}}}, b: {disks: {xvda: {meta_disk: 'm[1]'}}}}",
        "slot-unique",
        [f"{A}:disks:xvda:meta_disk", f"{B}:disks:xvda:meta_disk"],
    ),
    "one volume for two disks": (
        "domains: {a: {disks: {xvda: {volume: x}}}, b: {disks: {xvda: {volume: x}}}}",
        "volume-unique",
        [f"{A}:disks:xvda:volume", f"{B}:disks:xvda:volume"],
    ),
    "a data volume that is a shared meta-disk": (
        "domains: {a: {disks: {xvda: {volume: m}}}, b: {disks: {xvda: {meta_disk: 'm[1]'}}}}",
        "volume-unique",
        [f"{A}:disks:xvda:volume", f"{B}:disks:xvda:meta_disk"],
    ),
    "a data volume that holds another's metadata": (
        "domains: {a: {disks: {xvda: {volume: b_meta}}}}",
        "volume-unique",
        [f"{A}:disks:xvda:volume", f"{B}:disks:xvda:meta_disk"],
    ),
    "a data volume that is its own shared meta-disk": (
        "domains: {a: {disks: {xvda: {volume: m, meta_disk: 'm[0]'}}}}",
        "volume-unique",
        [f"{A}:disks:xvda:meta_disk", f"{A}:disks:xvda:volume"],
    ),
    "slots in a volume that is another's own": (
        "domains: {a: {disks: {xvda: {meta_disk: 'b_meta[1]'}}}}",
        "volume-unique",
        [f"{A}:disks:xvda:meta_disk", f"{B}:disks:xvda:meta_disk"],
    ),
    "one resource name twice": (
        "domains: {a: {disks: {xvda: {resource: r, volume: v, meta_disk: m}}}, "
        "b: {disks: {xvda: {resource: r, volume: w, meta_disk: m}}}}",
        "resource-unique",
        [f"{A}:disks:xvda:resource", f"{B}:disks:xvda:resource"],
    ),
    "one MAC twice": (
        "domains: {a: {interfaces: [{bridge: x, mac: '00:16:3E:00:00:01'}]}, "
        "b: {interfaces: [{bridge: y, mac: '00:16:3e:00:00:01'}]}}",
        "mac-unique",
        [f"{A}:interfaces:0:mac", f"{B}:interfaces:0:mac"],
    ),
    "one UUID twice": (
        "domains: {a: {uuid: 11111111-1111-1111-1111-111111111111}, b: {uuid: 11111111-1111-1111-1111-111111111111}}",
        "uuid-unique",
        [f"{A}:uuid", f"{B}:uuid"],
    ),
    "one address twice": (
        "nodes: {dom0m: {address: 10.0.0.1}}",
        "address-unique",
        ["saltern:nodes:dom0:address", "saltern:nodes:dom0m:address"],
    ),
    # --- What one place says of another
    "an unknown home": ("domains: {a: {home: dom00}}", "unknown-node", [f"{A}:home"]),
    "an unknown partner": ("domains: {a: {partner: dom2}}", "unknown-node", [f"{A}:partner"]),
    "home and partner the same": ("domains: {a: {partner: dom0}}", "home-is-partner", [f"{A}:home", f"{A}:partner"]),
    "an unknown dependency": ("domains: {a: {depends_on: [c]}}", "unknown-domain", [f"{A}:depends_on"]),
    "a dependency on itself": ("domains: {a: {depends_on: [a]}}", "depends-on-itself", [f"{A}:depends_on"]),
    "dependencies that are one text": ("domains: {a: {depends_on: b}}", "type", [f"{A}:depends_on"]),
    "a cycle": (
        "domains: {a: {depends_on: [b]}, b: {depends_on: [a]}}",
        "dependency-cycle",
        [f"{A}:depends_on", f"{B}:depends_on"],
    ),
    "two networks": (
        "nodes: {dom0: {network: 10.0.0.0/24}, dom0m: {network: 10.0.0.0/16}}",
        "network-match",
        ["saltern:nodes:dom0:network", "saltern:nodes:dom0m:network"],
    ),
    "an address outside of its network": (
        "nodes: {dom0: {network: 10.1.0.0/24}, dom0m: {network: 10.1.0.0/24, address: 10.1.0.2}}",
        "network-match",
        ["saltern:nodes:dom0:address", "saltern:nodes:dom0:network"],
    ),
    "a partner outside of the network": (
        "nodes: {dom0: {network: 10.0.0.0/24}, dom0m: {address: 10.1.0.2}}",
        "network-match",
        ["saltern:nodes:dom0:network", "saltern:nodes:dom0m:address"],
    ),
    "IPv4 and IPv6": (
        "nodes: {dom0m: {address: 'fd00::2'}}",
        "network-match",
        ["saltern:nodes:dom0:address", "saltern:nodes:dom0m:address"],
    ),
    "a disk too large for its slot": (
        "domains: {a: {disks: {xvda: {size: 5T, meta_disk: meta}}}}",
        "slot-size",
        [f"{A}:disks:xvda:size", f"{A}:disks:xvda:meta_disk"],
    ),
    "more than the volume group holds": (
        # 2 x 1 GiB of data and one extent of metadata for each fill 2056 MiB.
        "nodes: {dom0: {volume_group_size: 2055M}, dom0m: {volume_group_size: 2056M}}",
        "volume-group-capacity",
        ["saltern:nodes:dom0:volume_group_size"],
    ),
    "more than the memory holds": (
        "nodes: {dom0: {memory: 255M}, dom0m: {memory: 256M}}",
        "memory-capacity",
        ["saltern:nodes:dom0:memory"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_broken_rule_is_reported_alone_and_with_every_path(name):
    fragment, rule, paths = CASES[name]
    violations = found(pillar(fragment))
    assert [(violation.rule, list(violation.paths)) for violation in violations] == [(rule, paths)]
    assert violations[0].found
    assert violations[0].allowed
    assert violations[0].remedy


def test_the_reference_of_rules_lists_every_rule_that_is_shown_here_and_no_other():
    elsewhere = {
        *("not-allocated", "numbers-exhausted", "node-id-unique", "volume-name-length"),
        *("entry-nodes", "domain-moved", "recorded-changed", "disk-gone", "number-retired"),
    }
    assert {rule for _, rule, _ in CASES.values()} | elsewhere == set(RULES)


def test_the_valid_topology_breaks_no_rule():
    assert found(pillar()) == ()


@pytest.mark.parametrize("boot", ["type: pvh, kernel: /k", "firmware: pvgrub64", "type: hvm", "builder: hvm"])
def test_a_kernel_or_firmware_boots_a_domain_as_well_and_hvm_needs_neither(boot):
    assert found(pillar(f"domains: {{a: {{xl: {{bootloader: <taken away>, {boot}}}}}}}")) == ()


def test_a_volume_name_that_the_device_mapper_cannot_hold_is_refused():
    # 61 hyphens count twice, and so does the one of the group: 128 characters on dom0, 126 on dom0m.
    (violation,) = found(
        pillar(f"nodes: {{dom0: {{volume_group: V-G}}}}\ndomains: {{a: {{disks: {{xvda: {{volume: a{'-' * 61}}}}}}}}}")
    )
    assert violation.rule == "volume-name-length"
    assert violation.paths == (f"{A}:disks:xvda:volume", "saltern:nodes:dom0:volume_group")


def test_numbers_that_are_neither_written_nor_allocated_are_named_with_the_command():
    (violation,) = found_compiling(pillar("domains: {b: <taken away>}"))
    assert violation.rule == "not-allocated"
    assert violation.paths == (A,)
    assert "salt-run topology.allocate" in violation.remedy


def test_a_number_that_is_wrong_is_not_called_missing_too():
    violations = found_compiling(pillar("domains: {b: <taken away>, a: {uuid: 7, disks: {xvda: {minor: x}}}}"))
    missing = [path for violation in violations if violation.rule == "not-allocated" for path in violation.paths]
    assert f"{A}:uuid" not in missing
    assert f"{A}:disks:xvda:minor" not in missing


def test_all_violations_are_reported_at_once():
    violations = found(
        pillar(
            """
            nodes: {dom0m: {adress: 10.0.0.2}}
            domains:
              a: {memory: 1.5, disks: {xvda: {minor: 1}}}
              b: {depends_on: [b], disks: {xvda: {size: 1G}, xvdb: {size: 1X}}}
            """
        )
    )
    assert {violation.rule for violation in violations} == {"unknown-key", "type", "depends-on-itself", "size"}


def test_a_domain_that_cannot_be_read_is_still_known_to_others():
    rules = {violation.rule for violation in found(pillar("domains: {a: {memory: }, b: {depends_on: [a]}}"))}
    assert rules == {"type"}


def test_a_node_that_cannot_be_read_is_still_known_to_domains():
    rules = {violation.rule for violation in found(pillar("nodes: {dom0: {address: }}"))}
    assert rules == {"type"}


def test_a_pillar_without_a_topology_is_refused():
    assert [violation.rule for violation in found({})] == ["missing-key"]


@pytest.mark.parametrize(
    ("fragment", "likely"),
    [
        ("domains: {a: {depends: [b]}}", "depends_on"),
        ("domains: {a: {xl: {kernal: x}}}", "kernel"),
        ("domains: {a: {home: don0m}}", "dom0m"),
        ("drbd: {net: {ping-intt: 3}}", "ping-int"),
    ],
)
def test_the_likely_word_is_suggested(fragment, likely):
    (violation,) = found(pillar(fragment))
    assert f"`{likely}`" in violation.remedy


def test_three_owners_of_one_thing_are_one_violation():
    (violation,) = found(
        pillar(
            """
            domains:
              a: {disks: {xvda: {minor: 3}, xvdb: {size: 1G, minor: 3}}}
              b: {disks: {xvda: {minor: 3}}}
            """
        )
    )
    assert violation.paths == (f"{A}:disks:xvda:minor", f"{A}:disks:xvdb:minor", f"{B}:disks:xvda:minor")


def test_the_same_number_on_pairs_of_nodes_that_share_none_is_no_conflict():
    fragment = """
    nodes:
      dom2: {address: 10.0.0.3, volume_group: XEN}
      dom3: {address: 10.0.0.4, volume_group: XEN}
    domains:
      a: {disks: {xvda: {minor: 3, port: 7800, meta_disk: 'm[1]', volume: x}}}
      b: {home: dom2, partner: dom3, disks: {xvda: {minor: 3, port: 7800, meta_disk: 'm[1]', volume: x}}}
    """
    assert found(pillar(fragment)) == ()


def test_the_shortest_cycle_is_shown():
    fragment = """
    domains:
      c: {home: dom0, partner: dom0m, memory: 64M, xl: {bootloader: pygrub}, disks: {xvda: {size: 1G}}, depends_on: [a]}
      b: {depends_on: [c]}
      a: {depends_on: [b, c]}
    """
    (violation,) = found(pillar(fragment))
    assert violation.found == "a -> c -> a"


@pytest.mark.parametrize(
    "fragment",
    [
        "drbd: {net: {shared-secret: 'hunter2\"'}}",
        "drbd: {net: {shared-secret: hunter2xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}}",
        'domains: {a: {xl: {vncpasswd: " hunter2"}}}',
        "domains: {a: {xl: {vfb: ['vnc=1,vncpasswd=x\"hunter2']}}}",
    ],
)
def test_a_secret_that_is_wrong_is_not_shown(fragment):
    (violation,) = found(pillar(fragment))
    assert violation.found == "(hidden)"
    assert "hunter2" not in str(violation)


def test_an_interface_that_cannot_be_read_does_not_shift_the_paths_of_the_others():
    fragment = """
    domains:
      a: {interfaces: [{model: e1000}, {bridge: x, mac: '00:16:3e:00:00:01'}]}
      b: {interfaces: [{bridge: x, mac: '00:16:3e:00:00:01'}]}
    """
    assert [(violation.rule, violation.paths) for violation in found(pillar(fragment))] == [
        ("missing-key", (f"{A}:interfaces:0:bridge",))
    ]


@pytest.mark.parametrize(
    ("fragment", "remedy"),
    [
        ("domains: {a: {on_crash: restart}}", "write it under `xl`"),
        ("domains: {a: {interfaces: {bridge: xenbr0}}}", "write a list: `- bridge: xenbr0`"),
    ],
)
def test_what_was_meant_is_told(fragment, remedy):
    (violation,) = found(pillar(fragment))
    assert violation.remedy == remedy
