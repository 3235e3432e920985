/* tests/differential/sequences/oracle.c: an AArch64 program that runs each piece of code on its standard
 * input with the given registers and memory, and writes what they are afterwards. A signal ends the piece;
 * the state is then the signal's. Build: aarch64-linux-gnu-gcc -O1 -static -Wl,-Ttext-segment=0x14000000. */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "record.h"

_Static_assert(offsetof(struct SequenceRegisters, sp) == 248 &&
                   offsetof(struct SequenceRegisters, v) == 256 &&
                   offsetof(struct SequenceRegisters, nzcv) == 768 &&
                   offsetof(struct SequenceRegisters, pc) == 792,
               "offsets in the assembly");

enum { kBatch = 1024 };

static struct SequenceCase cases[kBatch];
static struct SequenceResult results[kBatch];
struct SequenceResult* current;
uint64_t saved[24];

extern void enter(const struct SequenceRegisters* registers, const void* code);
extern const char leave[], abandon[];

/* enter saves what the C caller needs, loads everything but x0 and x30 (the first two words of the code do)
 * and goes to the code. leave is where the code ends; TPIDR_EL0 is borrowed to hold x0. abandon is where a
 * signal ends. */
__asm__(
    ".text\n.global enter\nenter:\n"
    "adrp x9, saved\nadd x9, x9, :lo12:saved\n"
    "stp x19, x20, [x9]\nstp x21, x22, [x9, #16]\nstp x23, x24, [x9, #32]\nstp x25, x26, [x9, #48]\n"
    "stp x27, x28, [x9, #64]\nstp x29, x30, [x9, #80]\nmov x10, sp\nmrs x11, tpidr_el0\nstp x10, x11, [x9, "
    "#96]\n"
    "stp d8, d9, [x9, #112]\nstp d10, d11, [x9, #128]\nstp d12, d13, [x9, #144]\nstp d14, d15, [x9, #160]\n"
    "clrex\nmov x30, x1\n"
    "add x1, x0, #256\n"
    "ldp q0, q1, [x1]\nldp q2, q3, [x1, #32]\nldp q4, q5, [x1, #64]\nldp q6, q7, [x1, #96]\n"
    "ldp q8, q9, [x1, #128]\nldp q10, q11, [x1, #160]\nldp q12, q13, [x1, #192]\nldp q14, q15, [x1, #224]\n"
    "ldp q16, q17, [x1, #256]\nldp q18, q19, [x1, #288]\nldp q20, q21, [x1, #320]\nldp q22, q23, [x1, #352]\n"
    "ldp q24, q25, [x1, #384]\nldp q26, q27, [x1, #416]\nldp q28, q29, [x1, #448]\nldp q30, q31, [x1, #480]\n"
    "ldr x2, [x0, #248]\nmov sp, x2\n"
    "ldr x2, [x0, #768]\nmsr nzcv, x2\nldr x2, [x0, #776]\nmsr fpcr, x2\nldr x2, [x0, #784]\nmsr fpsr, x2\n"
    "ldr x1, [x0, #8]\nldp x2, x3, [x0, #16]\nldp x4, x5, [x0, #32]\nldp x6, x7, [x0, #48]\n"
    "ldp x8, x9, [x0, #64]\nldp x10, x11, [x0, #80]\nldp x12, x13, [x0, #96]\nldp x14, x15, [x0, #112]\n"
    "ldp x16, x17, [x0, #128]\nldp x18, x19, [x0, #144]\nldp x20, x21, [x0, #160]\nldp x22, x23, [x0, #176]\n"
    "ldp x24, x25, [x0, #192]\nldp x26, x27, [x0, #208]\nldp x28, x29, [x0, #224]\n"
    "br x30\n"
    ".global leave\nleave:\n"
    "msr tpidr_el0, x0\nadrp x0, current\nldr x0, [x0, :lo12:current]\n"
    "str x1, [x0, #8]\nstp x2, x3, [x0, #16]\nstp x4, x5, [x0, #32]\nstp x6, x7, [x0, #48]\n"
    "stp x8, x9, [x0, #64]\nstp x10, x11, [x0, #80]\nstp x12, x13, [x0, #96]\nstp x14, x15, [x0, #112]\n"
    "stp x16, x17, [x0, #128]\nstp x18, x19, [x0, #144]\nstp x20, x21, [x0, #160]\nstp x22, x23, [x0, #176]\n"
    "stp x24, x25, [x0, #192]\nstp x26, x27, [x0, #208]\nstp x28, x29, [x0, #224]\nmov x2, sp\n"
    "stp x30, x2, [x0, #240]\nmrs x2, tpidr_el0\nstr x2, [x0]\n"
    "mrs x2, nzcv\nstr x2, [x0, #768]\nmrs x2, fpcr\nstr x2, [x0, #776]\nmrs x2, fpsr\nstr x2, [x0, #784]\n"
    "add x1, x0, #256\n"
    "stp q0, q1, [x1]\nstp q2, q3, [x1, #32]\nstp q4, q5, [x1, #64]\nstp q6, q7, [x1, #96]\n"
    "stp q8, q9, [x1, #128]\nstp q10, q11, [x1, #160]\nstp q12, q13, [x1, #192]\nstp q14, q15, [x1, #224]\n"
    "stp q16, q17, [x1, #256]\nstp q18, q19, [x1, #288]\nstp q20, q21, [x1, #320]\nstp q22, q23, [x1, #352]\n"
    "stp q24, q25, [x1, #384]\nstp q26, q27, [x1, #416]\nstp q28, q29, [x1, #448]\nstp q30, q31, [x1, #480]\n"
    ".global abandon\nabandon:\n"
    "msr fpcr, xzr\n"
    "adrp x9, saved\nadd x9, x9, :lo12:saved\n"
    "ldp x19, x20, [x9]\nldp x21, x22, [x9, #16]\nldp x23, x24, [x9, #32]\nldp x25, x26, [x9, #48]\n"
    "ldp x27, x28, [x9, #64]\nldp x29, x30, [x9, #80]\nldp x10, x11, [x9, #96]\nmov sp, x10\nmsr tpidr_el0, "
    "x11\n"
    "ldp d8, d9, [x9, #112]\nldp d10, d11, [x9, #128]\nldp d12, d13, [x9, #144]\nldp d14, d15, [x9, #160]\n"
    "ret\n");

static void on_signal(int signal, siginfo_t* info, void* opaque) {
  (void)info;
  mcontext_t* m = &((ucontext_t*)opaque)->uc_mcontext;
  struct SequenceRegisters* r = &current->registers;
  for (int i = 0; i < 31; i++) r->x[i] = m->regs[i];
  r->sp = m->sp;
  r->nzcv = m->pstate & 0xf0000000;
  r->pc = m->pc;
  const struct fpsimd_context* fp = (const struct fpsimd_context*)m->__reserved;
  if (fp->head.magic == FPSIMD_MAGIC) {
    memcpy(r->v, fp->vregs, sizeof r->v);
    r->fpsr = fp->fpsr, r->fpcr = fp->fpcr;
  }
  current->signal = (uint64_t)signal;
  m->pc = (uint64_t)abandon;
}

static size_t read_all(void* to, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = read(0, (char*)to + done, size - done);
    if (n <= 0) break;
    done += (size_t)n;
  }
  return done;
}
static int write_all(const void* from, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = write(1, (const char*)from + done, size - done);
    if (n <= 0) return 0;
    done += (size_t)n;
  }
  return 1;
}

static void place(const struct SequenceCase* c) {
  uint32_t* code = (uint32_t*)c->code;
  memcpy(code, c->words, c->count * 4);
  int64_t distance = ((int64_t)(uintptr_t)leave - (int64_t)(uintptr_t)&code[c->count]) / 4;
  code[c->count] = 0x14000000 | ((uint32_t)distance & 0x03ffffff); /* b leave */
}

static void run(const struct SequenceCase* c, struct SequenceResult* r) {
  memcpy((void*)(uintptr_t)kSequenceWindow, c->window, kSequenceWindowBytes);
  current = r;
  r->signal = 0;
  r->registers.pc = c->code + c->count * 4;
  enter(&c->registers, (const uint32_t*)c->code + kSequencePoolWords);
  memcpy(r->window, (const void*)(uintptr_t)kSequenceWindow, kSequenceWindowBytes);
}

int main(void) {
  static char stack[65536];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  void* memory = mmap((void*)(uintptr_t)kSequenceBase, kSequenceSize, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (memory == MAP_FAILED || sigaltstack(&alternate, 0)) return 3;
  const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGTRAP};
  for (int i = 0; i < 4; i++) sigaction(signals[i], &action, 0);
  for (;;) {
    size_t count = read_all(cases, sizeof cases) / sizeof cases[0];
    if (count == 0) return 0;
    for (size_t i = 0; i < count; i++) place(&cases[i]);
    __builtin___clear_cache((char*)memory, (char*)memory + kSequenceSize / 2);
    for (size_t i = 0; i < count; i++) run(&cases[i], &results[i]);
    if (!write_all(results, count * sizeof results[0])) return 1;
  }
}
