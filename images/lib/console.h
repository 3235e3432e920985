// images/lib/console.h: text on the PL011 (Arm DDI 0183), or by semihosting.
#pragma once
#include "lib/arm.h"

void console_by_semihosting(void);
void put(const char* text);
// %d %u %x %c %s with width, '0', '-' and 'l'. Only one PE at a time may print.
void print(const char* format, ...) __attribute__((format(printf, 1, 2)));
