// images/mpc_test/start.S: firmware at EL3 in Secure RAM, and the few instructions that it lets the Non-secure
// state execute in RAM behind the MPC.
        .section .text.start, "ax"
        .global _start
_start:
        mrs     x0, mpidr_el1
        tst     x0, #0xff
        b.ne    park
        adrp    x1, stack_end
        add     x1, x1, :lo12:stack_end
        mov     sp, x1
        adrp    x1, vectors
        add     x1, x1, :lo12:vectors
        msr     vbar_el3, x1
        isb
        b       firmware_main
park:   wfe
        b       park

// u64 non_secure_load(u64 address): X0 of a load at Non-secure EL1, whatever ended it.
        .global non_secure_load
non_secure_load:
        stp     x29, x30, [sp, #-16]!
        mov     x1, x0
        mov     x0, #-1
        ldr     x2, =payload_address
        ldr     x2, [x2]
        msr     elr_el3, x2
        mov     x2, #0x3c5
        msr     spsr_el3, x2
        eret
from_below:
        ldp     x29, x30, [sp], #16
        ret

        .global payload, payload_end
payload:
        ldr     x0, [x1]
        smc     #0
payload_end:

        .balign 2048
vectors:
        .rept   8
        .balign 128
        b       broken
        .endr
        .balign 128
        b       from_below
        .rept   7
        .balign 128
        b       broken
        .endr

        .section .bss.stacks, "aw", %nobits
        .balign 16
        .space  4096
stack_end:
        .section .note.GNU-stack, "", %progbits
