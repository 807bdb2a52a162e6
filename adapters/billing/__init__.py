"""The AMI billing export as XML: requests in, responses out, confirmations; over HTTP and as files."""
