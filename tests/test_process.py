"""What a process is set to before it works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[1]


def python(code: str, **environment: str) -> str:
    clean = {
        name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "PYTHONWARNINGS")
    }
    done = subprocess.run(
        [sys.executable, "-c", f"from hybridnb.process import prepare; prepare()\n{code}"],
        env={**clean, **environment},
        cwd=HERE,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode("utf-8").strip()


def test_threads_wait_without_spinning_unless_told_otherwise() -> None:
    show = "import os; print(os.environ['OMP_WAIT_POLICY'])"
    assert python(show) == "PASSIVE"
    assert python(show, OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"


def test_texts_of_any_script_are_printed_whatever_the_locale() -> None:
    where = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert python("print('\\u0e44\\u0e17\\u0e22 \\udcff')", **where) == "ไทย \\udcff"


def test_of_processes_that_work_together_the_first_alone_speaks() -> None:
    say = "print('done')"
    assert python(say, LOCAL_RANK="0", RANK="0") == python(say, RANK="1") == "done"
    assert python(say, LOCAL_RANK="0", RANK="2") == ""
