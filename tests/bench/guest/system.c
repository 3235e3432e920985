// tests/bench/guest/system.c: what the guest's kernel does for one program: system calls, memory, files,
// signals.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernels.h"

enum { kMiB = 1 << 20 };

static uint64_t getppid_calls(uint64_t rounds) {
  uint64_t good = 0;
  for (; rounds; rounds--) good += syscall(SYS_getppid) >= 0;
  return good;
}

// Answered by the kernel's shared page, without a system call.
static uint64_t clock_readings(uint64_t rounds) {
  struct timespec last = {0, 0}, now;
  uint64_t forward = 0;
  for (; rounds; rounds--) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    forward += now.tv_sec > last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec >= last.tv_nsec);
    last = now;
  }
  return forward;
}

static void* anonymous(size_t bytes) {
  return mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static uint64_t page_faults(uint64_t rounds) {
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    volatile uint8_t* p = anonymous(kMiB);
    for (uint64_t at = 0; at < kMiB; at += 4096) p[at] = (uint8_t)(at >> 12), sum += p[at];
    munmap((void*)p, kMiB);
  }
  return sum;
}

static uint64_t map_and_unmap(uint64_t rounds) {
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    uint8_t* p = anonymous(16 * 4096);
    p[4096] = (uint8_t)rounds;
    sum += p[4096];
    munmap(p, 16 * 4096);
  }
  return sum;
}

static uint64_t protection(uint64_t rounds) {
  volatile uint8_t* p = anonymous(4 * 4096);
  uint64_t sum = 0;
  p[0] = 1;
  for (; rounds; rounds--) {
    mprotect((void*)p, 4096, PROT_READ);
    sum += p[0];
    mprotect((void*)p, 4096, PROT_READ | PROT_WRITE);
    p[0]++;
  }
  munmap((void*)p, 4 * 4096);
  return sum;
}

static uint64_t read_zero(uint64_t rounds) {
  static uint8_t buffer[4096];
  uint64_t sum = 0;
  const int fd = open("/dev/zero", O_RDONLY);
  for (; rounds; rounds--) {
    buffer[rounds & 4095] = 1;
    sum += (uint64_t)read(fd, buffer, sizeof buffer) + buffer[rounds & 4095];
  }
  close(fd);
  return sum;
}

static uint64_t file_blocks(uint64_t rounds) {
  enum { kBlocks = 64 };
  static uint64_t block[512];
  const int fd = memfd_create("blocks", 0);
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    const off_t at = (off_t)(rounds % kBlocks) * 4096;
    block[rounds & 511] = rounds;
    if (pwrite(fd, block, 4096, at) != 4096 || pread(fd, block, 2048, at + 1024) != 2048) break;
    sum += block[rounds * 7 & 255];
  }
  close(fd);
  return sum;
}

static uint64_t open_and_stat(uint64_t rounds) {
  uint64_t sum = 0;
  struct stat s;
  for (; rounds; rounds--) {
    const int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    sum += fstat(fd, &s) == 0;
    close(fd);
    sum += stat("/dev", &s) == 0 && S_ISDIR(s.st_mode);
  }
  return sum;
}

static volatile uint64_t signals;
static void on_signal(int number) { signals += (uint64_t)number; }
static uint64_t signals_to_self(uint64_t rounds) {
  signal(SIGUSR1, on_signal);
  signals = 0;
  for (; rounds; rounds--) raise(SIGUSR1);
  return signals;
}

// A handler for SIGSEGV opens the page, the store is repeated: how garbage collectors watch writes.
static uint8_t* guarded;
static void on_fault(int number, siginfo_t* info, void* context) {
  (void)number, (void)context;
  signals += (uint64_t)((uint8_t*)info->si_addr - guarded);
  mprotect(guarded, 4096, PROT_READ | PROT_WRITE);
}
static uint64_t write_barrier(uint64_t rounds) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, before;
  sigaction(SIGSEGV, &action, &before);
  guarded = anonymous(4096);
  signals = 0;
  for (; rounds; rounds--) {
    mprotect(guarded, 4096, PROT_READ);
    ((volatile uint8_t*)guarded)[rounds & 4095] = 1;
  }
  sigaction(SIGSEGV, &before, 0);
  munmap(guarded, 4096);
  return signals;
}

static uint64_t sockets(uint64_t rounds) {
  int ends[2];
  uint64_t word = 1, sum = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) return 0;
  struct pollfd p = {.fd = ends[1], .events = POLLIN};
  for (; rounds; rounds--) {
    word = word * 3 + rounds;
    if (write(ends[0], &word, 8) != 8) break;
    sum += (uint64_t)poll(&p, 1, -1);
    if (read(ends[1], &word, 8) != 8) break;
    sum ^= word;
  }
  close(ends[0]), close(ends[1]);
  return sum;
}

const struct kernel system_kernels[] = {{"getppid", "kernel work", getppid_calls, 100000},
                                        {"clock_gettime", "kernel work", clock_readings, 500000},
                                        {"page faults", "kernel work", page_faults, 50},
                                        {"mmap", "kernel work", map_and_unmap, 10000},
                                        {"mprotect", "kernel work", protection, 10000},
                                        {"read /dev/zero", "kernel work", read_zero, 30000},
                                        {"file blocks", "kernel work", file_blocks, 10000},
                                        {"open and stat", "kernel work", open_and_stat, 8000},
                                        {"signals", "kernel work", signals_to_self, 8000},
                                        {"write barrier", "kernel work", write_barrier, 5000},
                                        {"sockets", "kernel work", sockets, 8000},
                                        {0, 0, 0, 0}};
