"""Makes wheels: python wheel.py PURE_WHEEL DIST [RUNTIME=FOLDER ...]

PURE_WHEEL is what pip builds of python/. The latent formats go into it, and it can be installed anywhere: ``py3-none-any``. For each RUNTIME (linux-x64,
win-x64, ...) another wheel also holds the program of FOLDER, the bundled weights and five example latents.
Wheels of the same content are the same, byte for byte.
"""

import base64
import hashlib
import pathlib
import re
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FORMATS = ["models/formats/*.json"]
DATA = [*FORMATS, "models/manifest.json", "models/README.md", "models/tiny/*.safetensors", "models/maps/*.safetensors", "examples/latents/*_kodim23.safetensors"]
TAGS = {"linux-x64": "manylinux_2_{glibc}_x86_64", "linux-arm64": "manylinux_2_{glibc}_aarch64", "linux-musl-x64": "musllinux_1_2_x86_64", "win-x64": "win_amd64",
        "osx-arm64": "macosx_12_0_arm64", "osx-x64": "macosx_12_0_x86_64"}
PROGRAMS = ("", ".exe")  # suffixes of what may be run
LIBRARIES = (".so", ".dll", ".dylib")
ZIP_TIME = (2020, 1, 1, 0, 0, 0)


def data(patterns):
    """(name in the package, bytes, executable) of the repository's files."""
    return [(f"latentbridge/{path.relative_to(ROOT).as_posix()}", path.read_bytes(), False)
            for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def tag(runtime, folder):
    """The platform's name in a wheel. On Linux it says the newest glibc whose symbols any of the files asks for."""
    found = [int(minor) for path in pathlib.Path(folder).iterdir() if path.is_file() for minor in re.findall(rb"\0GLIBC_2\.(\d+)(?=[.\0])", path.read_bytes())]
    return TAGS[runtime].format(glibc=max(found, default=17))


def program(folder):
    """The same of a published program and what lies beside it."""
    return [(f"latentbridge/bin/{path.name}", path.read_bytes(), path.suffix in PROGRAMS)
            for path in sorted(pathlib.Path(folder).iterdir()) if path.is_file() and path.suffix in PROGRAMS + LIBRARIES]


def write(pure, target, platform, added):
    """The pure wheel with more files in it, under a platform's tag."""
    with zipfile.ZipFile(pure) as archive:
        content = {entry.filename: (archive.read(entry), False) for entry in archive.infolist() if not entry.is_dir()}
    content.update({name: (content, executable) for name, content, executable in added})
    info = next(name for name in content if name.endswith(".dist-info/WHEEL"))
    lines = [line for line in content[info][0].decode().splitlines() if line and not line.startswith(("Tag:", "Root-Is-Purelib:"))]
    purelib = "true" if platform == "any" else "false"
    content[info] = ("\n".join([*lines, f"Root-Is-Purelib: {purelib}", f"Tag: py3-none-{platform}", ""]).encode(), False)
    record = info.replace("/WHEEL", "/RECORD")
    rows = [f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
            for name, (data, _) in sorted(content.items()) if name != record]
    content[record] = ("\n".join([*rows, f"{record},,", ""]).encode(), False)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(content, key=lambda name: (".dist-info/" in name, name)):  # metadata last, as the format advises
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if content[name][1] else 0o100644) << 16
            archive.writestr(entry, content[name][0])
    print(f"{target}  {target.stat().st_size / 1e6:.1f} MB, {len(content)} files")


def main(pure, dist, *runtimes):
    pure, dist = pathlib.Path(pure), pathlib.Path(dist)
    dist.mkdir(parents=True, exist_ok=True)
    stem = pure.name.removesuffix("-py3-none-any.whl")
    if stem == pure.name:
        sys.exit(f"{pure}: expected a wheel named *-py3-none-any.whl, as pip builds it of python/.")
    write(pure, dist / f"{stem}-py3-none-any.whl", "any", data(FORMATS))
    for runtime, _, folder in (pair.partition("=") for pair in runtimes):
        platform = tag(runtime, folder)
        write(pure, dist / f"{stem}-py3-none-{platform}.whl", platform, data(DATA) + program(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
