// The guest side of tests/bench/iommu: reads a disk in 4 KiB pieces at random, directly (no page cache), so
// that each read is one request, and behind an IOMMU one mapping made and taken away. Prints what
// tests/bench/compare understands.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kPiece = 4096, kDepth = 32 };

static int disk;
static uint64_t pieces, state, sum;
static char* buffers;

static _Noreturn void fail(const char* what) {
  printf("BENCH failed %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t next_piece(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (state >> 33) % pieces;
}

// The first word of each piece is its number (tests/bench/iommu writes the disk).
static void take(const char* piece) {
  uint64_t word;
  memcpy(&word, piece, sizeof word);
  sum = sum * 31 + word;
}

static void one_at_a_time(unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    if (pread(disk, buffers, kPiece, (off_t)(next_piece() * kPiece)) != kPiece) fail("pread");
    take(buffers);
  }
}

// kDepth requests are submitted at a time.
static void many_at_a_time(unsigned count) {
  aio_context_t context = 0;
  struct iocb blocks[kDepth], *list[kDepth];
  struct io_event events[kDepth];
  if (syscall(SYS_io_setup, kDepth, &context)) fail("io_setup");
  for (unsigned done = 0; done < count; done += kDepth) {
    for (unsigned i = 0; i < kDepth; i++) {
      memset(&blocks[i], 0, sizeof blocks[i]);
      blocks[i].aio_lio_opcode = IOCB_CMD_PREAD;
      blocks[i].aio_fildes = (uint32_t)disk;
      blocks[i].aio_buf = (uintptr_t)(buffers + i * kPiece);
      blocks[i].aio_nbytes = kPiece;
      blocks[i].aio_offset = (int64_t)(next_piece() * kPiece);
      list[i] = &blocks[i];
    }
    if (syscall(SYS_io_submit, context, (long)kDepth, list) != kDepth) fail("io_submit");
    if (syscall(SYS_io_getevents, context, (long)kDepth, (long)kDepth, events, NULL) != kDepth)
      fail("io_getevents");
    for (unsigned i = 0; i < kDepth; i++) {
      if (events[i].res != kPiece) fail("read");
      take(buffers + i * kPiece);
    }
  }
  syscall(SYS_io_destroy, context);
}

static void measure(const char* name, void (*reads)(unsigned), unsigned count) {
  struct timespec from, to;
  state = 1, sum = 0;
  reads(count / 10 / kDepth * kDepth);  // everybody has seen everything
  state = 1, sum = 0;
  printf("BENCH begin reads|%s\n", name);
  clock_gettime(CLOCK_MONOTONIC, &from);
  reads(count);
  clock_gettime(CLOCK_MONOTONIC, &to);
  printf("BENCH end %s|%016llx|%lld\n", name, (unsigned long long)sum,
         (to.tv_sec - from.tv_sec) * 1000000ll + (to.tv_nsec - from.tv_nsec) / 1000);
}

int main(int argc, char** argv) {
  const unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 32000;
  uint64_t bytes = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  disk = open("/dev/vda", O_RDONLY | O_DIRECT);
  if (disk < 0) fail("open");
  if (ioctl(disk, BLKGETSIZE64, &bytes)) fail("BLKGETSIZE64");
  pieces = bytes / kPiece;
  if (posix_memalign((void**)&buffers, kPiece, kDepth * kPiece)) fail("posix_memalign");
  memset(buffers, 0, kDepth * kPiece);
  printf("BENCH ready\n");
  measure("1 request", one_at_a_time, count);
  measure("32 requests", many_at_a_time, count);
  printf("BENCH done\n");
  sleep(1000);
}
