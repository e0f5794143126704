"""The lab: two nodes with real Xen, DRBD and LVM in QEMU machines, a real Salt master outside them."""
