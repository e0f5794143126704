"""The keys of xl.cfg(5) and of xl-network-configuration(5) that can be passed through, for Xen 4.17 and later.

Source: the manual pages and the keys that tools/xl/xl_parse.c of Xen reads.
"""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Saltern writes these itself, from the domain's own keys: name -> where it is written in the topology.
OWNED: Final = {
    "name": "the key of the domain under `domains`",
    "uuid": "`uuid` of the domain",
    "memory": "`memory` of the domain",
    "vcpus": "`vcpus` of the domain",
    "disk": "`disks` of the domain",
    "vif": "`interfaces` of the domain",
}

_ACTIONS: Final = (
    "destroy",
    "restart",
    "rename-restart",
    "preserve",
    "coredump-destroy",
    "coredump-restart",
    "soft-reset",
)
# The words that a key may have. A domain that was shut down, by an operation too, has to be gone: with any other word than the
# one it would run again, or keep its disks.
XL_WORDS: Final = {
    "type": ("pv", "pvh", "hvm"),
    "builder": ("generic", "hvm"),
    "on_poweroff": ("destroy",),
    **dict.fromkeys(("on_reboot", "on_crash", "on_watchdog", "on_soft_reset"), _ACTIONS),
}

XL_KEYS: Final = _words(
    """
    acpi acpi_firmware acpi_laptop_slate acpi_s3 acpi_s4 altp2m altp2m_count altp2mhvm apic arm_sci
    assisted_x2apic assisted_xapic bios bios_path_override boot bootloader bootloader_args builder cap
    channel cmdline cpu_weight cpuid cpus cpus_soft device_model_args device_model_args_hvm
    device_model_args_pv device_model_override device_model_stubdomain_override device_model_stubdomain_seclabel
    device_model_user device_model_version device_tree display dm_restrict driver_domain dtdev e820_host extra
    extratime firmware firmware_override gfx_passthru gic_version hap hdtype hpet init_seclabel iomem ioports irqs
    kernel keymap latency llc_colors localtime max_event_channels max_grant_frames max_grant_version
    max_maptrack_frames maxmem maxvcpus mca_caps mmio_hole ms_vm_genid msr_relaxed nestedhvm nographic nomigrate
    nr_spis nx on_crash on_poweroff on_reboot on_soft_reset on_watchdog oos opengl p9 pae passthrough pci
    pci_msitranslate pci_permissive pci_power_mgmt pci_seize period pool pvcalls pvshim pvshim_cmdline pvshim_extra
    pvshim_path ramdisk rdm rdm_mem_boundary root rtc_timeoffset sdl seclabel serial shadow_memory slice
    smbios smbios_firmware soundhw spice spice_clipboard_sharing spice_image_compression spice_streaming_video
    spiceagent_mouse spicedisable_ticketing spicehost spicepasswd spiceport spicetls_port spiceusbredirection
    spicevdagent static_shm stdvga stubdomain_cmdline stubdomain_kernel stubdomain_memory stubdomain_ramdisk
    suppress_spurious_page_faults sve tee timer_mode trap_unmapped_accesses tsc_mode type usb usbctrl usbdev usbdevice usbversion
    vendor_device vfb vga videoram viridian virtio vkb vkb_device vmtrace_buf_kb vnc vncconsole vncdisplay vnclisten
    vncpasswd vncunused vncviewer vnuma vpt_align vsnd vtpm vuart vdispl xauthority xen_platform_pci
    xend_suspend_evtchn_compat
    """
)

INTERFACE_KEYS: Final = _words("backend devid gatewaydev ip model mtu netdev rate script type vifname vlan")
