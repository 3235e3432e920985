// The virtio console device: ports, control messages, back-pressure. VIRTIO 1.3, 5.3.
#include "devices/virtio/console.h"
#include "tests/unit/virtio_rig.h"

namespace sluice::virtio_test {
namespace {

constexpr u64 kSize = 1, kMultiport = 2;
constexpr u16 kDeviceReady = 0, kPortAdd = 1, kPortReady = 3, kConsolePort = 4, kResize = 5, kPortOpen = 6,
              kPortName = 7;

struct Message {
  u32 port;
  u16 event, value;
  Bytes rest;
};

class VirtioConsolePorts : public testing::TestWithParam<bool> {
 protected:
  VirtioConsolePorts() : d(GetParam()) {}
  void start(u64 features, u16 queues) {
    d.start(features, queues, 32);
    if (features & kMultiport)
      for (int i = 0; i < 16; i++) give_buffer(2, 64);
  }
  u64 give_buffer(u16 queue, u32 size) {
    u64 address = d.memory.allocate(size);
    given[queue].push_back(address);
    d.add(queue, {{address, size, true}});
    return address;
  }
  // What arrived in the next buffer of a queue that the device fills.
  std::optional<Bytes> arrived(u16 queue) {
    auto used = d.next_used(queue);
    if (!used) return {};
    u64 address = given[queue].front();
    given[queue].pop_front();
    return d.memory.get_bytes(address, used->length);
  }
  std::optional<Message> control() {
    auto b = arrived(2);
    if (!b || b->size() < 8) return {};
    Message m{};
    std::memcpy(&m.port, b->data(), 4), std::memcpy(&m.event, &(*b)[4], 2),
        std::memcpy(&m.value, &(*b)[6], 2);
    m.rest.assign(b->begin() + 8, b->end());
    return m;
  }
  void tell(u32 port, u16 event, u16 value) {
    u64 address = d.memory.allocate(8);
    d.memory.put<u32>(address, port), d.memory.put<u16>(address + 4, event),
        d.memory.put<u16>(address + 6, value);
    d.add(3, {{address, 8, false}});
    d.kick(3);
    EXPECT_TRUE(d.next_used(3));
  }
  void expect(u32 port, u16 event, u16 value, const std::string& rest = "") {
    auto m = control();
    ASSERT_TRUE(m) << "event " << event << " of port " << port;
    EXPECT_EQ(m->port, port);
    EXPECT_EQ(m->event, event);
    EXPECT_EQ(m->value, value);
    EXPECT_EQ(std::string(m->rest.begin(), m->rest.end()), rest);
  }
  void print(u16 queue, const std::string& text) {
    u64 address = d.memory.allocate(text.size());
    d.memory.put_bytes(address, Bytes(text.begin(), text.end()));
    d.add(queue, {{address, u32(text.size()), false}});
    d.kick(queue);
  }

  TestStream stream, second;  // outlive the device
  Driver d;
  std::map<u16, std::deque<u64>> given;
};
INSTANTIATE_TEST_SUITE_P(ModernAndLegacy, VirtioConsolePorts, testing::Bool());

TEST_P(VirtioConsolePorts, DescribesItself) {
  d.plug<VirtioConsole>(5u);
  EXPECT_EQ(d.read(0x008), 3u);
  EXPECT_EQ(d.read(0x104), 5u);  // max_nr_ports
  EXPECT_EQ(d.offered() & 7, 7u);
  d.write(0x30, 11);
  EXPECT_NE(d.read(0x34), 0u);  // 2 * (5 + 1) queues
  d.write(0x30, 12);
  EXPECT_EQ(d.read(0x34), 0u);
}

TEST_P(VirtioConsolePorts, PortNumbersAreGivenOnce) {
  VirtioConsole& c = d.plug<VirtioConsole>(3u);
  using Kind = VirtioConsole::PortKind;
  EXPECT_EQ(c.add_port({Kind::Serial, "a", nullptr}), 1u);
  EXPECT_EQ(c.add_port({Kind::Console, "b", nullptr}), 0u);
  EXPECT_FALSE(c.add_port({Kind::Console, "c", nullptr}, 1));
  EXPECT_FALSE(c.add_port({Kind::Console, "c", nullptr}, 3));
  EXPECT_EQ(c.add_port({Kind::Console, "c", nullptr}), 2u);
  EXPECT_FALSE(c.add_port({Kind::Console, "d", nullptr}));
}

TEST_P(VirtioConsolePorts, ASimpleDriverUsesPortZero) {
  VirtioConsole& c = d.plug<VirtioConsole>();
  c.add_port({VirtioConsole::PortKind::Console, "", &stream});
  start(0, 2);
  print(1, "hello");
  auto used = d.next_used(1);
  ASSERT_TRUE(used);
  EXPECT_EQ(used->length, 0u);
  EXPECT_EQ(stream.sent, "hello");
  give_buffer(0, 3);
  give_buffer(0, 8);
  d.kick(0);
  stream.type("abcdef");
  EXPECT_EQ(*arrived(0), (Bytes{'a', 'b', 'c'}));
  EXPECT_EQ(*arrived(0), (Bytes{'d', 'e', 'f'}));
}

TEST_P(VirtioConsolePorts, InputWaitsForBuffers) {
  VirtioConsole& c = d.plug<VirtioConsole>();
  c.add_port({VirtioConsole::PortKind::Console, "", &stream});
  stream.type("early ");  // before there is a driver
  start(0, 2);
  stream.type("late");
  EXPECT_EQ(stream.waiting, "early late");
  give_buffer(0, 4);
  d.kick(0);
  EXPECT_EQ(*arrived(0), (Bytes{'e', 'a', 'r', 'l'}));
  EXPECT_EQ(stream.waiting, "y late");
  give_buffer(0, 64);
  d.kick(0);
  EXPECT_EQ(*arrived(0), (Bytes{'y', ' ', 'l', 'a', 't', 'e'}));
}

TEST_P(VirtioConsolePorts, MultiportHandshake) {
  VirtioConsole& c = d.plug<VirtioConsole>(4u);
  c.add_port({VirtioConsole::PortKind::Console, "", &stream});
  c.add_port({VirtioConsole::PortKind::Serial, "org.test.port", &second});
  start(kSize | kMultiport, 6);
  c.set_size(0, 132, 43);
  tell(0, kDeviceReady, 1);
  expect(0, kPortAdd, 1);
  expect(1, kPortAdd, 1);
  tell(0, kPortReady, 1);
  expect(0, kConsolePort, 1);
  expect(0, kResize, 1, std::string("\x84\0\x2b\0", 4));
  expect(0, kPortOpen, 1);
  tell(1, kPortReady, 1);
  expect(1, kPortName, 1, "org.test.port");
  expect(1, kPortOpen, 1);
  EXPECT_FALSE(control());
  // Ports carry data once the driver has opened them.
  second.type("in");
  give_buffer(4, 16);
  d.kick(4);
  EXPECT_FALSE(arrived(4));
  tell(1, kPortOpen, 1);
  EXPECT_EQ(*arrived(4), (Bytes{'i', 'n'}));
  print(5, "out");
  EXPECT_EQ(second.sent, "out");
  c.set_host_open(1, false);
  expect(1, kPortOpen, 0);
  print(5, "nobody listens");
  EXPECT_EQ(second.sent, "out");
  c.set_size(0, 80, 24);
  expect(0, kResize, 1, std::string("\x50\0\x18\0", 4));
}

TEST_P(VirtioConsolePorts, ControlMessagesWaitForBuffersAndDoNotPileUp) {
  VirtioConsole& c = d.plug<VirtioConsole>(2u);
  c.add_port({VirtioConsole::PortKind::Console, "", &stream});
  d.start(kMultiport, 4, 32);  // no control buffers
  for (int i = 0; i < 1000; i++) tell(0, kPortReady, 1), tell(0, kDeviceReady, 1);
  for (int i = 0; i < 10; i++) give_buffer(2, 32);
  d.kick(2);
  expect(0, kPortAdd, 1);
  expect(0, kConsolePort, 1);
  expect(0, kPortOpen, 1);
  EXPECT_FALSE(control());
}

TEST_P(VirtioConsolePorts, NonsenseOnTheControlQueueIsIgnored) {
  VirtioConsole& c = d.plug<VirtioConsole>(2u);
  c.add_port({VirtioConsole::PortKind::Console, "", &stream});
  start(kMultiport, 4);
  for (u16 event = 0; event < 20; event++)
    for (u32 port : {1u, 2u, 31u, ~0u}) tell(port, event, 7);
  u64 b = d.memory.allocate(8);
  d.add(3, {{b, 5, false}});
  d.kick(3);
  EXPECT_TRUE(d.next_used(3));
  EXPECT_FALSE(control());
  EXPECT_FALSE(d.needs_reset());
  tell(0, kDeviceReady, 1);
  expect(0, kPortAdd, 1);
}

TEST_P(VirtioConsolePorts, LongOutputIsMovedInTurns) {
  VirtioConsole& c = d.plug<VirtioConsole>();
  c.add_port({VirtioConsole::PortKind::Console, "", &stream});
  start(0, 2);
  std::string text(1 << 20, 'x');
  for (size_t i = 0; i < text.size(); i++) text[i] = char('a' + i % 23);
  print(1, text);
  EXPECT_FALSE(d.next_used(1));
  EXPECT_LT(stream.sent.size(), text.size());
  for (int i = 0; i < 100 && stream.sent.size() < text.size(); i++) {
    d.clock.advance_to(d.clock.now_ns() + 1'000'000);
    d.clock.run_expired();
  }
  EXPECT_EQ(stream.sent, text);
  EXPECT_TRUE(d.next_used(1));
}

TEST_P(VirtioConsolePorts, AResetForgetsOutputInTheMiddle) {
  VirtioConsole& c = d.plug<VirtioConsole>();
  c.add_port({VirtioConsole::PortKind::Console, "", &stream});
  start(0, 2);
  print(1, std::string(1 << 20, 'x'));
  size_t moved = stream.sent.size();
  start(0, 2);
  d.clock.advance_to(d.clock.now_ns() + 1'000'000);
  d.clock.run_expired();
  EXPECT_EQ(stream.sent.size(), moved);
  print(1, "again");
  EXPECT_EQ(stream.sent.substr(moved), "again");
}

TEST_P(VirtioConsolePorts, EmergencyWriteNeedsNoDriver) {
  VirtioConsole& c = d.plug<VirtioConsole>();
  c.add_port({VirtioConsole::PortKind::Console, "", &stream});
  d.write(0x108, '!', 4);
  EXPECT_EQ(stream.sent, "!");
}

// A stream that answers from inside transmit(): the lock is held already, and nothing waits for itself.
TEST_P(VirtioConsolePorts, AnEchoingHost) {
  class Echo final : public ByteStream {
   public:
    void transmit(std::span<const u8> bytes) override { taken += receiver(bytes); }
    void on_receive(Receiver r) override { receiver = std::move(r); }
    void resume() override {}
    Receiver receiver;
    size_t taken = 0;
  } echo;
  Driver own{GetParam()};
  own.plug<VirtioConsole>().add_port({VirtioConsole::PortKind::Console, "", &echo});
  own.start(0, 2, 16);
  u64 in = own.memory.allocate(16), out = own.memory.allocate(4);
  own.memory.put<u32>(out, 0x64636261);
  own.add(0, {{in, 16, true}});
  own.add(1, {{out, 4, false}});
  own.kick(1);
  EXPECT_EQ(echo.taken, 4u);
  EXPECT_EQ(own.memory.get<u32>(in), 0x64636261u);
}

// The host waits for resume() whenever the device takes nothing: a wake-up that is lost would end the test
// early.
TEST(VirtioConsoleThreads, InputFromAnotherThread) {
  class Typist final : public ByteStream {
   public:
    void transmit(std::span<const u8>) override {}
    void on_receive(Receiver r) override { receiver = std::move(r); }
    void resume() override { awake = true; }
    Receiver receiver;
    std::atomic<bool> awake{true}, stop{false};
  } typist;
  Driver d;
  d.plug<VirtioConsole>().add_port({VirtioConsole::PortKind::Console, "", &typist});
  d.start(0, 2, 32);
  constexpr u32 kBytes = 2000;
  std::thread host{[&] {
    for (u32 i = 0; i < kBytes && !typist.stop;) {
      while (!typist.awake && !typist.stop) std::this_thread::sleep_for(std::chrono::microseconds(20));
      typist.awake = false;
      u8 byte = u8(i);
      while (i < kBytes && typist.receiver({&byte, 1})) byte = u8(++i);
    }
  }};
  const u64 buffer = d.memory.allocate(32);
  u32 got = 0;
  bool in_order = true;
  while (got < kBytes) {
    d.add(0, {{buffer, 32, true}});
    d.kick(0);
    auto used = d.wait_used(0);
    if (!used) break;
    for (u32 i = 0; i < used->length; i++, got++) in_order &= d.memory.get<u8>(buffer + i) == u8(got);
  }
  typist.stop = true;
  host.join();
  EXPECT_EQ(got, kBytes);
  EXPECT_TRUE(in_order);
}

}  // namespace
}  // namespace sluice::virtio_test
