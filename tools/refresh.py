"""Run notebooks in place, each as one clean run, and keep nothing random.

python tools/refresh.py notebooks/*.ipynb
"""

import sys
from base64 import b64decode
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from slides import mark_slides

from focal_edu.explore.moving import VEGA_LITE


def refresh(path):
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    for cell in notebook.cells:
        if "strip-output" in cell.metadata.get("tags", []):
            cell.outputs = []
    mark_slides(notebook)
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)


def first_moving_picture(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if VEGA_LITE in output.get("data", {}):
                return b64decode(output.data["image/png"])


for name in sys.argv[1:]:
    print(name, flush=True)
    refresh(Path(name))
front = Path("notebooks/00_start_here.ipynb")
front.with_name("focal_loss.png").write_bytes(first_moving_picture(front))
