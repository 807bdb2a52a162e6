"""Which operation is at home at which endpoint: tells a caller who knocks at the wrong door where the right one is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from multispeak.binding import ServiceBinding
from multispeak.contract import Contract
from multispeak.faults import FaultCode, RefusedCallError

ALIASES = {"MR_CB": "MR_Server", "CD_CB": "CD_Server", "OD_OA": "OD_Server"}
"""Names of interface pairs, by which some installations know the server of the pair."""


def endpoint_path(version: str, service_name: str) -> str:
    """Path of an endpoint; the same with `.asmx` behind it is served too, because that is what field installations expect."""
    return f"/multispeak/{version}/{service_name}"


@dataclass(frozen=True)
class Endpoints:
    """All contracts, and the addresses that are served: (version, service name) → URL."""

    contracts: Mapping[str, Contract]
    urls: Mapping[tuple[str, str], str]

    def require_here(self, binding: ServiceBinding, tag: str) -> None:
        """Accept the body element `tag` at the endpoint of `binding`.

        Raises  RefusedCallError that says where the operation belongs
        """
        namespace, _, operation = tag.rpartition("}")
        namespace = namespace[1:]
        here = binding.contract
        if namespace == here.namespace and operation in binding.service.operations:
            return
        name = f"{binding.service.name} of MultiSpeak {here.version}"
        if namespace == here.namespace:
            self._explain_service(here, name, operation)
        for contract in self.contracts.values():
            if contract.namespace == namespace:
                where = self._where(contract, operation)
                sentence = f"{operation} came in the namespace of MultiSpeak {contract.version}; this is {name}{where}"
                raise RefusedCallError(FaultCode.WRONG_ENDPOINT, sentence)
        said = f"has the namespace {namespace!r}" if namespace else "has no namespace"
        sentence = f"{operation} {said}; {name} takes {here.namespace!r}"
        raise RefusedCallError(FaultCode.UNKNOWN_OPERATION, sentence)

    def _explain_service(self, contract: Contract, name: str, operation: str) -> None:
        homes = [s.name for s in contract.services.values() if operation in s.operations]
        if homes:
            sentence = f"{operation} is no operation of {name}{self._where(contract, operation)}"
            raise RefusedCallError(FaultCode.WRONG_ENDPOINT, sentence)
        raise RefusedCallError(FaultCode.UNKNOWN_OPERATION, f"MultiSpeak {contract.version} knows no operation {operation[:100]!r} here")

    def _where(self, contract: Contract, operation: str) -> str:
        homes = [s.name for s in contract.services.values() if operation in s.operations]
        served = [self.urls[contract.version, home] for home in homes if (contract.version, home) in self.urls]
        if served:
            return f"; send it to {_any_of(served)}"
        return f"; it belongs to {_any_of(homes)}, not served here" if homes else ""


def _any_of(items: Iterable[str]) -> str:
    return " or ".join(items)
