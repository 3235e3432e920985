// images/smp_test/exceptions.S: instructions that fault, each with a label at the one that does, and code for EL0.
// Every function comes back by RET when nothing faults.
        .macro  faulting name, insn:vararg
        .global \name, \name\()_at
\name:
\name\()_at:
        \insn
        ret
        .endm

        .arch_extension fp
        .text
        faulting do_svc, svc #0x123
        faulting do_brk, brk #0x456
        faulting do_udf, udf #0
        faulting do_unallocated_sysreg, mrs x0, s3_5_c15_c15_7
        faulting do_load, ldr x1, [x0]
        faulting do_load_byte_signed, ldrsb w5, [x0]
        faulting do_store, str x1, [x0]
        faulting do_store_pair, stp x1, x2, [x0]
        faulting do_exclusive, ldxr x1, [x0]
        faulting do_zero_line, dc zva, x0
        faulting do_maintain, dc cvac, x0
        faulting do_fp, fadd d0, d1, d2

// With an SP that is not a multiple of 16: on SP_EL0, so that the handler's own is good.
        .global do_bad_sp, do_bad_sp_at
do_bad_sp:
        adr     x1, do_bad_sp
        add     x1, x1, #8
        bic     x1, x1, #15
        add     x1, x1, #8
        msr     sp_el0, x1
        msr     spsel, #0
do_bad_sp_at:
        ldr     x2, [sp]
        msr     spsel, #1
        ret

        .global do_branch
do_branch:
        br      x0

// --- EL0. Whatever they do, they end with SVC #0. ---
        .balign 4096
        .global user_code, user_svc, user_mrs, user_mrs_at, user_wfi, user_wfi_at, user_load, user_load_at
        .global user_daif, user_daif_at, user_ic, user_ic_at, user_loop, user_hvc, user_hvc_at, user_code_end
user_code:
user_svc:
        svc     #7
user_mrs:
        nop
user_mrs_at:
        mrs     x3, ctr_el0
        svc     #0
user_wfi:
        nop
user_wfi_at:
        wfi
        svc     #0
user_load:
        nop
user_load_at:
        ldr     w3, [x0, #4]
        svc     #0
user_daif:
        nop
user_daif_at:
        msr     daifset, #2
        svc     #0
user_ic:
user_ic_at:
        ic      ivau, x0
        svc     #0
user_hvc:
        nop
user_hvc_at:
        hvc     #0
        svc     #0
user_loop:
        add     x0, x0, #1
        b       user_loop
user_code_end:
        .balign 4096
        .section .note.GNU-stack, "", %progbits
