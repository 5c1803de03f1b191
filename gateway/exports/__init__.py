"""What leaves the log for others' tools: analyst files, a SIEM, FHIR, the record of processing. Pure."""
