"""The tables of one moment: schemas, Snapshot, backing, shocks."""
