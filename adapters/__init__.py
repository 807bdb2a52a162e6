"""Every edge of the head-end but the SOAP one: store, field links, files, deliveries."""
