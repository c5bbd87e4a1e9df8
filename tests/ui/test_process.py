"""The app's process stays light: no torch, and none of what comes with it, after the page has been used."""

import json
import os
import subprocess
import sys

SCRIPT = """
import json, sys
from streamlit.testing.v1 import AppTest
test = AppTest.from_file("app.py", default_timeout=60).run()
assert not test.exception and not test.error, [e.value for e in test.error]
test.slider[0].set_value(0.35)
test._finished_page_script_hash = ""
test.run()
assert not test.exception and not test.error
print(json.dumps(sorted(name.split(".")[0] for name in sys.modules)))
"""

HEAVY = {"torch", "transformers", "lm_eval", "llm_blender", "datasets", "accelerate"}


def test_the_app_imports_no_torch(place, store_path):
    names = dict(zip(("HMA_REFERENCE", "HMA_POLICY", "HMA_SUITE"), map(str, place), strict=True))
    environment = os.environ | names | {"HMA_STORE": str(store_path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert "streamlit" in imported
    assert not imported & HEAVY
    assert not imported & {"pandas", "pyarrow"}  # A second of imports that the first chart does not need.
