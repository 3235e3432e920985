// tests/bench/guest/smp.c: two PEs at a time. Run only when asked for by name, with two PEs.
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>

#include "kernels.h"

struct job {
  uint64_t (*work)(uint64_t rounds);
  uint64_t rounds, result;
  int pe;
};

static void* do_job(void* argument) {
  struct job* j = argument;
  stay_on(j->pe);
  j->result = j->work(j->rounds);
  return 0;
}

// Each on a PE of its own, at the same time.
static uint64_t at_once(uint64_t (*a)(uint64_t), uint64_t (*b)(uint64_t), uint64_t rounds) {
  struct job jobs[2] = {{a, rounds, 0, 0}, {b, rounds, 0, 1}};
  pthread_t threads[2];
  for (int n = 0; n < 2; n++)
    if (pthread_create(&threads[n], 0, do_job, &jobs[n])) return 0;
  for (int n = 0; n < 2; n++) pthread_join(threads[n], 0);
  return jobs[0].result * 31 + jobs[1].result;
}

static uint64_t busy(uint64_t rounds) {
  uint64_t a = 1, table[64] = {0};
  for (uint64_t n = rounds * 1000; n; n--) {
    a = a * 6364136223846793005ull + 1442695040888963407ull;
    table[a >> 58] += a ^ n;
  }
  return a ^ table[7];
}
static uint64_t one_busy(uint64_t rounds) {
  struct job j = {busy, rounds, 0, 0};
  pthread_t t;
  if (pthread_create(&t, 0, do_job, &j)) return 0;
  pthread_join(t, 0);
  return j.result;
}
static uint64_t two_busy(uint64_t rounds) { return at_once(busy, busy, rounds); }

// --- Both change the same word
static uint64_t counter __attribute__((aligned(64)));
static uint64_t increment(uint64_t rounds) {
  for (; rounds; rounds--) __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
  return 0;
}
static uint64_t contended_additions(uint64_t rounds) {
  counter = 0;
  at_once(increment, increment, rounds);
  return counter;
}
static uint64_t increment_exclusively(uint64_t rounds) {
  for (; rounds; rounds--) add_exclusively(&counter, 1);
  return 0;
}
static uint64_t contended_exclusives(uint64_t rounds) {
  counter = 0;
  at_once(increment_exclusively, increment_exclusively, rounds);
  return counter;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t increment_locked(uint64_t rounds) {
  for (; rounds; rounds--) {
    pthread_mutex_lock(&lock);
    counter++;
    pthread_mutex_unlock(&lock);
  }
  return 0;
}
static uint64_t contended_mutex(uint64_t rounds) {
  counter = 0;
  at_once(increment_locked, increment_locked, rounds);
  return counter;
}

// --- One changes protections, which invalidates translations of both, while the other computes
static uint64_t protect(uint64_t rounds) {
  volatile uint8_t* p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (; rounds; rounds--) {
    mprotect((void*)p, 4096, PROT_READ);
    mprotect((void*)p, 4096, PROT_READ | PROT_WRITE);
    p[0]++;
  }
  const uint64_t last = p[0];
  munmap((void*)p, 4096);
  return last;
}
static uint64_t shootdowns(uint64_t rounds) { return at_once(protect, busy, rounds); }

static uint64_t pipe_on_one(uint64_t rounds) { return pipe_between(rounds, 0, 0); }
static uint64_t pipe_on_two(uint64_t rounds) { return pipe_between(rounds, 0, 1); }

const struct kernel smp_kernels[] = {{"one busy PE", "SMP", one_busy, 40000},
                                     {"two busy PEs", "SMP", two_busy, 40000},
                                     {"contended additions", "SMP", contended_additions, 1000000},
                                     {"contended exclusives", "SMP", contended_exclusives, 500000},
                                     {"contended mutex", "SMP", contended_mutex, 200000},
                                     {"shootdowns", "SMP", shootdowns, 10000},
                                     {"pipe on one PE", "SMP", pipe_on_one, 4000},
                                     {"pipe on two PEs", "SMP", pipe_on_two, 4000},
                                     {0, 0, 0, 0}};
