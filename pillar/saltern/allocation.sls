# Which two nodes hold the data of each domain, its UUID and its numbers, also those that the topology writes itself.
# Commit it together with the topology. Written by `salt-run topology.allocate` (without Salt: `saltern allocate PATH`):
# change the topology, not this file. An entry stays when its domain or disk is taken out of the topology, because what is
# left on the nodes may still run, and holds these numbers. To give up the entry of a domain that runs nowhere:
# `salt-run topology.allocate forget=NAME` (without Salt: `saltern allocate --forget NAME PATH`).
saltern:
  allocation:
    domains:
      dns:
        disks:
          xvda: {meta_disk: 'meta[1]', minor: 1, port: 7792}
        macs: {xenbr0: '00:16:3e:00:00:35'}
        node_ids: {dom0: 0, dom0m: 1}
        uuid: dceb61e5-2d8e-54ba-8500-52bd9ea3103a
      mail:
        disks:
          xvda: {minor: 2, port: 7788}
          xvdb: {minor: 3, port: 7789}
        macs: {xenbr0: '00:16:3e:4c:2c:b2'}
        node_ids: {dom0: 1, dom0m: 0}
        uuid: 7213da46-0fae-57c5-88a9-62f5e33f1d1c
      router:
        disks:
          xvda: {minor: 4, port: 7790}
        macs: {xenbr0: '00:16:3e:4c:1e:26', xenbr1: '00:16:3e:0c:6d:5b'}
        node_ids: {dom0: 0, dom0m: 1}
        uuid: 3aec8767-f8c4-50a7-a7ca-1f0d96132a52
      vpn:
        disks:
          xvda: {minor: 5, port: 7791}
        macs: {xenbr0: '00:16:3e:9c:f0:02'}
        node_ids: {dom0: 1, dom0m: 0}
        uuid: 3d83ecf6-809a-527a-99d4-43ab43e92a0e
