"""One outside format a file, read into a Snapshot; and the store (Parquet, DuckDB)."""
