"""The store on PostgreSQL: tables, units of work, the log's store, migrations, roles, the embedded server."""
