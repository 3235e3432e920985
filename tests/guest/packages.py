"""Debian packages whose files are guests of tests: fetched through apt, unpacked under build/packages, never installed."""
import pathlib
import shutil
import subprocess
import tempfile


class Missing(Exception):
    """What a test needs cannot be had here: it is skipped, and says why."""


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=600)
    if done.returncode:
        raise Missing(f"{' '.join(command)}: {done.stdout.strip().splitlines()[-1:]}")


def unpacked(build, package):
    """The folder with the files of a package for this machine's Debian (so of architecture `all`)."""
    folder = pathlib.Path(build, "packages", package).absolute()
    if folder.exists():
        return folder
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Missing(f"fetching {package} needs a Debian machine")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        run("apt-get", "-q", "download", package, cwd=work)
        run("dpkg-deb", "-x", str(next(pathlib.Path(work).glob("*.deb"))), f"{work}/x")
        try:
            pathlib.Path(work, "x").rename(folder)
        except OSError:
            pass  # another test was faster
    return folder


def file(build, package, path):
    found = unpacked(build, package) / path
    if not found.exists():
        raise Missing(f"{package} has no {path}")
    return str(found)
