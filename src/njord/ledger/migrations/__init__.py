"""Migrations of the ledger's schema, forward and back, for both databases. Run by ``ledger.sql.schema``."""
