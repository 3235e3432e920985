// tests/bench/guest/main.c: runs kernels. On the host: `kernels [SCALE[:NAME+NAME]]`; as the first process of
// the guest it reads the same from the kernel command line (bench=SCALE:NAME+NAME). The scale is in percent;
// names have "_" for a space. Each kernel prints "BENCH begin KIND|NAME|ROUNDS", then "BENCH end
// NAME|CHECKSUM| CPU us|WALL us"; the driver measures between these markers.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernels.h"

static char wanted[4096];
enum { kPause = 20000 };  // microseconds around each marker, so that a late reader sees them apart

static int is_wanted(const char* name) {
  char spelled[128] = "+";
  for (size_t n = 0; n < sizeof spelled - 3 && name[n]; n++) spelled[n + 1] = name[n] == ' ' ? '_' : name[n];
  strcat(spelled, "+");
  return !wanted[0] || strstr(wanted, spelled) != 0;
}

static long now(clockid_t clock) {  // microseconds
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void run_all(const struct kernel* k, uint64_t percent) {
  for (; k->name; k++) {
    if (!is_wanted(k->name)) continue;
    uint64_t rounds = k->rounds * percent / 100;
    rounds = rounds ? rounds : 1;
    printf("BENCH begin %s|%s|%llu\n", k->kind, k->name, (unsigned long long)rounds);
    fflush(stdout);
    if (getpid() == 1) usleep(kPause);
    const long cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
    uint64_t sum = k->run(rounds);
    printf("BENCH end %s|%016llx|%ld|%ld\n", k->name, (unsigned long long)sum,
           now(CLOCK_PROCESS_CPUTIME_ID) - cpu, now(CLOCK_MONOTONIC) - wall);
    fflush(stdout);
    if (getpid() == 1) usleep(kPause);
  }
}

// SCALE[:NAME+NAME]
static uint64_t read_wish(const char* text) {
  char* at;
  const uint64_t percent = strtoull(text, &at, 10);
  if (*at == ':') snprintf(wanted, sizeof wanted, "+%.*s+", (int)strcspn(at + 1, " \n"), at + 1);
  return percent;
}

static uint64_t read_command_line(void) {
  static char line[8192];
  mkdir("/proc", 0755);
  mount("proc", "/proc", "proc", 0, 0);
  int fd = open("/proc/cmdline", O_RDONLY);
  if (fd < 0 || read(fd, line, sizeof line - 1) < 0) return 100;
  close(fd);
  const char* at = strstr(line, "bench=");
  return at ? read_wish(at + 6) : 100;
}

int main(int count, char** arguments) {
  if (count > 1 && !strcmp(arguments[1], "exit")) return 7;  // process.c runs us for that
  const uint64_t percent = getpid() == 1 ? read_command_line() : count > 1 ? read_wish(arguments[1]) : 100;
  const struct kernel* const all[] = {integer_kernels, deflate_kernels, branch_kernels, memory_kernels,
                                      atomic_kernels,  float_kernels,   vector_kernels, fixed_point_kernels,
                                      crypto_kernels,  system_kernels,  process_kernels};
  puts("BENCH ready");
  fflush(stdout);
  for (unsigned n = 0; n < sizeof all / sizeof *all; n++) run_all(all[n], percent);
  if (wanted[0]) run_all(smp_kernels, percent);
  puts("BENCH done");
  fflush(stdout);
  if (getpid() == 1) reboot(RB_POWER_OFF);
  return 0;
}
