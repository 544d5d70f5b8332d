"""The one Alembic history of the catalogue. The next step of it: core.catalogue.revise."""
