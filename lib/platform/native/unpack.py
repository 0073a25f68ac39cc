"""Unpacks the parts of a wheel that are asked for: unpack.py FOLDER TARGET PREFIX..."""

import os, pathlib, sys, zipfile
folder, target, *keep = sys.argv[1:]
[wheel] = pathlib.Path(folder).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        if entry.is_dir() or not entry.filename.startswith(tuple(keep)):
            continue
        if entry.filename.startswith("nvidia/") and "/include/" in entry.filename:
            continue
        path = archive.extract(entry, target)
        if (entry.external_attr >> 16) & 0o100:
            os.chmod(path, 0o755)
