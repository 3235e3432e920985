"""Bare-metal A64 programs for tests of the whole command: an assembler of a dozen instructions, so that no
cross compiler is needed. Encodings are from the Arm Architecture Reference Manual (DDI 0487, C6.2)."""
import struct

LOAD_ADDRESS = 0x40100000
UART = 0x09000000
UART_FR, UART_RXFE_BIT = 0x18, 4
PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET, PSCI_CPU_ON = 0x84000008, 0x84000009, 0xC4000003


class Program:
    """Instructions in order, with labels; `elf()` is the file."""

    def __init__(self):
        self.words = []
        self.labels = {}
        self.fixups = []

    def word(self, value):
        self.words.append(value)
        return self

    def label(self, name):
        self.labels[name] = len(self.words)
        return self

    def mov(self, register, value):
        self.word(0xD2800000 | (value & 0xFFFF) << 5 | register)  # MOVZ
        for half in (1, 2, 3):
            piece = value >> 16 * half & 0xFFFF
            if piece:
                self.word(0xF2800000 | half << 21 | piece << 5 | register)  # MOVK
        return self

    def adr(self, register, name):
        self.fixups.append((len(self.words), name, "adr"))
        return self.word(0x10000000 | register)

    def branch(self, name):
        self.fixups.append((len(self.words), name, "b"))
        return self.word(0x14000000)

    def cbz(self, register, name):
        self.fixups.append((len(self.words), name, "imm19"))
        return self.word(0xB4000000 | register)

    def cbnz(self, register, name):
        self.fixups.append((len(self.words), name, "imm19"))
        return self.word(0xB5000000 | register)

    def tbnz(self, register, bit, name):
        self.fixups.append((len(self.words), name, "imm14"))
        return self.word(0x37000000 | bit << 19 | register)

    def ldrb_post(self, register, base):
        return self.word(0x38401400 | base << 5 | register)  # LDRB Wt, [Xn], #1

    def ldr32(self, register, base, offset=0):
        return self.word(0xB9400000 | offset // 4 << 10 | base << 5 | register)

    def str32(self, register, base, offset=0):
        return self.word(0xB9000000 | offset // 4 << 10 | base << 5 | register)

    def sub_imm(self, register, source, value):
        return self.word(0xD1000000 | value << 10 | source << 5 | register)

    def lsr(self, register, source, amount):
        return self.word(0xD340FC00 | amount << 16 | source << 5 | register)

    def and_15(self, register, source):
        return self.word(0x92400C00 | source << 5 | register)

    def add(self, register, a, b):
        return self.word(0x8B000000 | b << 16 | a << 5 | register)

    def mrs_cntvct(self, register):
        return self.word(0xD53BE040 | register)

    def br(self, register):
        return self.word(0xD61F0000 | register << 5)

    def wfi(self):
        return self.word(0xD503207F)

    def hvc(self):
        return self.word(0xD4000002)

    def psci(self, function):
        return self.mov(0, function).hvc()

    def semihosting(self):
        return self.word(0xD45E0000)  # HLT #0xF000

    def data(self, content):
        content += b"\0" * (-len(content) % 4)
        for (value,) in struct.iter_unpack("<I", content):
            self.word(value)
        return self

    # --- larger pieces ---

    def power_off(self):
        return self.psci(PSCI_SYSTEM_OFF).label("never%d" % len(self.words)).spin()

    def spin(self):
        return self.word(0x14000000)  # B .

    def delay(self, count):
        name = "delay%d" % len(self.words)
        return self.mov(9, count).label(name).sub_imm(9, 9, 1).cbnz(9, name)

    def say(self, text):
        """Writes to the serial port. Uses X1 to X3."""
        again, done, message = ("%s%d" % (n, len(self.words)) for n in ("again", "done", "message"))
        self.mov(1, UART).adr(2, message)
        self.label(again).ldrb_post(3, 2).cbz(3, done).str32(3, 1).branch(again)
        return self.label(message).data(text.encode() + b"\0").label(done)

    def echo(self, count):
        """Reads `count` bytes from the serial port and writes them back. Uses X1 to X4."""
        n = len(self.words)
        self.mov(1, UART).mov(4, count)
        self.label("wait%d" % n).ldr32(2, 1, UART_FR).tbnz(2, UART_RXFE_BIT, "wait%d" % n)
        self.ldr32(3, 1).str32(3, 1).sub_imm(4, 4, 1).cbnz(4, "wait%d" % n)
        return self

    def code(self):
        words = list(self.words)
        for at, name, kind in self.fixups:
            offset = self.labels[name] - at
            if kind == "b":
                words[at] |= offset & 0x3FFFFFF
            elif kind == "imm19":
                words[at] |= (offset & 0x7FFFF) << 5
            elif kind == "imm14":
                words[at] |= (offset & 0x3FFF) << 5
            else:  # adr: in bytes, a multiple of 4
                words[at] |= (offset & 0x7FFFF) << 5
        return b"".join(struct.pack("<I", w) for w in words)

    def elf(self, machine=183):
        code = self.code()
        header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
            "<HHIQQQIHHHHHH", 2, machine, 1, LOAD_ADDRESS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        segment = struct.pack("<IIQQQQQQ", 1, 7, 120, LOAD_ADDRESS, LOAD_ADDRESS, len(code), len(code), 8)
        return header + segment + code


def powers_off():
    return Program().power_off()


def resets():
    return Program().psci(PSCI_SYSTEM_RESET).spin()


def spins():
    return Program().spin()


def exits(code):
    """SYS_EXIT with the block {ADP_Stopped_ApplicationExit, code}."""
    p = Program().mov(0, 0x18).adr(1, "block").semihosting().spin()
    if len(p.words) % 2:
        p.word(0)
    return p.label("block").data(struct.pack("<QQ", 0x20026, code))


def tells_where_it_starts():
    """An arm64 Image that may be an ELF program's code, too. Each PE prints a letter, from `a` on; PE 0 its EL and the
    major version of PSCI as digits, and at the first exception, which SMC should be, X."""
    mrs_mpidr_x5, mrs_currentel_x6, msr_vbar_el3_x0, msr_vbar_el1_x0, isb, smc = (
        0xD53800A5, 0xD5384246, 0xD51EC000, 0xD518C000, 0xD5033FDF, 0xD4000003)
    p = Program().branch("start")
    p.data(struct.pack("<IQQQ24s4sI", 0, 0x80000, 0x10000, 0xA, b"", b"ARM\x64", 0))

    def put(register, base):
        p.mov(4, ord(base)).add(3, register, 4).str32(3, 1)

    p.label("start").mov(1, UART).word(mrs_mpidr_x5).and_15(5, 5)
    put(5, "a")
    p.cbnz(5, "park").word(mrs_currentel_x6).lsr(6, 6, 2)
    put(6, "0")
    p.adr(0, "vectors").sub_imm(7, 6, 3).cbnz(7, "el1").word(msr_vbar_el3_x0)
    p.label("el1").word(msr_vbar_el1_x0).word(isb).psci(0x84000000).lsr(5, 0, 16)
    put(5, "0")
    p.word(smc).label("park").spin()
    p.data(bytes(2048 - len(p.words) * 4)).label("vectors").data(bytes(0x200)).mov(3, ord("X")).str32(3, 1).spin()
    return p


def floods():
    """Writes to the serial port for ever."""
    p = Program().mov(1, UART).mov(3, ord("x"))
    return p.label("again").str32(3, 1).branch("again")


def prints_times(lines):
    """The low bits of the virtual counter, as digits, `lines` times: what differs when time does."""
    p = Program().mov(1, UART).mov(5, lines)
    p.label("line").delay(5000).mrs_cntvct(2)
    p.mov(6, 8)
    p.label("digit").and_15(3, 2).mov(4, ord("A")).add(3, 3, 4).str32(3, 1).lsr(2, 2, 4).sub_imm(6, 6, 1)
    p.cbnz(6, "digit").mov(3, 10).str32(3, 1).sub_imm(5, 5, 1).cbnz(5, "line")
    return p.power_off()


def writes_a_sector(sector):
    """One write request to the disk in virtio-mmio slot 31, through its legacy interface (virtio 1.1, 4.2.4).
    Prints the request's status as a letter: A is OK, B is an I/O error; then powers off."""
    slot, queue, header, content, status = 0x0A003E00, 0x40200000, 0x40202000, 0x40203000, 0x40204000
    used = queue + 0x1000
    p = Program()

    def store(address, *values):
        for i, value in enumerate(values):
            p.mov(1, address + 4 * i).mov(2, value).str32(2, 1)

    store(header, 1, 0, sector, 0)  # VIRTIO_BLK_T_OUT
    store(content, *[0x57524954] * 128)
    store(status, 0xFF)
    chained, device_writes = 1, 2
    store(queue, header, 0, 16, chained | 1 << 16)
    store(queue + 16, content, 0, 512, chained | 2 << 16)
    store(queue + 32, status, 0, 1, device_writes)
    store(queue + 16 * 8, 1 << 16, 0)  # available ring: one entry, descriptor 0
    store(slot + 0x70, 1)
    store(slot + 0x70, 3)
    store(slot + 0x28, 4096)
    store(slot + 0x30, 0)
    store(slot + 0x38, 8)
    store(slot + 0x3C, 4096)
    store(slot + 0x40, queue >> 12)
    store(slot + 0x70, 7)
    store(slot + 0x50, 0)
    p.mov(1, used).label("wait").ldr32(2, 1).lsr(2, 2, 16).cbz(2, "wait")
    p.mov(1, status).ldr32(3, 1).mov(4, ord("A")).add(3, 3, 4).mov(1, UART).str32(3, 1)
    return p.power_off()
