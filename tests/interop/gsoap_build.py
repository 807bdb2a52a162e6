"""gSOAP clients built from the standard's WSDLs: one program for each server, of the operations that a plan calls."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from lxml import etree

SOURCE = Path(__file__).with_name("gsoap_client.cpp")
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
BUILD_SECONDS = 600
"""How long one step may take, in seconds, before the test fails rather than hangs: a compilation takes some ten."""


def digest(wsdls: dict[str, str], operations: dict[str, list[str]], soap: str) -> str:
    """What a build depends on, as a name."""
    parts = [
        SOURCE.read_bytes(),
        Path(__file__).read_bytes(),
        repr((operations, soap)).encode(),
        *(Path(w).read_bytes() for w in wsdls.values()),
    ]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def build(folder: Path, wsdls: dict[str, str], operations: dict[str, list[str]], soap: str) -> None:
    """Programs named after their servers, in `folder`."""
    for server, called in operations.items():
        _build_one(folder, server, wsdls[server], called, soap)


def _build_one(folder: Path, server: str, wsdl: str, operations: list[str], soap: str) -> None:
    place = folder / f"{server}.build"
    place.mkdir()
    _lessen(Path(wsdl), place / "service.wsdl", server + ("Soap" if soap == "1.1" else "Soap12"), operations)
    # Nothing that no message reaches is generated (-O4): compiling it would take a minute.
    _run(place, "wsdl2h", "-O4", "-P", "-x", "-o", "service.h", "service.wsdl")
    _run(place, "soapcpp2", "-I/usr/share/gsoap/import", "-j", "-C", "-L", "-x", "-w", "service.h")
    (proxy,) = place.glob("soap*Proxy.h")
    (namespaces,) = place.glob("*.nsmap")
    named = [f'-DPROXY_HEADER="{proxy.name}"', f'-DPROXY_NAMESPACES="{namespaces.name}"', f"-DProxy={proxy.stem.removeprefix('soap')}"]
    called = "-DOPERATIONS=" + " ".join(f"OPERATION({name})" for name in operations)
    sources = [str(SOURCE), "soapC.cpp", f"{proxy.stem}.cpp"]
    _run(place, "g++", "-std=c++17", "-O0", "-w", "-I.", *named, called, *sources, "-o", str(folder / server), "-lgsoap++")
    shutil.rmtree(place)


def _lessen(source: Path, target: Path, port: str, operations: list[str]) -> None:
    """The WSDL with one port, the operations that are called and their messages; types are left as they are."""
    tree = etree.parse(source)
    root = tree.getroot()
    kept = {port, port.removesuffix("12")}
    for part in (*root.findall(WSDL + "binding"), *root.findall(WSDL + "portType"), *root.findall(f"{WSDL}service/{WSDL}port")):
        for operation in part.findall(WSDL + "operation"):
            if operation.get("name") not in operations:
                part.remove(operation)
        if part.get("name") not in kept or (part.get("name") != port and part.tag != WSDL + "portType"):
            part.getparent().remove(part)
    used = {element.get("message", "").rpartition(":")[2] for element in root.iter()}
    for message in root.findall(WSDL + "message"):
        if message.get("name") not in used:
            root.remove(message)
    tree.write(target)


def _run(place: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    assert done.returncode == 0, f"{command[0]} failed: {(done.stderr or done.stdout)[-2000:]}"
