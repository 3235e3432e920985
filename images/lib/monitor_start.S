// images/lib/monitor_start.S: EL3 of monitor.c: the first instructions, the vectors, and the way down.
        .section .monitor.text, "ax"
        .global monitor_start
monitor_start:                          // x0: the device tree, for PE 0
        mrs     x1, mpidr_el1
        tst     x1, #0xff00             // affinity 1 and up: not used here
        b.ne    .
        and     x2, x1, #0xff
        adrp    x3, monitor_stacks
        add     x3, x3, :lo12:monitor_stacks
        add     x4, x2, #1
        add     x3, x3, x4, lsl #10
        msr     spsel, #1
        mov     sp, x3
        mov     x1, x0
        mov     x0, x2
        b       monitor_main

// void monitor_enter(u64 entry, u64 argument, u64 spsr)
        .global monitor_enter
monitor_enter:
        msr     elr_el3, x0
        msr     spsr_el3, x2
        mov     x0, x1
        eret

// An SMC is a call: x0..x17 need not be kept.
from_below:
        stp     x18, x30, [sp, #-16]!
        mrs     x9, esr_el3
        lsr     x9, x9, #26
        cmp     x9, #0x17
        b.ne    .
        bl      monitor_smc
        ldp     x18, x30, [sp], #16
        eret

        .balign 2048
        .global monitor_vectors
monitor_vectors:
        .rept   8
        .balign 128
        b       .
        .endr
        .balign 128
        b       from_below
        .rept   7
        .balign 128
        b       .
        .endr
        .section .note.GNU-stack, "", %progbits
