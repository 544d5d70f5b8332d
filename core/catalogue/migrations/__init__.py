"""The one Alembic history of the catalogue. New revision: see CONTRIBUTING.md."""
