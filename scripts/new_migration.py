"""Write the next migration from the models: `python scripts/new_migration.py "add audit log"`. Review what it wrote.

Types are written as plain columns, so that a migration never changes its meaning when our own types do.
"""

import re
import sys
import tempfile
from pathlib import Path

from alembic import command

from core.clock import utc_now
from core.db import Database
from core.migrations import make_alembic_config, upgrade

_HEADER = """import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""


def main(message: str) -> None:
    """Compare the newest migration with the models and write what differs."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/compare.db")
        upgrade(database)
        revision = utc_now().strftime("%Y%m%d_%H%M")
        script = command.revision(make_alembic_config(database), message, autogenerate=True, rev_id=revision)
    path = Path(script.path)  # type: ignore[union-attr] # one revision is asked for, so one script comes back
    text = re.sub(r"import sqlalchemy as sa\nfrom alembic import op\n", _HEADER, path.read_text())
    text = text.replace("core.db.Moment()", "sa.BigInteger()")
    text = text.replace("sa.BigInteger().with_variant(sa.Integer(), 'sqlite')", "_ID")
    text = re.sub(r"sa\.JSON\(none_as_null=True\)\.with_variant\(.*?'postgresql'\)", "_JSON", text)
    text = re.sub(r"\n\s+# ### .*", "", text)
    path.write_text(text)
    print(path)


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "unnamed")
