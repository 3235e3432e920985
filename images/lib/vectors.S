// images/lib/vectors.S: the exception vectors, and attempt(), which runs a function that may fault.
// The frame is `struct frame`, the offsets into TPIDR_EL1's block are those of `struct pe` (arm.h).
        .set    FRAME, 36 * 8
        .set    PE_ARMED, 13 * 8

        .macro  vector number
        .balign 128
        sub     sp, sp, #FRAME
        stp     x0, x1, [sp]
        mov     x1, #\number
        b       save_frame
        .endm

        .text
        .balign 2048
        .global vectors
vectors:
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        vector  \number
        .endr

save_frame:
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        stp     x8, x9, [sp, #64]
        stp     x10, x11, [sp, #80]
        stp     x12, x13, [sp, #96]
        stp     x14, x15, [sp, #112]
        stp     x16, x17, [sp, #128]
        stp     x18, x19, [sp, #144]
        stp     x20, x21, [sp, #160]
        stp     x22, x23, [sp, #176]
        stp     x24, x25, [sp, #192]
        stp     x26, x27, [sp, #208]
        stp     x28, x29, [sp, #224]
        mrs     x2, sp_el0
        stp     x30, x2, [sp, #240]
        mrs     x2, elr_el1
        mrs     x3, spsr_el1
        stp     x2, x3, [sp, #256]
        mrs     x2, esr_el1
        mrs     x3, far_el1
        stp     x2, x3, [sp, #272]
        mov     x0, sp
        bl      exception               // 0: go on; 1: leave attempt()
        cbnz    x0, recover
        ldp     x2, x3, [sp, #256]
        msr     elr_el1, x2
        msr     spsr_el1, x3
        ldp     x30, x2, [sp, #240]
        msr     sp_el0, x2
        ldp     x2, x3, [sp, #16]
        ldp     x4, x5, [sp, #32]
        ldp     x6, x7, [sp, #48]
        ldp     x8, x9, [sp, #64]
        ldp     x10, x11, [sp, #80]
        ldp     x12, x13, [sp, #96]
        ldp     x14, x15, [sp, #112]
        ldp     x16, x17, [sp, #128]
        ldp     x18, x19, [sp, #144]
        ldp     x20, x21, [sp, #160]
        ldp     x22, x23, [sp, #176]
        ldp     x24, x25, [sp, #192]
        ldp     x26, x27, [sp, #208]
        ldp     x28, x29, [sp, #224]
        ldp     x0, x1, [sp], #FRAME
        eret

// void attempt_raw(void (*fn)(u64), u64 argument): comes back when fn returns or when it has faulted.
        .global attempt_raw
attempt_raw:
        mrs     x9, tpidr_el1
        stp     x19, x20, [x9]
        stp     x21, x22, [x9, #16]
        stp     x23, x24, [x9, #32]
        stp     x25, x26, [x9, #48]
        stp     x27, x28, [x9, #64]
        stp     x29, x30, [x9, #80]
        mov     x10, sp
        str     x10, [x9, #96]
        mov     x10, #1
        str     x10, [x9, #PE_ARMED]
        mov     x10, x0
        mov     x0, x1
        blr     x10
        b       restore

// An exception has been taken inside fn: drop everything that is on the stack since attempt_raw. PSTATE is
// left through ERET, so that a pending single step or a masked D bit of fn does not stay behind.
recover:
        mov     x0, #0x3c5              // EL1h, DAIF masked
        msr     spsr_el1, x0
        adr     x0, restore
        msr     elr_el1, x0
        eret
restore:
        msr     spsel, #1
        mrs     x9, tpidr_el1
        str     xzr, [x9, #PE_ARMED]
        ldp     x19, x20, [x9]
        ldp     x21, x22, [x9, #16]
        ldp     x23, x24, [x9, #32]
        ldp     x25, x26, [x9, #48]
        ldp     x27, x28, [x9, #64]
        ldp     x29, x30, [x9, #80]
        ldr     x10, [x9, #96]
        mov     sp, x10
        ret

        .global enter_el0
enter_el0:
        ldp     x1, x2, [x0]
        ldp     x3, x4, [x0, #16]
        msr     elr_el1, x1
        msr     sp_el0, x2
        msr     spsr_el1, x4
        mov     x0, x3
        eret
        .section .note.GNU-stack, "", %progbits
