"""``drbdadm dump-xml``: every resource that drbdadm reads, whoever wrote it."""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from saltern.errors import ParseError
from saltern.model.observed import NO_DISK, ConfiguredHost, ConfiguredResource, ConfiguredVolume
from saltern.parse.scalars import whole_number

_TOOL = "drbdadm dump-xml"
# Declarations can define entities that expand without end; drbdadm writes none. Comments begin with <!--.
_DECLARATION: Final = re.compile(r"<!(?!--)")
_FLEXIBLE = "flexible"
# drbdadm prints a null pointer in this way where a host section has no address of its own.
_NULL = "(null)"


def parse(text: str) -> dict[str, ConfiguredResource]:
    """All resources by name, those for other hosts included; an empty configuration is an empty dictionary.

    A side that is reached under several addresses, or that several hosts share, stands in ``hosts`` once for each, so
    that every number in use is seen. A floating side has no host name and is called by its address and port. A
    volume without a disk has ``"none"`` for disk and meta-disk. Raises ``ParseError`` for what is not well-formed,
    not complete or not a number. Source: drbdadm_dump.c, transcript 028.
    """
    if _DECLARATION.search(text):
        raise ParseError(_TOOL, "it holds a declaration such as DOCTYPE", text)
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 (no declarations, hence no entities)
        if root.tag != "config":
            raise ValueError(f"<{root.tag}> instead of <config>")
        resources: dict[str, ConfiguredResource] = {}
        for element in root.findall("resource"):
            resource = _resource(element)
            if resource.name in resources:
                raise ValueError(f"resource {resource.name} stands there twice")
            resources[resource.name] = resource
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise ParseError(_TOOL, str(error), text) from error
    return resources


def _resource(element: ElementTree.Element) -> ConfiguredResource:
    name = element.attrib["name"]
    file, _, line = element.attrib["conf-file-line"].rpartition(":")
    whole_number(line)
    hosts = tuple(host for child in element.findall("host") for host in _hosts(child, element))
    if not (name and file and hosts):
        raise ValueError(f"resource {name!r} has no name, no file or no host")
    return ConfiguredResource(name=name, file=file, hosts=hosts)


def _hosts(element: ElementTree.Element, resource: ElementTree.Element) -> Iterator[ConfiguredHost]:
    volumes = _volumes(element)
    names = element.get("name", "").split()
    if not names and element.get("floating") != "1":
        raise ValueError("a host has no name and does not float")
    for address, port in _endpoints(element, names, resource):
        for name in names or [f"{address}:{port}"]:
            yield ConfiguredHost(node=name, address=address, port=port, volumes=volumes)


def _endpoints(element: ElementTree.Element, names: list[str], resource: ElementTree.Element) -> list[tuple[str, int]]:
    """The host's own address, and those that connections and paths give it."""
    own = _one(element, "address")
    # drbdadm joins the names of a shared side by underscores where a connection speaks of it.
    called = {*names, "_".join(names)}
    elsewhere = [
        _one(host, "address")
        for connection in resource.findall("connection")
        for host in connection.iter("host")
        if host.get("name") in called
    ]
    endpoints = [_endpoint(address) for address in (own, *elsewhere) if address.get("family") != _NULL]
    if not endpoints:
        raise ValueError(f"host {' '.join(names)} has no address")
    return list(dict.fromkeys(endpoints))


def _endpoint(address: ElementTree.Element) -> tuple[str, int]:
    return _text(address).strip("[]"), whole_number(address.attrib["port"])


def _volumes(host: ElementTree.Element) -> dict[int, ConfiguredVolume]:
    volumes: dict[int, ConfiguredVolume] = {}
    for element in host.findall("volume"):
        number = whole_number(element.attrib["vnr"])
        if number in volumes:
            raise ValueError(f"volume {number} stands there twice")
        volumes[number] = _volume(element)
    if not volumes:
        raise ValueError("a host without volumes")
    return volumes


def _volume(element: ElementTree.Element) -> ConfiguredVolume:
    minor = whole_number(_one(element, "device").attrib["minor"])
    disk = _text(_one(element, "disk"))
    if disk == NO_DISK:
        return ConfiguredVolume(minor=minor, disk=disk, meta_device=NO_DISK, meta_index=None)
    meta = _one(element, "meta-disk")
    index = meta.get("index", _FLEXIBLE)
    return ConfiguredVolume(
        minor=minor,
        disk=disk,
        meta_device=_text(meta),
        meta_index=None if index == _FLEXIBLE else whole_number(index),
    )


def _one(element: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = element.findall(tag)
    if len(found) != 1:
        raise ValueError(f"<{element.tag}> has {len(found)} <{tag}> instead of one")
    return found[0]


def _text(element: ElementTree.Element) -> str:
    if not element.text or element.text == _NULL:
        raise ValueError(f"<{element.tag}> is empty")
    return element.text
