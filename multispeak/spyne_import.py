"""The one place that imports Spyne, made fit for Python 3.11.

Spyne 2.14 carries an old `six` whose meta path importer lacks `find_spec`: with it in place every import of the process warns, and Python
3.12 refuses it. Its importer is given the missing method before Spyne is loaded. Spyne also imports the deprecated `cgi`.
Source  reference/spyne.md 1
"""

import importlib.util
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def _load_six() -> ModuleType:
    name = "spyne.util.six"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("spyne")
    assert package is not None, "spyne is a dependency of this package"
    assert package.submodule_search_locations
    spec = importlib.util.spec_from_file_location(name, f"{package.submodule_search_locations[0]}/util/six.py")
    assert spec is not None
    assert spec.loader is not None
    six = importlib.util.module_from_spec(spec)
    sys.modules[name] = six
    spec.loader.exec_module(six)
    _complete(six._SixMetaPathImporter)
    return six


def _complete(importer: Any) -> None:
    """Give six's importer the three methods that Python's import system asks for today."""

    def find_spec(self: Any, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self.known_modules else None

    def create_module(self: Any, spec: ModuleSpec) -> ModuleType:
        module: ModuleType = self.load_module(spec.name)
        return module

    def exec_module(self: Any, module: ModuleType) -> None:
        """Nothing is left to run: `load_module` hands out finished modules."""

    importer.find_spec, importer.create_module, importer.exec_module = find_spec, create_module, exec_module


_six = _load_six()

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from spyne import Application, Fault, MethodContext, ServiceBase, Unicode, rpc
    from spyne.const.xml import NS_SOAP11_ENV, NS_SOAP12_ENV
    from spyne.model.complex import ComplexModel
    from spyne.protocol.soap import Soap11, Soap12
    from spyne.server import ServerBase

__all__ = [
    "NS_SOAP11_ENV",
    "NS_SOAP12_ENV",
    "Application",
    "ComplexModel",
    "Fault",
    "MethodContext",
    "ServerBase",
    "ServiceBase",
    "Soap11",
    "Soap12",
    "Unicode",
    "rpc",
]
