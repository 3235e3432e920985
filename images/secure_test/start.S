// images/secure_test/start.S: EL3: the first instructions, the vectors, and the switch between the contexts of
// the worlds below; EL1: vectors that record an exception and go on behind the instruction.
        .section .text.start, "ax"
        .global _start
_start:
        mrs     x0, mpidr_el1
        tst     x0, #0xff               // every PE starts here: the others stay
        b.ne    park
        adrp    x1, monitor_stack_end
        add     x1, x1, :lo12:monitor_stack_end
        mov     sp, x1
        adrp    x1, bss_start
        add     x1, x1, :lo12:bss_start
        adrp    x2, bss_end
        add     x2, x2, :lo12:bss_end
1:      cmp     x1, x2
        b.hs    2f
        stp     xzr, xzr, [x1], #16
        b       1b
2:      adrp    x1, el3_vectors
        add     x1, x1, :lo12:el3_vectors
        msr     vbar_el3, x1
        isb
        b       monitor_main
park:   wfe
        b       park

// struct world: x0..x30 at 0, then sp_el0, elr_el3, spsr_el3.
        .equ    SP_EL0_AT, 248
        .equ    ELR_AT, 256
        .equ    SPSR_AT, 264

// void enter_world(struct world*): leaves EL3; the next exception from below returns to the caller's code in
// monitor_main through el3_lower, which calls monitor_exception(struct world*, kind).
        .global enter_world
enter_world:
        msr     tpidr_el3, x0
        ldr     x1, [x0, #SP_EL0_AT]
        msr     sp_el0, x1
        ldr     x1, [x0, #ELR_AT]
        msr     elr_el3, x1
        ldr     x1, [x0, #SPSR_AT]
        msr     spsr_el3, x1
        ldp     x2, x3, [x0, #16]
        ldp     x4, x5, [x0, #32]
        ldp     x6, x7, [x0, #48]
        ldp     x8, x9, [x0, #64]
        ldp     x10, x11, [x0, #80]
        ldp     x12, x13, [x0, #96]
        ldp     x14, x15, [x0, #112]
        ldp     x16, x17, [x0, #128]
        ldp     x18, x19, [x0, #144]
        ldp     x20, x21, [x0, #160]
        ldp     x22, x23, [x0, #176]
        ldp     x24, x25, [x0, #192]
        ldp     x26, x27, [x0, #208]
        ldp     x28, x29, [x0, #224]
        ldr     x30, [x0, #240]
        ldp     x0, x1, [x0]
        eret

        .macro  from_below kind
        stp     x0, x1, [sp, #-16]!
        mov     x1, #\kind
        b       el3_lower
        .endm

el3_lower:
        mrs     x0, tpidr_el3
        stp     x2, x3, [x0, #16]
        stp     x4, x5, [x0, #32]
        stp     x6, x7, [x0, #48]
        stp     x8, x9, [x0, #64]
        stp     x10, x11, [x0, #80]
        stp     x12, x13, [x0, #96]
        stp     x14, x15, [x0, #112]
        stp     x16, x17, [x0, #128]
        stp     x18, x19, [x0, #144]
        stp     x20, x21, [x0, #160]
        stp     x22, x23, [x0, #176]
        stp     x24, x25, [x0, #192]
        stp     x26, x27, [x0, #208]
        stp     x28, x29, [x0, #224]
        str     x30, [x0, #240]
        ldp     x2, x3, [sp], #16
        stp     x2, x3, [x0]
        mrs     x2, sp_el0
        str     x2, [x0, #SP_EL0_AT]
        mrs     x2, elr_el3
        str     x2, [x0, #ELR_AT]
        mrs     x2, spsr_el3
        str     x2, [x0, #SPSR_AT]
        bl      monitor_exception       // the world to go on with
        b       enter_world

        .balign 2048
el3_vectors:
        .rept   4
        .balign 128
        b       monitor_broken
        .endr
        .rept   4                       // from EL3 itself
        .balign 128
        b       monitor_broken
        .endr
        .balign 128
        from_below 0
        .balign 128
        from_below 1
        .balign 128
        from_below 2
        .balign 128
        from_below 3
        .rept   4
        .balign 128
        b       monitor_broken
        .endr

// struct recorded { count, esr, far, irqs; } is found through TPIDR_EL1.
        .macro  el1_synchronous
        stp     x0, x1, [sp, #-16]!
        mrs     x0, tpidr_el1
        ldr     x1, [x0]
        add     x1, x1, #1
        str     x1, [x0]
        mrs     x1, esr_el1
        str     x1, [x0, #8]
        mrs     x1, far_el1
        str     x1, [x0, #16]
        mrs     x1, elr_el1
        add     x1, x1, #4
        msr     elr_el1, x1
        ldp     x0, x1, [sp], #16
        eret
        .endm
        .macro  el1_irq
        stp     x0, x1, [sp, #-16]!
        mrs     x0, tpidr_el1
        ldr     x1, [x0, #24]
        add     x1, x1, #1
        str     x1, [x0, #24]
        msr     cntp_ctl_el0, xzr       // the only source: quiet
        isb
        ldp     x0, x1, [sp], #16
        eret
        .endm

        .global el1_vectors
        .balign 2048
el1_vectors:
        .rept   4
        .balign 128
        b       .
        .endr
        .balign 128
        el1_synchronous
        .balign 128
        el1_irq
        .rept   10
        .balign 128
        b       .
        .endr

// u64 smc_call(u64 function, u64 a, u64 b)
        .global smc_call
smc_call:
        smc     #0
        ret

        .section .bss.stacks, "aw", %nobits
        .balign 4096
        .space  8192
monitor_stack_end:
        .section .note.GNU-stack, "", %progbits
