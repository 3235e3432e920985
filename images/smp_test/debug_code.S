// images/smp_test/debug_code.S: code under a breakpoint, a watchpoint and software step.
        .text
        .global watched_store, watched_store_at, watched_load, watched_load_at
watched_store:
        nop
watched_store_at:
        strb    w1, [x0]
        ret
watched_load:
        nop
watched_load_at:
        ldr     x1, [x0]
        ret

        .global breakpoint_here, breakpoint_here_at
breakpoint_here:
        nop
breakpoint_here_at:
        nop
        ret

// void step_from(u64 pc): goes on at pc at EL1h with D clear and SS set.
        .global step_from
step_from:
        msr     elr_el1, x0
        mov     x1, #0x1c5              // EL1h, A I F masked, D not
        orr     x1, x1, #1 << 21        // SS: one instruction, then the exception
        msr     spsr_el1, x1
        eret
        .global stepped, stepped_branch, stepped_end
stepped:
        mov     x9, #1
        mov     x9, #2
stepped_branch:
        b       stepped_end
        mov     x9, #3
stepped_end:
        ret
        .section .note.GNU-stack, "", %progbits
