# An example: two Xen hosts, four machines, placed on both sides.
saltern:
  cluster: example

  drbd:
    protocol: C
    net:
      ping-int: 3
      verify-alg: sha256

  nodes:
    dom0:
      address: 192.168.1.190
      network: 192.168.1.0/24
      volume_group: XEN
      volume_group_size: 24G
      memory: 4G
    dom0m:
      address: 192.168.1.191
      network: 192.168.1.0/24
      volume_group: XEN
      volume_group_size: 24G
      memory: 4G

  domains:
    router:
      home: dom0
      partner: dom0m
      memory: 128M
      order: 10
      disks:
        xvda: {size: 1G}
      interfaces:
        - bridge: xenbr0
          ip: 192.168.1.1
        - bridge: xenbr1
      xl:
        type: pvh
        kernel: /boot/guest/vmlinuz
        cmdline: root=/dev/xvda ro console=hvc0

    # Written the historical way, every number by hand and the metadata in a slot of a shared volume.
    dns:
      home: dom0
      partner: dom0m
      memory: 256M
      order: 20
      depends_on: [router]
      disks:
        xvda:
          size: 2G
          minor: 1
          port: 7792
          node_ids: [0, 1]
          meta_disk: meta[1]
      interfaces:
        - bridge: xenbr0
          mac: 00:16:3e:00:00:35
          ip: 192.168.1.53
      xl:
        type: pvh
        kernel: /boot/guest/vmlinuz
        cmdline: root=/dev/xvda ro console=hvc0

    vpn:
      home: dom0m
      partner: dom0
      memory: 256M
      depends_on: [router, dns]
      disks:
        xvda: {size: 1G}
      interfaces:
        - bridge: xenbr0
      xl:
        type: pvh
        kernel: /boot/guest/vmlinuz
        cmdline: root=/dev/xvda ro console=hvc0

    # Two disks; the second one is synchronised more slowly than the network could.
    mail:
      home: dom0m
      partner: dom0
      memory: 512M
      vcpus: 2
      depends_on: [dns]
      disks:
        xvda: {size: 2G}
        xvdb:
          size: 4G
          drbd:
            disk: {c-max-rate: 50M}
      interfaces:
        - bridge: xenbr0
          rate: 100Mb/s
      xl:
        type: pvh
        kernel: /boot/guest/vmlinuz
        cmdline: root=/dev/xvda ro console=hvc0
        on_crash: restart
