# Where the data of each domain are: nodes, volume groups, resources, volumes, its UUID and its numbers, also those that the
# topology writes itself. Commit it together with the topology. Written by `salt-run topology.allocate` (without Salt:
# `saltern allocate PATH`): change the topology, not this file. Nothing in it changes, and an entry stays when its domain is
# taken out of the topology, because what is left on the nodes may still run, and holds these numbers. To give up the entry
# of a domain that runs nowhere, or of one disk: `salt-run topology.allocate forget=NAME`, `forget=NAME/DEVICE` (without
# Salt: `saltern allocate --forget NAME PATH`). Its numbers are then `retired`: nothing else is given them, because what is
# left on the nodes would connect with it. When nothing is left on a node, delete its lines under `retired` by hand.
saltern:
  allocation:
    domains:
      dns:
        disks:
          xvda: {meta_disk: 'meta[1]', minor: 1, port: 7792, resource: dns, volume: dns}
        macs: {xenbr0: '00:16:3e:00:00:35'}
        node_ids: {dom0: 0, dom0m: 1}
        uuid: dceb61e5-2d8e-54ba-8500-52bd9ea3103a
        volume_groups: {dom0: XEN, dom0m: XEN}
      mail:
        disks:
          xvda: {meta_disk: mail_meta, minor: 2, port: 7788, resource: mail, volume: mail}
          xvdb: {meta_disk: mail-xvdb_meta, minor: 3, port: 7789, resource: mail-xvdb, volume: mail-xvdb}
        macs: {xenbr0: '00:16:3e:4c:2c:b2'}
        node_ids: {dom0: 1, dom0m: 0}
        uuid: 7213da46-0fae-57c5-88a9-62f5e33f1d1c
        volume_groups: {dom0: XEN, dom0m: XEN}
      router:
        disks:
          xvda: {meta_disk: router_meta, minor: 4, port: 7790, resource: router, volume: router}
        macs: {xenbr0: '00:16:3e:4c:1e:26', xenbr1: '00:16:3e:0c:6d:5b'}
        node_ids: {dom0: 0, dom0m: 1}
        uuid: 3aec8767-f8c4-50a7-a7ca-1f0d96132a52
        volume_groups: {dom0: XEN, dom0m: XEN}
      vpn:
        disks:
          xvda: {meta_disk: vpn_meta, minor: 5, port: 7791, resource: vpn, volume: vpn}
        macs: {xenbr0: '00:16:3e:9c:f0:02'}
        node_ids: {dom0: 1, dom0m: 0}
        uuid: 3d83ecf6-809a-527a-99d4-43ab43e92a0e
        volume_groups: {dom0: XEN, dom0m: XEN}
