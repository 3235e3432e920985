# shellcheck shell=bash disable=SC2034
# Sourced by boot and check: Debian packages, the guest kernel, and building. Everything it says goes to stderr.

build_packages=(g++ cmake ninja-build pkg-config libasmjit-dev libcapstone-dev libfmt-dev libzstd-dev zlib1g-dev
                nlohmann-json3-dev libfdt-dev gcc-aarch64-linux-gnu)
test_packages=(libgtest-dev libbenchmark-dev python3 clang-format-14 llvm-14 qemu-user qemu-system-arm libc6-dev-arm64-cross mtools)
debian_package=debian-installer-12-netboot-arm64

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# Runs apt-get as root, or through sudo; LINE is what to type where neither is possible.
apt_as_root() {
  local line=$1
  shift
  if [ "$(id -u)" = 0 ]; then
    DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >&2
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >&2
  else
    die "please type, as root:  $line"
  fi
}

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Package lists are there, and know all of the packages.
lists_know() { apt-cache show --no-all-versions "$@" >/dev/null 2>&1; }

install_packages() {
  local missing=() package
  command -v dpkg-query >/dev/null || return 0  # not Debian: the configure step will say what is missing
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local install=(install -y --no-install-recommends "${missing[@]}") line
  line="apt-get update && apt-get ${install[*]}"
  say "Installing ${missing[*]}"
  lists_know "${missing[@]}" || apt_as_root "$line" update || die "apt-get update failed"
  apt_as_root "$line" "${install[@]}" && return
  # Old lists name files that the archive has replaced.
  apt_as_root "$line" update && apt_as_root "$line" "${install[@]}" || die "apt-get cannot install: ${missing[*]}"
}

# Configures and builds targets in build/. A terminal sees the progress; otherwise it goes to a log.
build_release() {
  local log=build/build.log
  mkdir -p build
  cmake --preset release >build/configure.log 2>&1 ||
    { tail -n 25 build/configure.log >&2; die "configuration failed (build/configure.log)"; }
  if [ -t 2 ]; then
    cmake --build build --target "$@" >&2 || die "the build failed"
  else
    cmake --build build --target "$@" >$log 2>&1 || { grep -v '^\[' $log | tail -n 40 >&2; die "the build failed ($log)"; }
  fi
}

download_debian() { (cd "$1/package" && apt-get -q download $debian_package >../download.log 2>&1); }

# Debian's kernel and installer RAM disk for arm64 in build/debian/{linux,initrd.gz}: fetched through apt, unpacked, not
# installed.
fetch_debian() {
  local dir=build/debian unpacked
  [ -s $dir/linux ] && [ -s $dir/initrd.gz ] && return
  command -v dpkg-deb >/dev/null || die "fetching the Debian kernel needs a Debian machine"
  rm -rf $dir
  mkdir -p $dir/package
  lists_know $debian_package || apt_as_root "apt-get update" update || die "apt-get update failed"
  say "Fetching $debian_package"
  download_debian "$dir" || { apt_as_root "apt-get update" update && download_debian "$dir"; } ||
    { tail -n 5 $dir/download.log >&2; die "cannot download $debian_package"; }
  dpkg-deb -x $dir/package/$debian_package*.deb $dir/package || die "cannot unpack $debian_package"
  unpacked=$(find $dir/package -path '*/text/*' -name initrd.gz | head -n 1)
  [ -n "$unpacked" ] || unpacked=$(find $dir/package -name initrd.gz | head -n 1)
  [ -n "$unpacked" ] || die "$debian_package has no initrd.gz"
  mv "$(dirname "$unpacked")/linux" $dir/linux.new && mv "$unpacked" $dir/initrd.gz && mv $dir/linux.new $dir/linux
  rm -rf $dir/package
}
