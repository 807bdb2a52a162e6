"""SOAP servers to be measured side by side, each a process of its own: ours, and what others make of the same contract."""
