// images/lib/memory.c: the functions that a freestanding compiler may still call.
#include "lib/arm.h"

void* memcpy(void* to, const void* from, size_t bytes) {
  u8* t = to;
  const u8* f = from;
  while (bytes--) *t++ = *f++;
  return to;
}

void* memset(void* to, int value, size_t bytes) {
  u8* t = to;
  while (bytes--) *t++ = (u8)value;
  return to;
}

int memcmp(const void* a, const void* b, size_t bytes) {
  const u8 *x = a, *y = b;
  for (; bytes; bytes--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

size_t strlen(const char* text) {
  size_t n = 0;
  while (text[n]) n++;
  return n;
}
