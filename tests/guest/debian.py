"""Debian's arm64 kernel as a guest: its files, the modules that the installer's RAM disk lacks, RAM disks of our own.

The kernel and initrd are what `./boot debian` boots: build/debian/{linux,initrd.gz}. Modules come from the arm64
package linux-image-<same version>, downloaded by apt with a root directory of its own; nothing is installed.
"""
import glob
import gzip
import lzma
import os
import pathlib
import re
import shutil
import subprocess

# In this order: each needs those before it.
LOAD_ORDER = ("virtio_mmio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk", "virtio_console",
              "rng-core", "virtio-rng", "failover", "net_failover", "virtio_net")
MODULES = LOAD_ORDER


class Missing(Exception):
    """What a test needs cannot be had here: it is skipped, and says why."""


def installer(build):
    """The paths of kernel and initrd."""
    kernel, initrd = (pathlib.Path(build, "debian", name) for name in ("linux", "initrd.gz"))
    if not kernel.exists() or not initrd.exists():
        raise Missing(f"{kernel} is not there: ./boot debian fetches it")
    return str(kernel), str(initrd)


def kernel_release(kernel):
    found = re.search(rb"Linux version (\d\S+)", pathlib.Path(kernel).read_bytes())
    if not found:
        raise Missing(f"{kernel} does not say its version")
    return found.group(1).decode()


def sources(suites):
    """deb lines for arm64 that name the mirrors which this machine uses itself."""
    mirrors = {"main": "http://deb.debian.org/debian", "security": "http://deb.debian.org/debian-security"}
    lists = glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*")
    for path in lists:
        for url in re.findall(r"^(?:deb\s+(?:\[[^]]*\]\s+)?|URIs:\s*)(\S+)", pathlib.Path(path).read_text(), re.M):
            if url.rstrip("/").endswith("debian-security"):
                mirrors["security"] = url
            elif url.rstrip("/").endswith("debian"):
                mirrors["main"] = url
    line = "deb [arch=arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    return "".join(f"{line} {mirrors['security' if 'security' in s else 'main']} {s} main\n" for s in suites)


def apt(root, *command, cwd=None):
    options = ["-o", f"Dir={root}", "-o", "APT::Architecture=arm64", "-o", "APT::Architectures=arm64",
               "-o", f"Dir::State::status={root}/dpkg/status", "-o", "Dir::Etc::parts=/dev/null",
               "-o", "Dir::Bin::Methods=/usr/lib/apt/methods", "-o", "APT::Sandbox::User=",
               "-o", "Acquire::Languages=none", "-o", "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false"]
    done = subprocess.run(["apt-get", "-q", *options, *command], cwd=cwd, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    if done.returncode:
        raise Missing(f"apt-get {' '.join(command)}: {done.stdout.strip().splitlines()[-1:]}")


def make_apt_root(root):
    for folder in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d",
                   "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "dpkg"):
        pathlib.Path(root, folder).mkdir(parents=True, exist_ok=True)
    pathlib.Path(root, "dpkg/status").touch()
    pathlib.Path(root, "etc/apt/sources.list").write_text(
        sources(("bookworm", "bookworm-updates", "bookworm-security")))


def fetch_modules(build, kernel):
    """{name: path} of MODULES for this kernel, under build/debian/modules."""
    release = kernel_release(kernel)
    folder = pathlib.Path(build, "debian", "modules", release).absolute()
    wanted = folder / "wanted"  # some are built in, so what is there does not say what was asked for
    if not wanted.exists() or wanted.read_text() != " ".join(MODULES):
        work = pathlib.Path(build, "debian", "apt").absolute()
        make_apt_root(work)
        apt(work, "update")
        download = work / "download"
        shutil.rmtree(download, ignore_errors=True)
        download.mkdir()
        apt(work, "download", f"linux-image-{release}", cwd=download)
        package = next(download.glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), str(download / "x")], check=True, timeout=300)
        new = folder.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        for path in (download / "x").rglob("*.ko*"):
            name = path.name.split(".ko")[0]
            if name in MODULES:
                data = path.read_bytes()
                (new / f"{name}.ko").write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
        (new / "wanted").write_text(" ".join(MODULES))
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
        shutil.rmtree(work)
    return {path.stem: path for path in folder.glob("*.ko")}


def cpio(files, nodes=()):
    """A `newc` archive (cpio(5)) of {path: bytes or None for a folder}; regular files are executable. `nodes` are
    character devices: {path: (major, minor)}."""
    archive = bytearray()

    def add(name, mode, data, inode, device=(0, 0)):
        encoded = name.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
        archive.extend(b"070701" + b"".join(b"%08X" % f for f in fields) + encoded)
        archive.extend(bytes(-len(archive) % 4))
        archive.extend(data)
        archive.extend(bytes(-len(archive) % 4))

    for inode, (name, data) in enumerate(files.items(), 1):
        add(name, 0o040755 if data is None else 0o100755, data or b"", inode)
    for inode, name in enumerate(nodes, len(files) + 1):
        add(name, 0o020600, b"", inode, nodes[name])
    add("TRAILER!!!", 0, b"", 0)
    archive.extend(bytes(-len(archive) % 512))
    return bytes(archive)


LOAD_SCRIPT = "#!/bin/sh\nfor m in {order}; do\n  [ ! -f /sluice/$m.ko ] || insmod /sluice/$m.ko || true\ndone\n"


def make_initrd(build, path):
    """The installer's initrd with our modules behind it in /sluice; `sh /sluice/load` loads them."""
    kernel, initrd = installer(build)
    files = {"sluice": None}
    for name, module in fetch_modules(build, kernel).items():
        files[f"sluice/{name}.ko"] = module.read_bytes()
    files["sluice/load"] = LOAD_SCRIPT.format(order=" ".join(LOAD_ORDER)).encode()
    archive = pathlib.Path(initrd).read_bytes()
    archive += bytes(-len(archive) % 512) + gzip.compress(cpio(files), 1)
    pathlib.Path(path).write_bytes(archive)
    return kernel, path


if __name__ == "__main__":
    import sys
    print(make_initrd(sys.argv[1], os.path.join(sys.argv[1], "debian", "initrd-with-modules.gz")))
