"""Where migrations meet the database: on the connection they are handed, or on FOREWARN_DATABASE_URL's."""

from alembic import context
from sqlalchemy import Connection, create_engine

from app.database.tables import metadata
from app.settings import Settings


def run(connection: Connection) -> None:
    """Run what was asked for in one transaction."""
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


handed = context.config.attributes.get("connection")
if handed is not None:
    run(handed)
else:
    engine = create_engine(Settings().url)
    with engine.connect() as own:
        run(own)
        own.commit()
    engine.dispose()
