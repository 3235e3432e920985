// images/lib/fdt.c: see fdt.h. One pass over the structure block; only depth 1 and 2 matter.
#include "lib/fdt.h"

int memcmp(const void* a, const void* b, size_t bytes);
size_t strlen(const char* text);

enum { kMagic = 0xd00dfeed, kBeginNode = 1, kEndNode = 2, kProperty = 3, kNop = 4 };

static u32 big32(const u8* p) { return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3]; }
static u64 big64(const u8* p) { return (u64)big32(p) << 32 | big32(p + 4); }

static bool starts_with(const char* text, const char* prefix) {
  for (; *prefix; text++, prefix++)
    if (*text != *prefix) return false;
  return true;
}

static bool list_has(const u8* list, u32 bytes, const char* word) {
  size_t length = strlen(word) + 1;
  for (u32 at = 0; at + length <= bytes; at++)
    if ((at == 0 || list[at - 1] == 0) && memcmp(list + at, word, length) == 0) return true;
  return false;
}

static u64 address_of(const char* node) {
  u64 value = 0;
  while (*node && *node++ != '@') {
  }
  for (; *node; node++) value = value << 4 | (u64)(*node <= '9' ? *node - '0' : *node - 'a' + 10);
  return value;
}

static void look_at(struct board* b, const char* node, int depth, const char* name, const u8* value,
                    u32 bytes) {
  bool compatible = starts_with(name, "compatible"), reg = starts_with(name, "reg");
  if (depth == 3 && starts_with(node, "cpu@") && reg && b->pes < kMaxPes)
    b->mpidr[b->pes++] = bytes == 8 ? big64(value) : big32(value);
  if (depth == 2 && starts_with(node, "memory") && reg && bytes >= 16) b->ram_bytes = big64(value + 8);
  if (depth == 2 && starts_with(node, "pcie@") && reg && bytes >= 16) b->ecam = big64(value);
  if (depth == 2 && compatible && list_has(value, bytes, "arm,smmu-v3") && !b->smmu)
    b->smmu = address_of(node);
  if (depth == 2 && compatible && list_has(value, bytes, "arm,sie200-mpc")) b->mpc = address_of(node);
  if (depth == 2 && compatible && list_has(value, bytes, "arm,gic-v3")) b->gic_version = 3;
  if (depth == 2 && compatible && list_has(value, bytes, "arm,cortex-a15-gic")) b->gic_version = 2;
}

struct board fdt_read(u64 tree) {
  struct board b = {0};
  const u8* blob = (const u8*)tree;
  if (!tree || tree & 7 || big32(blob) != kMagic) return b;
  b.found = true;
  const u8* at = blob + big32(blob + 8);
  const u8* end = blob + big32(blob + 4);
  const char* strings = (const char*)blob + big32(blob + 12);
  const char* node = "";
  for (int depth = 0; at + 4 <= end;) {
    u32 token = big32(at);
    at += 4;
    if (token == kBeginNode) {
      node = (const char*)at;
      at += (strlen(node) + 4) & ~3ul;
      depth++;
    } else if (token == kEndNode) {
      depth--;
      node = "";
    } else if (token == kProperty) {
      u32 bytes = big32(at);
      look_at(&b, node, depth, strings + big32(at + 4), at + 8, bytes);
      at += 8 + ((bytes + 3) & ~3u);
    } else if (token != kNop) {
      break;
    }
  }
  return b;
}
