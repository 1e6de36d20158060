"""Makes the archives of a release: python package.py VERSION DIST RUNTIME=PROGRAM ...

PROGRAM is the published executable of a RUNTIME (linux-x64, win-x64). Each archive, .zip for Windows and .tar.gz elsewhere, holds one
folder `latentbridge`, which is at once a ComfyUI node pack, an A1111 extension and a program: unpack it where it is wanted. Archives of the
same content are the same, byte for byte. Beside them: the node pack for ComfyUI's registry, and SHA256SUMS.

LATENTBRIDGE_REPOSITORY (owner/name on GitHub) names who publishes the node pack; without it the pack can be installed, but not published.
"""

import gzip
import hashlib
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACK_COMMENT = "the wheel with the host; pinned, because pip leaves any version that is there"
IN_PROCESS = ROOT / "artifacts" / "package" / "inprocess"  # the same for every runtime: it is not compiled ahead
CONTENT = [
    "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "THIRD-PARTY-NOTICES.md", "docs", "models", "python", "example_workflows", "locales", "examples/latents",
    "benchmarks/README.md", "benchmarks/peers", "__init__.py", "pyproject.toml", "metadata.ini", "install.py", "scripts", "web",
]
LEFT_OUT = ("__pycache__", "tests")
ZIP_TIME = (2020, 1, 1, 0, 0, 0)


def native_libraries(program):
    """ONNX Runtime's, which the assembly in bin/inprocess finds there too."""
    return [file for file in program.parent.glob("*") if file != program and file.suffix in (".so", ".dll", ".dylib")]


def files(runtime, program, natives):
    """(name in the archive, bytes, executable) of every file, sorted; ``natives``: names that the assembly in bin/inprocess finds beside the program."""
    found = {f"bin/{runtime}/{program.name}": (program.read_bytes(), True)}
    for file in program.parent.glob("latentbridge-*"):
        found[f"bin/{runtime}/{file.name}"] = (file.read_bytes(), True)
    for file in native_libraries(program):
        found[f"bin/{runtime}/{file.name}"] = (file.read_bytes(), False)
    for file in IN_PROCESS.glob("*"):
        if file.suffix in (".dll", ".json") and file.name not in natives:
            found[f"bin/inprocess/{file.name}"] = (file.read_bytes(), False)
    for entry in CONTENT:
        path = ROOT / entry
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            name = file.relative_to(ROOT).as_posix()
            if file.is_file() and not any(part in LEFT_OUT or part.endswith(".egg-info") for part in name.split("/")):
                found[name] = (file.read_bytes(), False)
    return [(f"latentbridge/{name}", *found[name]) for name in sorted(found)]


def write_zip(target, content):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data, executable in content:
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if executable else 0o644) << 16
            archive.writestr(entry, data)


def write_tar(target, content):
    with open(target, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data, executable in content:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755 if executable else 0o644
            archive.addfile(entry, io.BytesIO(data))


def description(repository):
    """The pack's pyproject.toml, with what is the publisher's alone."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    if repository:
        owner = repository.partition("/")[0]
        text = text.replace("[tool.comfy]\n", "[project.urls]\n"
                            f'Repository = "https://github.com/{repository}"\n\n'
                            f'[tool.comfy]\nPublisherId = "{owner.lower()}"\n'
                            f'Icon = "https://raw.githubusercontent.com/{repository}/main/docs/images/icon.png"\n')
    return text.encode()


def pack(version):
    """The registry's node pack: the tracked files that .comfyignore leaves, and the requirement that brings the host."""
    def git(*arguments):
        return subprocess.run(["git", "ls-files", "-z", *arguments], cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")[:-1]

    left_out = set(git("--cached", "--ignored", "--exclude-from=.comfyignore"))
    found = {name: (ROOT / name).read_bytes() for name in git() if name not in left_out}
    found["pyproject.toml"] = description(os.environ.get("LATENTBRIDGE_REPOSITORY"))
    found["requirements.txt"] = f"# {PACK_COMMENT}\nlatentbridge=={version}\n".encode()
    return [(name, found[name], False) for name in sorted(found)]


def main(version, dist, *programs):
    dist = pathlib.Path(dist)
    dist.mkdir(parents=True, exist_ok=True)
    named = [(runtime, pathlib.Path(path)) for runtime, _, path in (pair.partition("=") for pair in programs)]
    natives = {file.name for _, program in named for file in native_libraries(program)}
    for runtime, program in named:
        content = files(runtime, program, natives)
        target = dist / f"latentbridge-{version}-{runtime}{'.zip' if runtime.startswith('win') else '.tar.gz'}"
        (write_zip if target.suffix == ".zip" else write_tar)(target, content)
        print(f"{target}  {target.stat().st_size / 1e6:.1f} MB, {len(content)} files")
    target = dist / f"latentbridge-{version}-comfyui.zip"
    content = pack(version)
    write_zip(target, content)
    print(f"{target}  {target.stat().st_size / 1e6:.2f} MB, {len(content)} files")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(dist.iterdir()) if path.name != "SHA256SUMS"]
    (dist / "SHA256SUMS").write_bytes("".join(sums).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
