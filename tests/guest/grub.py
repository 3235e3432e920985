"""A FAT disk with Debian's GRUB where UEFI firmware looks for a boot loader, and a kernel that its menu boots."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import debian
import packages

FAT_MIB = 128
MENU = """set timeout=0
menuentry "Debian" {{
  search --no-floppy --file /linux --set=root
  linux /linux {arguments}
  initrd /initrd.gz
}}
"""


def program(build):
    """The path of GRUB for arm64 UEFI, of the package of that architecture."""
    kept = pathlib.Path(build, "packages", "grub-efi-arm64-bin", "grubaa64.efi").absolute()
    if not kept.exists():
        with tempfile.TemporaryDirectory(prefix="sluice-") as work:
            try:
                package = debian.fetch_package(pathlib.Path(work, "apt"), debian.BOOKWORM, "grub-efi-arm64-bin")
            except debian.Missing as e:
                raise packages.Missing(str(e)) from e
            kept.parent.mkdir(parents=True, exist_ok=True)
            new = kept.with_suffix(f".{os.getpid()}")
            shutil.copy(package / "usr/lib/grub/arm64-efi/monolithic/grubaa64.efi", new)
            new.rename(kept)
    return str(kept)


def make_fat(disk, files, folders=()):
    """A FAT file system that fills `disk`, with {path inside: path of the file}."""
    if not shutil.which("mformat"):
        raise packages.Missing("mtools are not installed")
    with open(disk, "wb") as f:
        f.truncate(FAT_MIB << 20)
    subprocess.run(["mformat", "-i", disk, "-F", "::"], check=True)
    if folders:
        subprocess.run(["mmd", "-i", disk, *(f"::{name}" for name in folders)], check=True)
    for target, source in files.items():
        subprocess.run(["mcopy", "-i", disk, source, f"::{target}"], check=True)
    return disk


def make_disk(build, disk, kernel, initrd, arguments):
    menu = disk + ".cfg"
    pathlib.Path(menu).write_text(MENU.format(arguments=arguments), encoding="utf-8")
    return make_fat(disk, {"EFI/BOOT/BOOTAA64.EFI": program(build), "EFI/debian/grub.cfg": menu, "linux": kernel,
                           "initrd.gz": initrd}, folders=("EFI", "EFI/BOOT", "EFI/debian"))
