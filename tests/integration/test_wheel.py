"""The wheel, installed into a clean environment outside the clone, has everything that it needs."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

CONFIG = Path("configs/demo.yaml")

_FILES = """
from importlib.resources import files
wanted = ["gateway.board/static/index.html", "configs/packs/vietnam.yaml", "gateway.journal/schema_v1.sql",
          "gateway.kpi/schema_v2.sql", "gateway.history/schema_v1.sql"]
print([(files(name.partition("/")[0]) / name.partition("/")[2]).is_file() for name in wanted])
"""


@pytest.mark.timeout(300)
def test_an_installed_wheel_checks_a_config_that_uses_shipped_profiles_and_packs(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), "."]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("lineside-*.whl")
    venv.create(tmp_path / "clean", with_pip=True)
    run = [str(tmp_path / "clean/bin/pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    subprocess.run(run, check=True, capture_output=True)
    shutil.copy(CONFIG, tmp_path / "mine.yaml")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}

    def installed(*command: str) -> subprocess.CompletedProcess[str]:
        words = [str(tmp_path / "clean/bin" / command[0]), *command[1:]]
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    checked = installed("lineside", "check", "mine.yaml")
    assert checked.returncode == 0, checked.stderr
    assert "press-01, press-02, weld-03, pack-04: availability" in checked.stdout
    assert "co2e" in checked.stdout
    listed = installed("python", "-c", _FILES)
    assert listed.stdout.strip() == "[True, True, True, True, True]", listed.stderr
    where = installed("python", "-c", "import gateway; print(gateway.__file__)")
    assert str(tmp_path) in where.stdout
