"""The ledger in a database: one schema, on SQLite (embedded) and PostgreSQL, through SQLAlchemy."""
