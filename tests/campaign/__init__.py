"""The reliability campaign: what the project promises of a bad day, tried until it breaks or the time is over. See docs/reliability.md."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "benchmarks" / "comfyui")]
