// tests/bench/operations/code.S: see operations.h. Loops whose instructions matter, and vectors that do no more
// than they have to.

// Replaces the library's vectors by ours. Uses x8 and x9; x8 must be kept for `vectors_off`.
        .macro  vectors_on
        mrs     x8, vbar_el1
        adr     x9, light_vectors
        msr     vbar_el1, x9
        isb
        .endm
        .macro  vectors_off
        msr     vbar_el1, x8
        isb
        .endm

        .text
        .balign 2048
light_vectors:
        .space  0x200
        // Current EL, SPx: a load that faulted. It is skipped.
        mrs     x10, elr_el1
        add     x10, x10, #4
        msr     elr_el1, x10
        sub     x0, x0, #1
        eret
        .balign 128
        .space  0x180
        // Lower EL: SVC. After the last one we go back to where x11 says.
        subs    x0, x0, #1
        b.eq    1f
        eret
1:      msr     elr_el1, x11
        mov     x10, #0x3c5             // EL1h, DAIF masked
        msr     spsr_el1, x10
        eret
        .balign 2048

// u64 run_svc(u64 rounds, u64 pc): `pc` is where EL0 sees user_svc. Returns how many are left.
        .global run_svc
run_svc:
        vectors_on
        adr     x11, 1f
        mov     x10, #0x3c0             // EL0t, DAIF masked
        msr     spsr_el1, x10
        msr     elr_el1, x1
        eret
1:      vectors_off
        ret

        .balign 4096
        .global user_svc
user_svc:
        svc     #0
        b       user_svc
        .balign 4096

// u64 run_data_aborts(u64 rounds, u64 address): each load faults. Returns how many are left.
        .global run_data_aborts
run_data_aborts:
        vectors_on
1:      ldr     x9, [x1]
        cbnz    x0, 1b
        vectors_off
        ret

// u64 run_page_crossings(u64 rounds): two branches from page to page each.
        .global run_page_crossings
run_page_crossings:
        b       far_page
        .balign 4096
near_page:
        cbz     x0, 1f
        b       far_page
1:      ret
        .balign 4096
far_page:
        sub     x0, x0, #1
        b       near_page
        .balign 4096

// u64 run_stores_next_to_code(u64 rounds): stores to the page of this very loop. Returns what is wrong with the sum.
        .global run_stores_next_to_code
run_stores_next_to_code:
        adr     x1, 2f
        mov     x2, x0
        str     xzr, [x1]
1:      ldr     x3, [x1]
        add     x3, x3, #1
        str     x3, [x1]
        subs    x0, x0, #1
        b.ne    1b
        sub     x0, x3, x2
        ret
        .balign 1024
2:      .quad   0
        .balign 4096
        .section .note.GNU-stack, "", %progbits
