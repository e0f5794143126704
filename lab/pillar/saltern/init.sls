# The example of pillar/, sized down to two small emulated machines: the same four domains, placed on both sides.
saltern:
  cluster: lab

  drbd:
    protocol: C
    # A fixed rate: the one that DRBD chooses by itself falls to 250 kB/s where every answer takes milliseconds.
    disk:
      c-plan-ahead: 0
      resync-rate: 40M
    net:
      ping-int: 3
      # Half a second by default, in which a busy emulated node does not always answer.
      ping-timeout: 50
      verify-alg: sha256

  nodes:
    node1:
      address: 10.77.0.1
      network: 10.77.0.0/24
      volume_group: XEN
      volume_group_size: 2044M
      memory: 1000M
    node2:
      address: 10.77.0.2
      network: 10.77.0.0/24
      volume_group: XEN
      volume_group_size: 2044M
      memory: 1000M

  # 96M is the least: Debian's kernel itself takes 62. Locked down it has no tracefs, whose ten thousand entries take another 12.
  domains:
    router:
      home: node1
      partner: node2
      memory: 96M
      order: 10
      disks:
        xvda: {size: 32M}
      interfaces:
        - bridge: xenbr0
          ip: 10.77.0.51
      xl: &guest
        type: pvh
        tsc_mode: native
        kernel: /var/lib/lab/vmlinux
        ramdisk: /var/lib/lab/guest.img
        cmdline: console=hvc0 quiet mitigations=off lsm=lockdown lockdown=confidentiality lab.name=router lab.ip=10.77.0.51

    # Written the historical way, every number by hand and the metadata in a slot of a shared volume.
    dns:
      home: node1
      partner: node2
      memory: 96M
      order: 20
      depends_on: [router]
      disks:
        xvda:
          size: 64M
          minor: 1
          port: 7792
          node_ids: [0, 1]
          meta_disk: meta[1]
      interfaces:
        - bridge: xenbr0
          mac: 00:16:3e:00:00:35
          ip: 10.77.0.52
      xl:
        <<: *guest
        cmdline: console=hvc0 quiet mitigations=off lsm=lockdown lockdown=confidentiality lab.name=dns lab.ip=10.77.0.52

    vpn:
      home: node2
      partner: node1
      memory: 96M
      depends_on: [router, dns]
      disks:
        xvda: {size: 32M}
      interfaces:
        - bridge: xenbr0
          ip: 10.77.0.53
      xl:
        <<: *guest
        cmdline: console=hvc0 quiet mitigations=off lsm=lockdown lockdown=confidentiality lab.name=vpn lab.ip=10.77.0.53

    # Two disks; the second one is synchronised more slowly than the others.
    mail:
      home: node2
      partner: node1
      memory: 96M
      vcpus: 2
      depends_on: [dns]
      disks:
        xvda: {size: 32M}
        xvdb:
          size: 64M
          drbd:
            disk: {resync-rate: 20M}
      interfaces:
        - bridge: xenbr0
          ip: 10.77.0.54
          rate: 100Mb/s
      xl:
        <<: *guest
        cmdline: console=hvc0 quiet mitigations=off lsm=lockdown lockdown=confidentiality lab.name=mail lab.ip=10.77.0.54
        on_crash: restart
