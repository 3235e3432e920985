// images/smp_test/brief_life.S: where a PE starts that only counts its start, stays until everybody has tried to
// start it, and switches itself off again. x0 is {starts, round that may end}, which only this PE counts.
        .text
        .global brief_life
brief_life:
        ldr     x1, [x0]
        add     x1, x1, #1
        str     x1, [x0]
        dsb     sy
        add     x3, x0, #8
1:      ldar    x2, [x3]
        cmp     x2, x1
        b.lo    1b
        ldr     w0, =0x84000002         // CPU_OFF
        hvc     #0
2:      wfi
        b       2b
        .section .note.GNU-stack, "", %progbits
