"""What keeps Njord running: backup and restore of the ledger."""
