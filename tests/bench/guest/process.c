// tests/bench/guest/process.c: what the guest's kernel does between programs: processes, threads, pipes.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels.h"

static uint64_t wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return (uint64_t)WEXITSTATUS(status);
}

static uint64_t fork_wait(uint64_t rounds) {
  uint64_t sum = 0;
  for (; rounds; rounds--) {
    pid_t child = fork();
    if (child == 0) _exit(7);
    sum += wait_for(child);
  }
  return sum;
}

// The new program is this one, which ends at once (main.c).
static __attribute__((noinline)) pid_t start_program(void) {
  const pid_t child = vfork();
  if (child == 0) {
    execl("/proc/self/exe", "kernels", "exit", (char*)0);
    _exit(1);
  }
  return child;
}
static uint64_t execute(uint64_t rounds) {
  uint64_t sum = 0;
  for (; rounds; rounds--) sum += wait_for(start_program());
  return sum;
}

void stay_on(int pe) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(pe, &set);
  sched_setaffinity(0, sizeof set, &set);
}

// A word goes forth and back; kAnywhere leaves it to the system where the two processes run.
uint64_t pipe_between(uint64_t rounds, int first_pe, int second_pe) {
  int to[2], from[2];
  uint64_t word = 1, sum = 0;
  if (pipe(to) || pipe(from)) return 0;
  pid_t child = fork();
  const int mine = child == 0 ? second_pe : first_pe;
  cpu_set_t before;
  sched_getaffinity(0, sizeof before, &before);
  if (mine != kAnywhere) stay_on(mine);
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
  wait_for(child);
  sched_setaffinity(0, sizeof before, &before);
  return sum;
}
static uint64_t pipe_words(uint64_t rounds) { return pipe_between(rounds, kAnywhere, kAnywhere); }

static void* triple(void* word) {
  *(uint64_t*)word = *(uint64_t*)word * 3 + 1;
  return 0;
}
static uint64_t threads(uint64_t rounds) {
  uint64_t word = 1;
  for (; rounds; rounds--) {
    pthread_t t;
    if (pthread_create(&t, 0, triple, &word)) return 0;
    pthread_join(t, 0);
  }
  return word;
}

// --- Two threads take turns
static uint32_t turn;
static void wait_for_turn(uint32_t mine) {
  for (uint32_t now; (now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != mine;)
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, 0, 0, 0);
}
static void give_turn(uint32_t other) {
  __atomic_store_n(&turn, other, __ATOMIC_RELEASE);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}
static uint64_t shared_word;
static void* second_thread(void* rounds) {
  for (uint64_t n = *(uint64_t*)rounds; n; n--) {
    wait_for_turn(1);
    shared_word = shared_word * 3 + 1;
    give_turn(0);
  }
  return 0;
}
static uint64_t futexes(uint64_t rounds) {
  pthread_t t;
  uint64_t sum = 0;
  shared_word = turn = 0;
  if (pthread_create(&t, 0, second_thread, &rounds)) return 0;
  for (uint64_t n = rounds; n; n--) {
    shared_word ^= n;
    give_turn(1);
    wait_for_turn(0);
    sum += shared_word;
  }
  pthread_join(t, 0);
  return sum;
}

// --- Two processes yield to each other: a change of address space each time
static uint64_t yields(uint64_t rounds) {
  uint64_t* words = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const pid_t child = fork();
  for (uint64_t n = 0; n < rounds; n++) {
    words[child == 0] += n;
    sched_yield();
  }
  if (child == 0) _exit(3);
  const uint64_t status = wait_for(child), sum = words[0] + words[1] * 5 + status;
  munmap(words, 4096);
  return sum;
}

// Copies on write: the child changes pages that the parent has.
static uint64_t copy_on_write(uint64_t rounds) {
  enum { kPages = 64 };
  uint8_t* p = mmap(0, kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint64_t sum = 0;
  memset(p, 1, kPages * 4096);
  for (; rounds; rounds--) {
    const pid_t child = fork();
    if (child == 0) {
      uint8_t own = 0;
      for (int n = 0; n < kPages; n++) own = (uint8_t)(own + ++p[n * 4096]);
      _exit(own & 127);
    }
    sum += wait_for(child) + p[rounds % kPages * 4096];
  }
  munmap(p, kPages * 4096);
  return sum;
}

const struct kernel process_kernels[] = {
    {"fork and wait", "kernel work", fork_wait, 100},    {"exec", "kernel work", execute, 80},
    {"pipe", "kernel work", pipe_words, 4000},           {"threads", "kernel work", threads, 600},
    {"futexes", "kernel work", futexes, 4000},           {"yields", "kernel work", yields, 5000},
    {"copy on write", "kernel work", copy_on_write, 50}, {0, 0, 0, 0}};
