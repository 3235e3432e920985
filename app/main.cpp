// app/main.cpp: sluice(1).
#include <malloc.h>

#include "app/session.h"

int main(int argc, char** argv) {
  // glibc gives every 128 KiB that a thread has freed back to the kernel, which takes and clears each page
  // again soon afterwards: what one batch of requests needs, the next one needs too.
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  return sluice::run_command({argv + 1, argv + argc});
}
