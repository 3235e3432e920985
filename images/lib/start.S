// images/lib/start.S: the first instructions of the boot PE and of those that PSCI CPU_ON starts, at EL1 with
// the MMU off (Linux "arm64 boot protocol": x0 is the device tree, if anything gave us one). Where the machine
// has EL3, all PEs start there, in the monitor.
// In the blocks that stay Secure: PEs that come late find the rest of RAM Non-secure already.
        .section .monitor.text, "ax"
        .global _start
_start:
        mrs     x1, CurrentEL
        cmp     x1, #3 << 2             // EL3
        b.eq    monitor_start
        b       el1_start

        .section .text.start, "ax"
        .global el1_start
el1_start:
        msr     daifset, #15
        adrp    x1, stacks
        add     x1, x1, :lo12:stacks
        add     sp, x1, #8192
        adrp    x1, bss_start
        add     x1, x1, :lo12:bss_start
        adrp    x2, bss_end
        add     x2, x2, :lo12:bss_end
1:      cmp     x1, x2
        b.hs    2f
        stp     xzr, xzr, [x1], #16
        b       1b
2:      adrp    x1, vectors
        add     x1, x1, :lo12:vectors
        msr     vbar_el1, x1
        isb
        b       boot_main

// x0 is the index that smp_start() gave to PSCI as the context.
        .global secondary_start
secondary_start:
        msr     daifset, #15
        adrp    x1, stacks
        add     x1, x1, :lo12:stacks
        add     x2, x0, #1
        add     x1, x1, x2, lsl #13
        mov     sp, x1
        adrp    x1, vectors
        add     x1, x1, :lo12:vectors
        msr     vbar_el1, x1
        isb
        b       secondary_main

// u64 psci_call(u64 function, u64 a, u64 b, u64 c): SMC Calling Convention (Arm DEN 0028) by HVC.
        .global psci_call
psci_call:
        adrp    x9, monitor_present
        ldr     x9, [x9, :lo12:monitor_present]
        cbnz    x9, smc_call
        hvc     #0
        ret
        .global smc_call
smc_call:
        smc     #0
        ret

        .data
        .balign 8
        .global monitor_present
monitor_present:
        .quad   0

        .section .bss.stacks, "aw", %nobits
        .balign 4096
stacks: .space  16 * 8192
        .section .note.GNU-stack, "", %progbits
