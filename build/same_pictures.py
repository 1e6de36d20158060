"""python same_pictures.py FOLDER FOLDER: both hold the same PNG files, and no value differs by more than one level."""

import pathlib
import sys

import numpy
from PIL import Image

ours, theirs = (sorted(pathlib.Path(folder).glob("*.png")) for folder in sys.argv[1:])
if not ours or [path.name for path in ours] != [path.name for path in theirs]:
    sys.exit(f"{len(ours)} pictures in {sys.argv[1]} and {len(theirs)} in {sys.argv[2]}; as many of the same names were expected.")
largest = max(int(numpy.abs(numpy.asarray(Image.open(a), int) - numpy.asarray(Image.open(b), int)).max()) for a, b in zip(ours, theirs))
print(f"{len(ours)} pictures, largest difference {largest} of 255 levels")
sys.exit(largest > 1)
