// images/demo/gates.c: the scenes behind the MMU: a protection controller in front of RAM, and an SMMU in
// front of a DMA engine. What is kept is seen by what is stale: descriptors are changed without an
// invalidation, so whoever still reads the old page has kept his translation, and whoever reads the new one
// has not.
#include "demo/demo.h"
#include "demo/edu.h"
#include "demo/smmu.h"

enum { kBystanders = 64, kEnoughReads = 10000, kLook = 200000 };
static const u64 kGuardedVa = kTestWindow + 0x100000, kBystanderVa = kTestWindow + 0x200000;
static u64 guarded[kPage / 8] __attribute__((aligned(4096)));
static u64 reads, reads_when_closed, reads_later, kept_entries;
static struct caught refusal;

static struct {
  const char* what;
  u64 flushed, kept;
} proven[4];
static u32 proven_count;

void prove(const char* what, u64 flushed, u64 kept) {
  proven[proven_count].what = what;
  proven[proven_count].flushed = flushed;
  proven[proven_count++].kept = kept;
}

void print_proven(void) {
  if (!proven_count) return;
  print("\n    %-62s flushed  kept\n", "what was proven");
  for (u32 n = 0; n < proven_count; n++)
    print("    %-62s %7lu %5lu\n", proven[n].what, proven[n].flushed, proven[n].kept);
}

// --- The MPC

static u64 set_block(u64 address, u64 non_secure) {
  return smc_call(kMonitorSetBlock, address, non_secure, 0);
}

static u64 count_bystanders(void) {
  u64 old = 0;
  for (u64 n = 0; n < kBystanders; n++) old += read64(kBystanderVa + n * kPage) == 'A';
  return old;
}

static void read_for_ever(u64 va) {
  for (;;) {
    (void)read64(va);
    __atomic_store_n(&reads, reads + 1, __ATOMIC_RELAXED);
  }
}

static void look(u64 va) { (void)read64(va); }

static void wait_for_reads(u64 more) {
  const u64 start = load_acquire(&reads);
  while (load_acquire(&reads) - start < more) {
  }
}

static void close_under_a_reader(u64 index) {
  if (index == 1) {
    (void)count_bystanders();
    smp_barrier();  // now their descriptors change
    smp_barrier();
    refusal = attempt(read_for_ever, kGuardedVa);
    kept_entries = count_bystanders();
    return;
  }
  smp_barrier();
  if (index == 0)
    for (u64 n = 0; n < kBystanders; n++)
      space_map(kernel_space, kBystanderVa + n * kPage, (u64)page_b, kPageReadWrite);
  smp_barrier();
  if (index != 0) return;
  wait_for_reads(kEnoughReads);
  set_block((u64)guarded, 0);
  reads_when_closed = load_acquire(&reads);
  for (volatile u32 n = 0; n < kLook; n++) {
  }
  reads_later = load_acquire(&reads);
}

void scene_mpc(void) {
  put("[6] a block of RAM is made Secure while another PE reads it\n");
  space_map(kernel_space, kGuardedVa, (u64)guarded, kPageReadWrite);
  for (u64 n = 0; n < kBystanders; n++)
    space_map(kernel_space, kBystanderVa + n * kPage, (u64)page_a, kPageReadWrite);
  (void)smc_call(kMonitorViolation, 0, 0, 0);
  smp_run(close_under_a_reader);
  const u64 info = smc_call(kMonitorViolation, 0, 0, 0);
  print("    PE 1 reads %lu times; the monitor closes the block; reads after that: %lu\n", reads_when_closed,
        reads_later - reads_when_closed > 1 ? reads_later - reads_when_closed : 0);
  print("    PE 1 takes an external abort: ESR %08lx FAR %lx; MPC: offset %lx, master %lu, %s access\n",
        refusal.esr, refusal.far, info & 0xffffffff, info >> 32 & 0xffff,
        info >> 48 & 1 ? "Non-secure" : "Secure");
  set_block((u64)guarded, 1);
  const struct caught again = attempt(look, kGuardedVa);
  // A load that was under way when the store retired is counted just after it.
  verdict(reads_later - reads_when_closed <= 1 && refusal.taken && caught_class(&refusal) == kEcDataAbort &&
              (caught_iss(&refusal) & 0x3f) == 0x10 && refusal.far == kGuardedVa &&
              (info >> 32 & 0xffff) == 1 && kept_entries == kBystanders && !again.taken,
          "revoked when the store retires, for that block alone; open again it reads");
  prove("MPC block made Secure while a PE reads it: that PE's entries", 1, kept_entries);
}

// --- The SMMU

enum { kSourceIova = 0x10000, kTargetIova = 0x20000, kBystanderIova = 0x30000 };
static const u64 kForDma = kPageReadWrite | kPageUser;  // a device's transactions are unprivileged
static u64 target[kPage / 8] __attribute__((aligned(4096)));

static u64 dma_value(u64 iova) {
  target[0] = 0;
  edu_read(iova, 8);
  edu_write(kTargetIova, 8);
  return target[0];
}

void scene_smmu(void) {
  put("[7] a DMA engine behind the SMMU\n");
  u32 stream;
  address_space tables = space_create();
  tables.root[0] = tables.root[1] = tables.root[256] = 0;  // bus addresses are nobody's business but ours
  space_map(tables, kSourceIova, (u64)page_a, kForDma);
  space_map(tables, kTargetIova, (u64)target, kForDma);
  space_map(tables, kBystanderIova, (u64)page_a, kForDma);
  if (!edu_find(board.ecam, &stream) || !smmu_start(board.smmu, stream, tables)) {
    verdict(false, "there is no DMA engine, or the SMMU does not answer");
    return;
  }
  const u64 first = dma_value(kSourceIova);
  (void)dma_value(kBystanderIova);
  space_unmap(tables, kSourceIova);
  space_map(tables, kBystanderIova, (u64)page_b, kForDma);
  const u64 stale = dma_value(kSourceIova);
  smmu_invalidate(kSourceIova);
  struct smmu_event event = {0};
  const bool early = smmu_take_event(&event);
  edu_read(kSourceIova, 8);
  const bool recorded = smmu_take_event(&event);
  const bool kept = dma_value(kBystanderIova) == 'A';
  print("    bus 0x%x -> page A: reads %c; unmapped, no TLBI: reads %c; TLBI_NH_VA, SYNC:\n", kSourceIova,
        letter(first), letter(stale));
  print("    event 0x%02x (%s), stream 0x%x, address 0x%lx, %s\n", event.type,
        event.type == 0x10 ? "F_TRANSLATION" : "?", event.stream, event.address,
        event.write ? "write" : "read");
  verdict(first == 'A' && !early && recorded && event.type == 0x10 && event.stream == stream &&
              event.address == kSourceIova && !event.write && kept,
          "refused and recorded once the SYNC is consumed, not before the unmap");
  prove("SMMU CMD_TLBI_NH_VA of one page: the stream's entries", 1, kept);
  if (!board.mpc || !monitor_present) return;
  put("[8] the same engine, through the SMMU and the MPC\n");
  space_map(tables, kSourceIova, (u64)page_a, kForDma);
  const u64 open = dma_value(kSourceIova);
  set_block((u64)page_a, 0);
  edu_read(kSourceIova, 8);
  const u64 info = smc_call(kMonitorViolation, 0, 0, 0);
  set_block((u64)page_a, 1);
  const u64 again = dma_value(kSourceIova);
  print("    reads %c; block closed: MPC offset %lx, master 0x%lx; open again: reads %c\n", letter(open),
        info & 0xffffffff, info >> 32 & 0xffff, letter(again));
  verdict(open == 'A' && (info >> 32 & 0x8000) && (info & 0xffffffff) == ((u64)page_a - 0x40000000) &&
              again == 'A',
          "the MPC sees through the SMMU who it was");
}
