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
        node_ids: {node1: 0, node2: 1}
        uuid: b7c66222-0343-58cd-b84f-2e00339591c5
        volume_groups: {node1: XEN, node2: XEN}
      mail:
        disks:
          xvda: {meta_disk: mail_meta, minor: 2, port: 7788, resource: mail, volume: mail}
          xvdb: {meta_disk: mail-xvdb_meta, minor: 3, port: 7789, resource: mail-xvdb, volume: mail-xvdb}
        macs: {xenbr0: '00:16:3e:bc:8b:39'}
        node_ids: {node1: 1, node2: 0}
        uuid: ae5cbb39-6bc9-5b17-a157-4c10abf39688
        volume_groups: {node1: XEN, node2: XEN}
      router:
        disks:
          xvda: {meta_disk: router_meta, minor: 4, port: 7790, resource: router, volume: router}
        macs: {xenbr0: '00:16:3e:8f:af:a5'}
        node_ids: {node1: 0, node2: 1}
        uuid: 567ada7f-6bda-54cf-ba8d-f37dde69af99
        volume_groups: {node1: XEN, node2: XEN}
      vpn:
        disks:
          xvda: {meta_disk: vpn_meta, minor: 5, port: 7791, resource: vpn, volume: vpn}
        macs: {xenbr0: '00:16:3e:d2:b2:5f'}
        node_ids: {node1: 1, node2: 0}
        uuid: 297f550f-fc29-5f44-a4f6-ff0440689937
        volume_groups: {node1: XEN, node2: XEN}
