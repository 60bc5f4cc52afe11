"""The service works installed, not only from its source tree."""

import os
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import alembic

from tests.house import ROOT


def test_an_installed_service_can_migrate_a_database(tmp_path: Path) -> None:
    installed = tmp_path / "site-packages"
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(installed)
    # The library of the same name is its neighbour there; our scripts must not be looked for in it.
    (installed / "alembic").symlink_to(Path(alembic.__file__).parent)

    migrate = "from app.database.migrate import upgrade; upgrade('sqlite:///installed.db')"
    subprocess.run(
        [sys.executable, "-c", migrate], cwd=tmp_path, env=dict(os.environ, PYTHONPATH=str(installed)), check=True
    )

    assert (installed / "app/intake/adapters/shipped/alayacare-visit.toml").is_file()
    with closing(sqlite3.connect(tmp_path / "installed.db")) as database:
        assert database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'ledgers'").fetchone() == (1,)
