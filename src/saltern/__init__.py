"""Saltern: a declarative reconciler for Xen and DRBD clusters, on the Salt state system."""

__version__ = "0.1.0"
