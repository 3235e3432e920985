// images/demo/edu.h: the educational PCI device (1234:11e8) as a DMA engine with a buffer of 4 KiB.
#pragma once
#include "lib/arm.h"

// False: it is not there. `stream`: its requester ID.
bool edu_find(u64 ecam, u32* stream);
// `bytes` between a bus address and the buffer, the whole way.
void edu_read(u64 address, u32 bytes);
void edu_write(u64 address, u32 bytes);
