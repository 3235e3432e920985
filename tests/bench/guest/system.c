// tests/bench/guest/system.c: what the guest's kernel does for a program: system calls, page faults,
// processes, pipes.
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels.h"

static uint64_t getppid_calls(uint64_t rounds) {
  uint64_t good = 0;
  for (; rounds; rounds--) good += syscall(SYS_getppid) >= 0;
  return good;
}

static uint64_t page_faults(uint64_t rounds) {
  enum { kBytes = 1 << 20 };
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    volatile uint8_t* p = mmap(0, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint64_t at = 0; at < kBytes; at += 4096) p[at] = (uint8_t)(at >> 12), sum += p[at];
    munmap((void*)p, kBytes);
  }
  return sum;
}

static uint64_t fork_wait(uint64_t rounds) {
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) _exit(7);
    waitpid(child, &status, 0);
    sum += (uint64_t)WEXITSTATUS(status);
  }
  return sum;
}

static uint64_t pipe_words(uint64_t rounds) {
  int to[2], from[2];
  uint64_t word = 1, sum = 0;
  if (pipe(to) || pipe(from)) return 0;
  pid_t child = fork();
  if (child == 0) {
    close(to[1]);
    while (read(to[0], &word, 8) == 8) {
      word = word * 3 + 1;
      if (write(from[1], &word, 8) != 8) break;
    }
    _exit(0);
  }
  for (; rounds; rounds--) {
    if (write(to[1], &word, 8) != 8 || read(from[0], &word, 8) != 8) break;
    sum ^= word;
  }
  close(to[1]), close(to[0]), close(from[0]), close(from[1]);
  waitpid(child, 0, 0);
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

const struct kernel system_kernels[] = {
    {"getppid", "kernel work", getppid_calls, 60000},  {"page faults", "kernel work", page_faults, 60},
    {"fork and wait", "kernel work", fork_wait, 200},  {"pipe", "kernel work", pipe_words, 4000},
    {"signals", "kernel work", signals_to_self, 6000}, {0, 0, 0, 0}};
