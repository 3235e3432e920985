#!/bin/bash
# ./boot              builds Sluice and boots the demo
# ./boot debian ...   boots Debian's arm64 kernel and installer RAM disk to a shell; more options may follow
# ./boot ARGS...      build/sluice ARGS...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. .ci/packages.sh

what=${1-demo}
install_packages "${build_packages[@]}"
[ -x build/sluice ] || say "Building (some minutes, once)"

case $what in
  demo)
    build_release sluice image_demo
    say "Booting the demo on 4 PEs. Ctrl-A x ends, Ctrl-A c opens the monitor."
    exec build/sluice -M virt,secure=on,mpc=on,iommu=smmuv3 -device edu -smp 4 -m 256M -nographic -semihosting \
      -kernel build/images/demo.elf "${@:2}"
    ;;
  debian)
    build_release sluice
    fetch_debian
    say "Booting Debian's kernel to a shell. Ctrl-A x ends, Ctrl-A c opens the monitor; 'poweroff -f' works too."
    exec build/sluice -M virt -smp 2 -m 1G -nographic -kernel build/debian/linux -initrd build/debian/initrd.gz \
      -append "console=ttyAMA0 rdinit=/bin/sh" "${@:2}"
    ;;
  *)
    build_release sluice
    exec build/sluice "$@"
    ;;
esac
