"""Files of readings for other systems: our XML, IEC 61968-9, CMEP; manifests; written straight to octets, never as a tree."""
