"""The SOAP face: MultiSpeak servers rendered, read and written from the contracts in `wsdl/`."""
