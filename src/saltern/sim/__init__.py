"""Simulated nodes: LVM, DRBD and Xen answered from a model, held to recordings of the real tools."""
