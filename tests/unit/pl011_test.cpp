// tests/unit/pl011_test.cpp: the UART through its registers. Expected values are those of Arm DDI 0183G.
#include "devices/char/pl011.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>

namespace sluice {
namespace {

enum : u64 {
  DR = 0x00,
  RSR = 0x04,
  FR = 0x18,
  IBRD = 0x24,
  FBRD = 0x28,
  LCR_H = 0x2c,
  CR = 0x30,
  IFLS = 0x34,
  IMSC = 0x38,
  RIS = 0x3c,
  MIS = 0x40,
  ICR = 0x44,
  DMACR = 0x48,
};
constexpr u32 kRx = 1 << 4, kTx = 1 << 5, kRt = 1 << 6, kBe = 1 << 9, kOe = 1 << 10;
constexpr u32 kRxfe = 1 << 4, kRxff = 1 << 6, kTxfe = 1 << 7;
constexpr u32 kFen = 1 << 4, kLbe = 1 << 7;

class Host final : public ByteStream {
 public:
  void transmit(std::span<const u8> bytes) override { sent.append(bytes.begin(), bytes.end()); }
  void on_receive(Receiver r) override { receiver = std::move(r); }
  void resume() override {
    resumed++;
    if (resume_at_once) offer();
  }
  void type(const std::string& text) {
    waiting += text;
    offer();
  }
  void offer() {
    size_t n = receiver({reinterpret_cast<const u8*>(waiting.data()), waiting.size()});
    waiting.erase(0, n);
  }
  std::string sent, waiting;
  unsigned resumed = 0;
  bool resume_at_once = true;
  Receiver receiver;
};

struct Bench {
  Host host;
  bool irq = false;
  Pl011 uart{IrqLine([this](bool high) { irq = high; }), host};
  u32 r(u64 offset, unsigned size = 4) {
    u64 value = 0;
    EXPECT_TRUE(uart.read(offset, size, value, MemTxAttrs::pe(0, PaSpace::NonSecure, true)).is_ok());
    return u32(value);
  }
  void w(u64 offset, u32 value, unsigned size = 4) {
    EXPECT_TRUE(uart.write(offset, size, value, MemTxAttrs::pe(0, PaSpace::NonSecure, true)).is_ok());
  }
  std::string drain() {
    std::string text;
    while (!(r(FR) & kRxfe)) text += char(r(DR));
    return text;
  }
};

TEST(Pl011, ResetValues) {
  Bench b;
  EXPECT_EQ(b.r(FR) & 0xf8, kTxfe | kRxfe);
  EXPECT_EQ(b.r(CR), 0x300u);
  EXPECT_EQ(b.r(IFLS), 0x12u);
  for (u64 at : {IBRD, FBRD, LCR_H, IMSC, RIS, MIS, DMACR, RSR}) EXPECT_EQ(b.r(at), 0u) << at;
  const u8 ids[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  for (unsigned i = 0; i < 8; i++) EXPECT_EQ(b.r(0xfe0 + 4 * i), ids[i]);
}

// The masks of UARTIBRD (16 bits) and UARTFBRD (6 bits).
TEST(Pl011, BaudDivisorsHaveTheirWidths) {
  Bench b;
  b.w(IBRD, ~0u);
  b.w(FBRD, ~0u);
  EXPECT_EQ(b.r(IBRD), 0xffffu);
  EXPECT_EQ(b.r(FBRD), 0x3fu);
}

// An early console writes UARTDR by bytes or words and polls UARTFR, without any initialisation.
TEST(Pl011, TransmitsAtOnce) {
  Bench b;
  b.w(DR, 'H', 1);
  b.w(DR, 'i', 2);
  b.w(DR, 0xffff'ff21);
  EXPECT_EQ(b.host.sent, "Hi!");
  EXPECT_EQ(b.r(FR) & (kTxfe | 1 << 5 | 1 << 3), kTxfe);
}

// UARTTXINTR: the FIFO has drained through its trigger level. It is not pending before the first character.
TEST(Pl011, TransmitInterrupt) {
  Bench b;
  b.w(IMSC, kTx);
  EXPECT_FALSE(b.irq);
  b.w(DR, 'x');
  EXPECT_TRUE(b.irq);
  EXPECT_EQ(b.r(MIS), kTx);
  b.w(ICR, kTx);
  EXPECT_FALSE(b.irq);
}

// UARTRTINTR: a single character below the trigger level must be seen; it goes when the FIFO is empty.
TEST(Pl011, ReceiveTimeoutShowsASingleCharacter) {
  Bench b;
  b.w(LCR_H, kFen | 0x60);
  b.w(IMSC, kRx | kRt);
  b.host.type("a");
  EXPECT_TRUE(b.irq);
  EXPECT_EQ(b.r(MIS), kRt);
  EXPECT_EQ(b.r(DR), u32('a'));
  EXPECT_FALSE(b.irq);
  EXPECT_EQ(b.r(RIS), 0u);
}

// UARTIFLS.RXIFLSEL: 1/8, 1/4, 1/2, 3/4, 7/8 of 32 characters.
TEST(Pl011, ReceiveTriggerLevels) {
  const unsigned level[] = {4, 8, 16, 24, 28};
  for (unsigned sel = 0; sel < 5; sel++) {
    Bench b;
    b.w(LCR_H, kFen);
    b.w(IFLS, sel << 3);
    b.host.type(std::string(level[sel] - 1, 'x'));
    EXPECT_EQ(b.r(RIS) & kRx, 0u) << sel;
    b.host.type("y");
    EXPECT_EQ(b.r(RIS) & kRx, kRx) << sel;
    b.r(DR);
    EXPECT_EQ(b.r(RIS) & kRx, 0u) << sel;
    EXPECT_EQ(b.r(RIS) & kRt, kRt) << sel;
  }
}

// With UARTLCR_H.FEN == 0 there is one holding register.
TEST(Pl011, WithoutFifoOneCharacterIsFull) {
  Bench b;
  b.host.resume_at_once = false;
  b.host.type("ab");
  EXPECT_EQ(b.host.waiting, "b");
  EXPECT_EQ(b.r(FR) & (kRxff | kRxfe), kRxff);
  EXPECT_EQ(b.r(RIS), kRx);
  EXPECT_EQ(b.r(DR), u32('a'));
  EXPECT_EQ(b.r(RIS), 0u);
  EXPECT_EQ(b.host.resumed, 1u);
}

TEST(Pl011, TheHostKeepsWhatDoesNotFit) {
  Bench b;
  b.w(LCR_H, kFen);
  std::string text;
  for (int i = 0; i < 1000; i++) text += char('a' + i % 26);
  b.host.resume_at_once = false;
  b.host.type(text);
  EXPECT_EQ(b.host.waiting.size(), 1000u - 32);
  EXPECT_EQ(b.r(FR) & kRxff, kRxff);
  for (int i = 0; i < 15; i++) EXPECT_EQ(b.r(DR), u32(text[i]));
  EXPECT_EQ(b.host.resumed, 0u);
  b.r(DR);
  EXPECT_EQ(b.host.resumed, 1u);
  b.host.resume_at_once = true;
  b.host.offer();
  EXPECT_EQ(b.drain(), text.substr(16));
  EXPECT_EQ(b.r(RIS) & kOe, 0u);
}

// UARTCR.RXE == 0: the receiver is off, and nothing is lost.
TEST(Pl011, AReceiverThatIsOffTakesNothing) {
  Bench b;
  b.w(LCR_H, kFen);
  b.w(CR, 0x101);
  b.host.type("abc");
  EXPECT_EQ(b.host.waiting, "abc");
  b.w(CR, 0x301);
  EXPECT_EQ(b.drain(), "abc");
}

TEST(Pl011, TurningTheFifoOffEmptiesIt) {
  Bench b;
  b.w(LCR_H, kFen);
  b.host.type("abc");
  b.w(LCR_H, 0);
  EXPECT_EQ(b.r(FR) & kRxfe, kRxfe);
  EXPECT_EQ(b.r(RIS), 0u);
}

// UARTCR.LBE: what is transmitted is received; UARTCR.RTS, DTR, Out1, Out2 feed CTS, DSR, DCD, RI.
TEST(Pl011, Loopback) {
  Bench b;
  b.w(LCR_H, kFen);
  b.w(CR, 0x301 | kLbe);
  EXPECT_EQ(b.r(FR) & 0x107, 0u);
  b.w(CR, 0x301 | kLbe | 1 << 11 | 1 << 13);
  EXPECT_EQ(b.r(FR) & 0x107, 0x101u);
  EXPECT_EQ(b.r(RIS) & 0xf, 0xfu);  // all four changed since reset
  b.w(ICR, 0xf);
  EXPECT_EQ(b.r(RIS) & 0xf, 0u);
  for (char c : std::string("hello")) b.w(DR, u8(c));
  EXPECT_EQ(b.host.sent, "");
  b.host.type("z");
  EXPECT_EQ(b.drain(), "hello");
  b.w(CR, 0x301);
  EXPECT_EQ(b.drain(), "z");
}

// UARTRSR.OE and UARTDR.OE: a character that came when the FIFO was full is lost.
TEST(Pl011, OverrunInLoopback) {
  Bench b;
  b.w(CR, 0x301 | kLbe);
  b.w(DR, 'a');
  b.w(DR, 'b');
  EXPECT_EQ(b.r(RIS) & kOe, kOe);
  EXPECT_EQ(b.r(RSR), 8u);
  EXPECT_EQ(b.r(DR), u32('a'));
  b.w(DR, 'c');
  EXPECT_EQ(b.r(DR), u32('c') | 1 << 11);
  b.w(RSR, 0);
  EXPECT_EQ(b.r(RSR), 0u);
}

TEST(Pl011, BreakTravelsWithItsCharacter) {
  Bench b;
  b.w(LCR_H, kFen);
  b.uart.receive_break();
  b.host.type("h");
  EXPECT_EQ(b.r(RIS) & kBe, kBe);
  EXPECT_EQ(b.r(DR), 1u << 10);
  EXPECT_EQ(b.r(RSR), 4u);
  EXPECT_EQ(b.r(DR), u32('h'));
  EXPECT_EQ(b.r(RSR), 0u);
}

TEST(Pl011, ADebuggerTakesNoCharacter) {
  Bench b;
  b.host.type("a");
  u64 value = 0;
  (void)b.uart.read(DR, 4, value, MemTxAttrs::debugger());
  EXPECT_EQ(b.r(DR), u32('a'));
}

TEST(Pl011, ResetEmptiesTheFifoAndDropsTheLine) {
  Bench b;
  b.w(IMSC, kRx);
  b.host.type("a");
  EXPECT_TRUE(b.irq);
  b.uart.reset();
  EXPECT_FALSE(b.irq);
  EXPECT_EQ(b.r(FR) & kRxfe, kRxfe);
  EXPECT_EQ(b.r(IMSC), 0u);
}

TEST(Pl011, HostAndGuestThreadsLoseNothing) {
  Bench b;
  b.w(LCR_H, kFen);
  b.host.resume_at_once = false;
  std::string text, got;
  for (int i = 0; i < 3000; i++) text += char('a' + i % 26);
  std::thread io([&] {
    size_t at = 0;
    while (at < text.size()) {
      at += b.host.receiver({reinterpret_cast<const u8*>(text.data()) + at, text.size() - at});
      std::this_thread::yield();
    }
  });
  while (got.size() < text.size()) {
    got += b.drain();
    std::this_thread::yield();
  }
  io.join();
  EXPECT_EQ(got, text);
}

TEST(Pl011, NonsenseIsHarmless) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  Bench b;
  for (int i = 0; i < 100'000; i++) {
    u64 value = 0, offset = random() % 0x60;
    unsigned size = 1u << random() % 4;
    auto attrs = MemTxAttrs::pe(0, PaSpace::NonSecure, true);
    random() % 2 ? (void)b.uart.read(offset, size, value, attrs)
                 : (void)b.uart.write(offset, size, random(), attrs);
    if (random() % 8 == 0 && b.host.waiting.size() < 100) b.host.type("some text");
    if (random() % 64 == 0) b.uart.receive_break();
  }
}

}  // namespace
}  // namespace sluice
