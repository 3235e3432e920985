// machines/smbios.h: the SMBIOS tables of a board (DMTF DSP0134, 3.0), for firmware to publish.
#pragma once
#include <vector>

#include "machines/board.h"

namespace sluice {

// Files of fw_cfg.
struct SmbiosFiles {
  std::vector<u8> anchor;  // etc/smbios/smbios-anchor: the entry point, without the address
  std::vector<u8> tables;  // etc/smbios/smbios-tables
};
SmbiosFiles build_smbios(const BoardRecord& board);

}  // namespace sluice
