"""Debian's arm64 kernels as guests: their files, the modules that the installer's RAM disk lacks, RAM disks of our own.

The kernel and initrd are what `./boot debian` boots: build/debian/{linux,initrd.gz}. Modules come from the arm64
package linux-image-<same version>, downloaded by apt with a root directory of its own; nothing is installed. Debian 13's
kernel, which has a driver for virtio-iommu, comes the same way and runs the same RAM disk.
"""
import glob
import gzip
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

# In this order: each needs those before it. Some kernels have some of them built in.
MODULES = ("virtio_mmio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio-iommu", "virtio_blk",
           "virtio_console", "rng-core", "virtio-rng", "failover", "net_failover", "virtio_net")
BOOKWORM = ("bookworm", "bookworm-updates", "bookworm-security")
TRIXIE = ("trixie",)


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


def make_apt_root(root, suites):
    for folder in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d",
                   "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "dpkg"):
        pathlib.Path(root, folder).mkdir(parents=True, exist_ok=True)
    pathlib.Path(root, "dpkg/status").touch()
    pathlib.Path(root, "etc/apt/sources.list").write_text(sources(suites))


def fetch_package(work, suites, package):
    """Unpacks the newest linux-image of these suites, or the one of that name; returns the folder."""
    shutil.rmtree(work, ignore_errors=True)
    make_apt_root(work, suites)
    apt(work, "update")
    if not package:
        # The package for "the current kernel" is empty and depends on it.
        apt(work, "download", "linux-image-arm64", cwd=work)
        depends = subprocess.run(["dpkg-deb", "-f", str(next(work.glob("linux-image-arm64_*.deb"))), "Depends"],
                                 capture_output=True, text=True, check=True).stdout
        package = re.match(r"linux-image-\S+", depends).group(0)
    download = work / "download"
    download.mkdir()
    apt(work, "download", package, cwd=download)
    subprocess.run(["dpkg-deb", "-x", str(next(download.glob("*.deb"))), str(work / "x")], check=True, timeout=300)
    return work / "x"


def kernel_package(build, suites, package=None):
    """A folder with `linux` and MODULES of a kernel package, under build/debian/kernels."""
    folder = pathlib.Path(build, "debian", "kernels", package or suites[0]).absolute()
    wanted = folder / "wanted"  # some are built in, so what is there does not say what was asked for
    if wanted.exists() and wanted.read_text() == " ".join(MODULES):
        return folder
    with tempfile.TemporaryDirectory(prefix="sluice-") as work:
        unpacked = fetch_package(pathlib.Path(work, "apt"), suites, package)
        new = pathlib.Path(tempfile.mkdtemp(dir=make_folder(folder.parent)))
        for path in unpacked.rglob("*.ko*"):
            name = path.name.split(".ko")[0]
            if name in MODULES:
                data = path.read_bytes()
                (new / f"{name}.ko").write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
        shutil.copy(next(unpacked.glob("boot/vmlinuz-*")), new / "linux")
        (new / "wanted").write_text(" ".join(MODULES))
    # Tests that run at the same time fetch the same: the first one wins.
    try:
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    except OSError:
        shutil.rmtree(new)
    return folder


def make_folder(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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


def add_modules(initrd, folder, path):
    """The installer's initrd with modules behind it in /sluice; `sh /sluice/load` loads them."""
    files = {"sluice": None}
    for module in folder.glob("*.ko"):
        files[f"sluice/{module.name}"] = module.read_bytes()
    files["sluice/load"] = LOAD_SCRIPT.format(order=" ".join(MODULES)).encode()
    archive = pathlib.Path(initrd).read_bytes()
    archive += bytes(-len(archive) % 512) + gzip.compress(cpio(files), 1)
    pathlib.Path(path).write_bytes(archive)


def make_initrd(build, path):
    """Debian 12's kernel, and its initrd at `path`."""
    kernel, initrd = installer(build)
    add_modules(initrd, kernel_package(build, BOOKWORM, f"linux-image-{kernel_release(kernel)}"), path)
    return kernel, path


def debian13(build, path):
    """Debian 13's kernel, and an initrd for it at `path`."""
    folder = kernel_package(build, TRIXIE)
    add_modules(installer(build)[1], folder, path)
    return str(folder / "linux"), path


if __name__ == "__main__":
    import sys
    print(make_initrd(sys.argv[1], os.path.join(sys.argv[1], "debian", "initrd-with-modules.gz")))
