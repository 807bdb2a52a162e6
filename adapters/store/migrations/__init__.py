"""Alembic's steps; `adapters.store.migration` runs them when a store is opened."""
