// images/lib/console.c: see console.h.
#include "lib/console.h"

#include <stdarg.h>

#include "lib/semihosting.h"

enum { kUartData = 0x00, kUartFlags = 0x18, kTransmitFull = 1 << 5 };
static const u64 kUart = 0x09000000;
static bool by_semihosting;

void console_by_semihosting(void) { by_semihosting = true; }

static void put_char(char c) {
  if (by_semihosting) {
    semihosting_call(kSysWriteC, (u64)&c);
    return;
  }
  while (read32(kUart + kUartFlags) & kTransmitFull) {
  }
  write32(kUart + kUartData, (u8)c);
}

void put(const char* text) {
  for (; *text; text++) {
    if (*text == '\n' && !by_semihosting) put_char('\r');
    put_char(*text);
  }
}

struct field {
  int width;
  bool left, zero;
};

static void put_field(struct field f, const char* text, int length) {
  int pad = f.width > length ? f.width - length : 0;
  for (int n = 0; !f.left && n < pad; n++) put_char(f.zero ? '0' : ' ');
  char one[2] = {0, 0};
  for (int n = 0; n < length; n++) {
    one[0] = text[n];
    put(one);
  }
  for (int n = 0; f.left && n < pad; n++) put_char(' ');
}

static void put_number(struct field f, u64 value, unsigned base, bool negative) {
  char digits[24];
  int at = sizeof digits;
  do digits[--at] = "0123456789abcdef"[value % base];
  while (value /= base);
  if (negative) digits[--at] = '-';
  put_field(f, digits + at, (int)sizeof digits - at);
}

static void put_conversion(char kind, struct field f, bool is_long, va_list* arguments) {
  if (kind == 'd') {
    int64_t v = is_long ? va_arg(*arguments, long) : va_arg(*arguments, int);
    put_number(f, v < 0 ? -(u64)v : (u64)v, 10, v < 0);
  } else if (kind == 'u' || kind == 'x') {
    u64 v = is_long ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned);
    put_number(f, v, kind == 'u' ? 10 : 16, false);
  } else if (kind == 's') {
    const char* text = va_arg(*arguments, const char*);
    int length = 0;
    while (text[length]) length++;
    put_field(f, text, length);
  } else if (kind == 'c') {
    char c = (char)va_arg(*arguments, int);
    put_field(f, &c, 1);
  } else {
    put_field(f, &kind, 1);
  }
}

void print(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  for (; *format; format++) {
    if (*format != '%') {
      put_field((struct field){0, false, false}, format, 1);
      continue;
    }
    struct field f = {0, false, false};
    bool is_long = false;
    for (format++; *format == '-' || *format == '0'; format++) *(*format == '-' ? &f.left : &f.zero) = true;
    for (; *format >= '0' && *format <= '9'; format++) f.width = f.width * 10 + (*format - '0');
    for (; *format == 'l'; format++) is_long = true;
    if (!*format) break;
    put_conversion(*format, f, is_long, &arguments);
  }
  va_end(arguments);
}
